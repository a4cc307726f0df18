"""The addresses of models and tokens."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("tracking.gateway.urls")),
    path("", include("tracking.usage.urls")),
    path("", include("tracking.exports.urls")),
    path("", include("tracking.reports.urls")),
    path("", include("tracking.spending.urls")),
]

"""The addresses of people and money."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("budgets.alerts.urls")),
    path("", include("budgets.requests.urls")),
]

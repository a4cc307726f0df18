"""The site's address book."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("budgets.urls")),
    path("", include("tracking.urls")),
]

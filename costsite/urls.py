"""The site's address book."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("budgets.urls")),
    path("", include("tracking.urls")),
]

handler400 = "costsite.error_pages.bad_request"
handler403 = "costsite.error_pages.permission_denied"
handler404 = "costsite.error_pages.not_found"
handler500 = "costsite.error_pages.server_error"

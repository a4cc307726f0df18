"""The site's address book."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from budgets.health import views as health
from tracking.gateway.providers import unloaded_reason

urlpatterns = [
    # First, since the gateway's are asked for most, and addresses are tried in turn.
    path("", include("tracking.urls")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, {"checks": (unloaded_reason,)}, name="readyz"),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
    path("", include("budgets.urls")),
]

handler400 = "costsite.error_pages.bad_request"
handler403 = "costsite.error_pages.permission_denied"
handler404 = "costsite.error_pages.not_found"
handler500 = "costsite.error_pages.server_error"

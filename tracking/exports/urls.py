"""The addresses of files."""

from __future__ import annotations

from django.urls import path

from tracking.exports import api

urlpatterns = [
    path("api/v1/usage/export", api.ExportNowView.as_view(), name="usage-export"),
    path("api/v1/exports", api.ExportListView.as_view(), name="exports"),
    path("api/v1/exports/<uuid:pk>", api.ExportView.as_view(), name="export"),
    path("api/v1/exports/<uuid:pk>/retry", api.ExportRetryView.as_view(), name="export-retry"),
    path("api/v1/exports/<uuid:pk>/file", api.ExportFileView.as_view(), name="export-file"),
]

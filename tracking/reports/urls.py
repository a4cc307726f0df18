"""The addresses of scheduled reports."""

from __future__ import annotations

from django.urls import path

from tracking.reports import api, views

urlpatterns = [
    path("reports/", views.reports, name="reports"),
    path("reports/preview/", views.preview, name="report-preview"),
    path("reports/<int:pk>/end/", views.end_report, name="report-end"),
    path("reports/unsubscribe/<str:token>/", views.unsubscribe, name="report-unsubscribe"),
    path("api/v1/reports", api.ReportListView.as_view(), name="api-reports"),
    path("api/v1/reports/<int:pk>", api.ReportView.as_view(), name="api-report"),
]

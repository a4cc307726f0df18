"""The addresses of past use."""

from __future__ import annotations

from django.urls import path

from tracking.usage import api, api_calls
from tracking.usage.serializers import ROWS

urlpatterns = [
    path("api/v1/usage/total", api.TotalView.as_view(), name="usage-total"),
    *(
        path(
            f"api/v1/usage/by-{by.replace('_', '-')}",
            api.by_view(by).as_view(),
            name=f"usage-by-{by}",
        )
        for by in ROWS
    ),
    path("api/v1/usage/movers", api.MoversView.as_view(), name="usage-movers"),
    path("api/v1/usage/daily", api.DailyView.as_view(), name="usage-daily"),
    path("api/v1/usage/hourly", api.HourlyView.as_view(), name="usage-hourly"),
    path("api/v1/usage/efficiency", api.EfficiencyView.as_view(), name="usage-efficiency"),
    path("api/v1/usage/forecast", api_calls.ForecastView.as_view(), name="usage-forecast"),
    path("api/v1/usage/waste", api_calls.WasteView.as_view(), name="usage-waste"),
    path("api/v1/usage/calls", api_calls.CallsView.as_view(), name="usage-calls"),
    path("api/v1/report", api.ReportView.as_view(), name="report"),
]

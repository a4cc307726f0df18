"""The addresses of requests for more."""

from __future__ import annotations

from django.urls import path

from budgets.requests import api, views

urlpatterns = [
    path("requests/", views.requests, name="requests"),
    path("requests/<int:pk>/", views.decision, name="request-decision"),
    path("api/v1/requests", api.RequestListView.as_view(), name="api-requests"),
    path("api/v1/requests/<int:pk>", api.RequestView.as_view(), name="api-request"),
]

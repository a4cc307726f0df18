"""The addresses under /v1."""

from __future__ import annotations

from django.urls import path, re_path

from tracking.gateway import views
from tracking.gateway.endpoints import table

urlpatterns = [
    *(
        path(
            f"v1/{endpoint.name.replace('.', '/')}",
            views.Calls.as_view(endpoint=endpoint),
            name=endpoint.name.replace(".", "-"),
        )
        for endpoint in table.ENDPOINTS
    ),
    path("v1/models", views.Models.as_view(), name="models"),
    path("v1/models/<path:name>", views.Models.as_view(), name="model"),
    path("v1/key", views.Key.as_view(), name="key"),
    re_path(r"^v1(/.*)?$", views.Nowhere.as_view(), name="nowhere"),
]

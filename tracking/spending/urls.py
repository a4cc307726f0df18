"""The addresses of the spending pages and of signing in."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from tracking.spending import views, views_exports, views_statement

urlpatterns = [
    path("", views.home, name="home"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("spending/", views.spending, name="spending"),
    path("spending/calls/", views.calls, name="calls"),
    path("spending/statement/", views_statement.statement, name="statement"),
    path("spending/exports/", views_exports.exports, name="spending-exports"),
    path(
        "spending/exports/<uuid:export_id>/retry/",
        views_exports.retry_export,
        name="spending-export-retry",
    ),
    path("spending/calls/<uuid:request_id>/", views.receipt, name="receipt"),
]

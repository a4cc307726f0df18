"""The addresses of alerts."""

from __future__ import annotations

from django.urls import path

from budgets.alerts import api, views

urlpatterns = [
    path("alerts/", views.alerts, name="alerts"),
    path("alerts/<int:pk>/acknowledge/", views.take_on, name="alert-acknowledge"),
    path("alerts/channels/<int:pk>/test/", views.test_channel, name="channel-test"),
    path("alerts/messages/<uuid:pk>/", views.preview, name="delivery-preview"),
    path("alerts/messages/<uuid:pk>/resend/", views.send_again, name="delivery-resend"),
    path("api/v1/alerts", api.AlertListView.as_view(), name="api-alerts"),
    path(
        "api/v1/alerts/<int:pk>/acknowledge",
        api.AcknowledgeView.as_view(),
        name="api-alert-acknowledge",
    ),
    path("api/v1/rules", api.RuleListView.as_view(), name="api-rules"),
    path("api/v1/rules/<int:pk>", api.RuleView.as_view(), name="api-rule"),
    path("api/v1/channels", api.ChannelListView.as_view(), name="api-channels"),
    path("api/v1/channels/<int:pk>", api.ChannelView.as_view(), name="api-channel"),
    path("api/v1/channels/<int:pk>/test", api.ChannelTestView.as_view(), name="api-channel-test"),
    path(
        "api/v1/channels/<int:pk>/secret",
        api.ChannelSecretView.as_view(),
        name="api-channel-secret",
    ),
    path("api/v1/deliveries", api.DeliveryListView.as_view(), name="api-deliveries"),
    path("api/v1/deliveries/<uuid:pk>/resend", api.ResendView.as_view(), name="api-resend"),
]

"""The one table from a kind of channel to what it does."""

from __future__ import annotations

from budgets.alerts.channels.base import Transport
from budgets.alerts.channels.email.transport import EmailTransport
from budgets.alerts.channels.slack.transport import SlackTransport
from budgets.alerts.channels.teams.transport import TeamsTransport
from budgets.alerts.channels.webhook.transport import WebhookTransport

TRANSPORTS: dict[str, Transport] = {
    "email": EmailTransport(),
    "slack": SlackTransport(),
    "teams": TeamsTransport(),
    "webhook": WebhookTransport(),
}

"""Rules, channels, alerts and deliveries in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from budgets.alerts.forms import ChannelForm, RuleForm
from budgets.alerts.models import Alert, AlertRule, Channel, Delivery
from budgets.alerts.operations import (
    NoSecret,
    put_channel,
    put_rule,
    resend,
    rotate_secret,
    try_channel,
)
from budgets.core.clock import now
from budgets.history.admin import HistoryAdmin
from budgets.http.admin import JournalAdmin, KeptAdmin, confirmation
from budgets.http.cells import instant
from budgets.tenancy.search import OrganizationFilter


@admin.register(AlertRule)
class AlertRuleAdmin(HistoryAdmin, KeptAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """What organizations are told of. A rule is put, never just saved."""

    form = RuleForm
    list_display = ("name", "organization", "kind", "figures", "each", "active", "muted", "error")
    list_filter = ("kind", "active", OrganizationFilter)
    list_select_related = ("organization",)
    list_per_page = 50
    search_fields = ("name", "organization__name", "organization__slug")
    ordering = ("-pk",)
    autocomplete_fields = ("organization", "budget")

    def save_model(self, request: HttpRequest, obj: AlertRule, form: Any, change: Any) -> None:
        """Put the rule; the next tick looks at it."""
        put_rule(rule=obj, now=now(), channels=list(form.cleaned_data["channels"]))

    @admin.display(description="told from")
    def figures(self, rule: AlertRule) -> str:
        """Write the thresholds; a share of a budget has the budget's own."""
        return ", ".join(f"{one.at.normalize():f}" for one in rule.thresholds) or "the budget's own"

    @admin.display(description="muted until (UTC)")
    def muted(self, rule: AlertRule) -> str:
        """Write until when nothing is told."""
        return instant(rule.muted_until)

    @admin.display(description="error")
    def error(self, rule: AlertRule) -> str:
        """Write why it could not be looked at."""
        return rule.last_error or "-"


@admin.register(Channel)
class ChannelAdmin(HistoryAdmin, KeptAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic when it runs
    """Where messages go. Secrets go in, and come out only when a webhook's is made."""

    form = ChannelForm
    list_display = ("name", "organization", "kind", "where", "takes_alerts", "active")
    list_filter = ("kind", "active", OrganizationFilter)
    list_select_related = ("organization",)
    list_per_page = 50
    search_fields = ("name", "organization__name", "organization__slug")
    ordering = ("-pk",)
    autocomplete_fields = ("organization",)
    readonly_fields = ("where",)
    fields = (
        "organization",
        "name",
        "kind",
        "where",
        "to",
        "roles",
        "url",
        "takes_alerts",
        "takes_requests",
        "active",
    )
    actions = ["test", "rotate"]

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: Any) -> None:
        """Put the channel, and remember the secret for the page that answers."""
        form.new_secret = put_channel(channel=obj, given=form.given)
        obj.new_secret = form.new_secret  # type: ignore[attr-defined]  # for response_add()

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show a new webhook's secret, on this page and nowhere else."""
        if obj.new_secret:
            return self._secrets(request, [(obj, obj.new_secret)])
        return super().response_add(request, obj, post_url_continue)

    def has_test_permission(self, request: Any) -> bool:
        """Let those try a channel who may change one."""
        return bool(request.user.has_perm("budgets.change_channel"))

    @admin.action(description="Send a test message", permissions=["test"])
    def test(self, request: HttpRequest, queryset: QuerySet[Channel]) -> None:
        """Send a message through the chosen channels, and say what became of it."""
        for channel in queryset.select_related("organization"):
            sent = try_channel(channel=channel, now=now())
            is_sent = sent.state == Delivery.State.SENT
            told = "The message arrived." if is_sent else sent.last_error
            level = messages.SUCCESS if is_sent else messages.ERROR
            self.message_user(request, f"{channel}: {told}", level)

    @admin.action(description="Make new secrets", permissions=["test"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[Channel]) -> HttpResponse | None:
        """Make new secrets for the chosen webhooks, once it is confirmed, and show them."""
        question = "Make new secrets? For a day messages carry the signature of the old ones, too."
        asked = confirmation(
            request=request, page=self, rows=queryset, action="rotate", question=question
        )
        if asked is not None:
            return asked
        try:
            made = [(channel, rotate_secret(channel=channel, now=now())) for channel in queryset]
        except NoSecret as error:
            self.message_user(request, error.message, messages.ERROR)
            return None
        return self._secrets(request, made)

    @admin.display(description="where")
    def where(self, channel: Channel) -> str:
        """Write where it leads, without what is secret."""
        kept = channel.settings
        parts = [*kept.get("to", ()), *(f"every {role}" for role in kept.get("roles", ()))]
        return kept.get("url") or ", ".join(parts) or "-"

    def _secrets(self, request: HttpRequest, made: list[tuple[Channel, str]]) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "The secret of the webhook",
            "made": made,
        }
        response = TemplateResponse(request, "admin/budgets/channel/secret.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response


@admin.register(Alert)
class AlertAdmin(JournalAdmin):
    """What was told, and what has become of it."""

    list_display = ("opened", "title", "level", "state", "organization", "rule", "tellings")
    list_filter = ("state", "level", OrganizationFilter)
    list_select_related = ("organization", "rule")
    fields = (
        "title",
        "level",
        "state",
        "organization",
        "rule",
        "subject",
        "value",
        "threshold",
        "limit_amount",
        "facts",
        "opened",
        "acknowledged_by",
        "acknowledged_at",
        "recovered_at",
        "tellings",
    )
    readonly_fields = fields

    @admin.display(description="opened (UTC)")
    def opened(self, alert: Alert) -> str:
        """Write when it was seen first."""
        return instant(alert.opened_at)


@admin.register(Delivery)
class DeliveryAdmin(JournalAdmin):
    """Messages on their way, arrived, or given up: those can be sent again."""

    list_display = ("created", "event", "title", "state", "by", "attempts", "last_error")
    list_filter = ("state", "event", OrganizationFilter)
    list_select_related = ("channel",)
    actions = ["send_again"]
    fields = (
        "id",
        "organization",
        "created",
        "event",
        "title",
        "by",
        "state",
        "attempts",
        "next_try_at",
        "give_up_at",
        "last_error",
        "sent_at",
        "message",
    )
    readonly_fields = fields

    def has_resend_permission(self, request: Any) -> bool:
        """Let those send again who may change deliveries."""
        return bool(request.user.has_perm("budgets.change_delivery"))

    @admin.action(description="Send again what was given up", permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Put dead messages back among those that are due."""
        count = resend(deliveries=list(queryset), now=now())
        self.message_user(request, f"{count} will be sent again.", messages.SUCCESS)

    @admin.display(description="created (UTC)")
    def created(self, delivery: Delivery) -> str:
        """Write when it was written."""
        return instant(delivery.created_at)

    @admin.display(description="title")
    def title(self, delivery: Delivery) -> str:
        """Write what it says."""
        return str(delivery.message["title"])

    @admin.display(description="by")
    def by(self, delivery: Delivery) -> str:
        """Name the channel, or the people."""
        return str(delivery.channel or ", ".join(delivery.to))

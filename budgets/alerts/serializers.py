"""Alerts, rules, channels and deliveries as JSON."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from rest_framework import serializers

from budgets.alerts.models import Alert, AlertRule, Channel, Delivery
from budgets.limits.models import Budget
from budgets.limits.targets import names_of, target_named
from budgets.tenancy.models import Organization

_FIGURE: dict[str, Any] = {"max_digits": 24, "decimal_places": 12}


class _Figures(serializers.ListField):
    child = serializers.DecimalField(**_FIGURE)

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=20, **options)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a name that was mistyped would change nothing."""

    def to_internal_value(self, data: Any) -> Any:
        """Look at the names first."""
        if isinstance(data, dict):
            unknown = set(data) - {n for n, field in self.fields.items() if not field.read_only}
            if unknown:
                name = min(map(str, unknown))[:40]
                raise serializers.ValidationError({name: ["There is no such field to set."]})
        return super().to_internal_value(data)


class RuleSerializer(StrictSerializer, serializers.ModelSerializer[AlertRule]):
    """A rule. ``target`` is an e-mail address, a project's slug, the id in a key, a model or a tag."""

    info_at = _Figures(required=False)
    warning_at = _Figures(required=False)
    critical_at = _Figures(required=False)

    class Meta:
        model = AlertRule
        fields = (
            "id",
            "name",
            "kind",
            "scope",
            "target",
            "each",
            "budget",
            "window",
            "info_at",
            "warning_at",
            "critical_at",
            "cooldown_minutes",
            "renotify_minutes",
            "quiet_from",
            "quiet_until",
            "muted_until",
            "tells_recovery",
            "tells_subject",
            "channels",
            "active",
            "check_every_s",
            "ready_made",
            "last_error",
        )
        read_only_fields = ("id", "ready_made", "last_error")
        validators: list[Any] = []

    def __init__(
        self, *args: Any, organization: Organization | None = None, **options: Any
    ) -> None:
        """Take whose rules these are; None only for the document that describes them."""
        super().__init__(*args, **options)
        self.organization = organization
        budgets, channels = Budget.objects.none(), Channel.objects.none()
        if organization is not None:
            owned = Q(organization=organization) | Q(plan=organization.plan_id)
            budgets = Budget.objects.filter(owned)
            channels = Channel.objects.for_organization(organization)
        self.fields["budget"].queryset = budgets  # type: ignore[attr-defined]
        self.fields["channels"].child_relation.queryset = channels  # type: ignore[attr-defined]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find the target that is named."""
        if attrs.get("target") and self.organization is not None:
            scope = str(attrs.get("scope") or getattr(self.instance, "scope", ""))
            attrs["target"] = target_named(
                organization=self.organization, scope=scope, name=attrs["target"]
            )
        return attrs

    def to_representation(self, instance: AlertRule) -> dict[str, Any]:
        """Name the target as it is given."""
        told = super().to_representation(instance)
        subject = (instance.scope, instance.target)
        told["target"] = names_of(subjects=[subject])[subject]
        return told


class ChannelSerializer(StrictSerializer, serializers.ModelSerializer[Channel]):
    """A channel. ``settings`` are those of its kind; what is secret in them is never shown."""

    class Meta:
        model = Channel
        fields = (
            "id",
            "name",
            "kind",
            "settings",
            "takes_alerts",
            "takes_requests",
            "active",
            "created_at",
        )
        read_only_fields = ("id", "created_at")

    def validate_settings(self, given: Any) -> Any:
        """Refuse what is no object."""
        if not isinstance(given, dict):
            raise serializers.ValidationError("This is an object, e.g. {'url': 'https://...'}.")
        return given

    def validate_kind(self, kind: str) -> str:
        """Refuse to make one kind of another."""
        if self.instance is not None and kind != self.instance.kind:
            raise serializers.ValidationError("A channel's kind does not change.")
        return kind


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """An alert: what crossed which threshold when, and what has become of it."""

    rule_name = serializers.CharField(source="rule.name")
    kind = serializers.CharField(source="rule.kind")
    acknowledged_by = serializers.EmailField(source="acknowledged_by.email", default=None)

    class Meta:
        model = Alert
        fields = (
            "id",
            "title",
            "level",
            "state",
            "rule",
            "rule_name",
            "kind",
            "subject",
            "subject_name",
            "value",
            "threshold",
            "limit_amount",
            "facts",
            "window_start",
            "window_ends_at",
            "opened_at",
            "told_at",
            "acknowledged_at",
            "acknowledged_by",
            "recovered_at",
        )
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """A message on its way, or arrived, or given up."""

    channel_name = serializers.CharField(source="channel.name", default=None)
    title = serializers.CharField(source="message.title")

    class Meta:
        model = Delivery
        fields = (
            "id",
            "event",
            "title",
            "channel",
            "channel_name",
            "to",
            "alert",
            "state",
            "attempts",
            "next_try_at",
            "give_up_at",
            "last_error",
            "created_at",
            "sent_at",
        )
        read_only_fields = fields

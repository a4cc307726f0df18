"""Requests for more as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from budgets.requests.models import RaiseRequest

_FIGURE: dict[str, Any] = {"max_digits": 24, "decimal_places": 12}


class WishSerializer(serializers.Serializer[Any]):
    """What is asked for."""

    budget = serializers.IntegerField(min_value=0, max_value=2**63 - 1)
    amount = serializers.DecimalField(**_FIGURE)
    until = serializers.DateTimeField()
    reason = serializers.CharField(max_length=240)


class DecisionSerializer(serializers.Serializer[Any]):
    """How it is decided: the amount and time may be changed; a refusal needs a reason."""

    decision = serializers.ChoiceField(choices=("approve", "refuse", "withdraw"))
    amount = serializers.DecimalField(required=False, **_FIGURE)
    until = serializers.DateTimeField(required=False)
    reason = serializers.CharField(max_length=240, required=False, allow_blank=True)


class RequestSerializer(serializers.ModelSerializer[RaiseRequest]):
    """A request, and what came of it."""

    asked_by = serializers.EmailField(source="asked_by.email")
    decided_by = serializers.EmailField(source="decided_by.email", default=None)
    budget_name = serializers.CharField(source="budget.name")
    granted = serializers.DecimalField(source="limit_raise.amount", default=None, **_FIGURE)
    granted_until = serializers.DateTimeField(source="limit_raise.ends_at", default=None)

    class Meta:
        model = RaiseRequest
        fields = (
            "id",
            "state",
            "asked_by",
            "budget",
            "budget_name",
            "amount",
            "until",
            "reason",
            "asked_at",
            "decided_by",
            "decided_at",
            "decision_reason",
            "granted",
            "granted_until",
        )
        read_only_fields = fields

"""The form of a plan in the admin."""

from __future__ import annotations

from django import forms

from budgets.plans.models import Plan


class PlanForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic when it runs
    """A plan's own rules; its allowances are rows beside it."""

    class Meta:
        model = Plan
        fields = (
            "name",
            "code",
            "description",
            "allowed_models",
            "default_output_tokens",
            "max_output_tokens",
            "fits_output",
            "wait_for_room_ms",
            "cache_ttl_s",
            "features",
        )
        widgets = {
            "description": forms.TextInput(attrs={"size": 70}),
            "allowed_models": forms.TextInput(attrs={"size": 70}),
            "features": forms.TextInput(attrs={"size": 70}),
        }

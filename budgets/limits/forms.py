"""The forms of a budget in the admin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from budgets.core.errors import DomainError
from budgets.limits.models import Budget
from budgets.limits.targets import target_named

# What has been counted under a budget stays counted in its unit, its windows and its balances.
FIXED = ("each", "unit", "window", "rolling_days")


class AmountField(forms.DecimalField):
    """An amount to twelve places, written without the zeros that nobody needs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_digits=24, decimal_places=12, **options)

    def prepare_value(self, value: Any) -> Any:
        """Write 100.000000000000 as 100; leave what somebody typed alone."""
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class BudgetForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic when it runs
    """A budget; once made, only its name, limit, enforcement, thresholds and state change."""

    limit_amount = AmountField(
        label="Limit", widget=forms.TextInput(attrs={"size": 8, "inputmode": "decimal"})
    )

    class Meta:
        model = Budget
        fields = (
            "organization",
            "plan",
            "name",
            "scope",
            "target",
            "each",
            "model_pattern",
            "unit",
            "window",
            "rolling_days",
            "limit_amount",
            "enforcement",
            "thresholds",
            "active",
        )
        widgets = {
            "name": forms.TextInput(attrs={"size": 16}),
            "target": forms.TextInput(attrs={"size": 30}),
            "model_pattern": forms.TextInput(attrs={"size": 12}),
        }
        help_texts = {
            "target": "E-mail address of the member, slug of the project, id in the API key, or "
            "the tag. Empty for the organization.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in self.fields.keys() & set(FIXED):
                self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        """Find the target that was named, in the organization that was chosen."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        organization = cleaned.get("organization")
        if organization is not None and cleaned.get("target"):
            try:
                cleaned["target"] = target_named(
                    organization=organization, scope=cleaned["scope"], name=cleaned["target"]
                )
            except DomainError as error:
                self.add_error("target", error.message)
        return cleaned


class AllowanceForm(BudgetForm):
    """A budget of a plan: for each user unless somebody chooses otherwise."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            self.initial["each"] = Budget.Each.USER

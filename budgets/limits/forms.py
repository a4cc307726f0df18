"""The forms of a budget in the admin."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError

from budgets.core.clock import now
from budgets.core.errors import DomainError
from budgets.limits.models import Budget, LimitRaise
from budgets.limits.targets import target_named
from budgets.tenancy.models import Organization

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


class RaiseForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic when it runs
    """A raise of a budget's limit for a while; it is made, and never changed."""

    amount = AmountField(widget=forms.TextInput(attrs={"size": 8, "inputmode": "decimal"}))
    starts_at = forms.SplitDateTimeField(
        label="From (UTC)", required=False, widget=AdminSplitDateTime, help_text="Empty: now."
    )
    ends_at = forms.SplitDateTimeField(label="Until (UTC)", widget=AdminSplitDateTime)

    class Meta:
        model = LimitRaise
        fields = ("budget", "amount", "starts_at", "ends_at", "reason", "organization", "subject")
        widgets = {
            "reason": forms.TextInput(attrs={"size": 24}),
            "subject": forms.TextInput(attrs={"size": 20}),
        }
        help_texts = {
            "organization": "Only for this one, of those on the plan.",
            "subject": "Only for this one, where each has a balance: e-mail address of the user, "
            "slug of the project, id in the API key, or the name of the model, tag or session.",
        }

    def clean_starts_at(self) -> datetime:
        """Begin now unless told otherwise."""
        starts_at: datetime | None = self.cleaned_data["starts_at"]
        return starts_at or now()

    def clean_ends_at(self) -> datetime:
        """Refuse an end in the past: such a raise would raise nothing."""
        ends_at: datetime = self.cleaned_data["ends_at"]
        if ends_at <= now():
            raise ValidationError("This is in the past.")
        return ends_at

    def clean(self) -> dict[str, Any]:
        """Find the subject that was named, and refuse one that the budget does not have."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        budget, organization = cleaned.get("budget"), cleaned.get("organization")
        if budget is None:
            return cleaned
        if organization and budget.organization_id not in (None, organization.pk):
            self.add_error("organization", f"The budget belongs to {budget.organization}.")
        elif cleaned.get("subject"):
            self._find_subject(cleaned, budget, organization or budget.organization)
        return cleaned

    def _find_subject(
        self, cleaned: dict[str, Any], budget: Budget, organization: Organization | None
    ) -> None:
        if not budget.each or budget.each == Budget.Each.ORGANIZATION:
            self.add_error("subject", "Nobody has a balance of their own in this budget.")
        elif organization is None:
            self.add_error("organization", "Name the organization of the subject.")
        else:
            try:
                cleaned["subject"] = target_named(
                    organization=organization, scope=budget.each, name=cleaned["subject"]
                )
            except DomainError as error:
                self.add_error("subject", error.message)

"""The forms of the page of requests."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from budgets.limits.forms import AmountField
from budgets.limits.queries import Standing


class _UntilField(forms.DateField):
    """A day; the request holds to its end in the organization's time zone."""

    def __init__(self, *, zone: ZoneInfo, **options: Any) -> None:
        super().__init__(widget=forms.DateInput(attrs={"type": "date"}), **options)
        self.zone = zone

    def clean(self, value: Any) -> datetime | None:
        """Give the end of the day."""
        day = super().clean(value)
        if day is None:
            return None
        return datetime.combine(day + timedelta(days=1), time.min, tzinfo=self.zone)


class WishForm(forms.Form):
    """What somebody asks for."""

    budget = forms.TypedChoiceField(coerce=int)
    amount = AmountField(label="Amount in dollars")
    reason = forms.CharField(max_length=240)

    def __init__(
        self, *args: Any, standings: list[Standing], zone: ZoneInfo, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["budget"].choices = [  # type: ignore[attr-defined]
            (one.budget_id, one.name) for one in standings
        ]
        self.fields["until"] = _UntilField(zone=zone, label="Until the end of")
        self.order_fields(["budget", "amount", "until", "reason"])


class DecisionForm(forms.Form):
    """How somebody decides; empty amount and day leave what was asked for."""

    decision = forms.ChoiceField(choices=[(d, d) for d in ("approve", "refuse", "withdraw")])
    amount = AmountField(required=False)
    reason = forms.CharField(max_length=240, required=False)

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"] = _UntilField(zone=zone, required=False)

    @property
    def given(self) -> dict[str, Any]:
        """What was filled in."""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}

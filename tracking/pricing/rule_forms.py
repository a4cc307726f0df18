"""The form of a new price rule in the admin."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError

from budgets.core.clock import now
from budgets.tenancy.callers import matches
from tracking.pricing.forms import rates_stated, unpriced_told
from tracking.pricing.models import CatalogModel, PriceRule
from tracking.pricing.modes import prices_mode
from tracking.pricing.rates import Rates

_HUNDRED = Decimal(100)


class PriceRuleForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic when it runs
    """Whose rule it is, for which models, and either a change in percent or rates of its own."""

    percent = forms.DecimalField(
        label="change in percent",
        required=False,
        max_digits=10,
        decimal_places=4,
        min_value=-_HUNDRED,
        help_text="Of the list price: -20 is a discount of 20 %, 15 a markup of 15 %, -100 is free.",
    )
    own_rates = forms.CharField(
        label="or rates of its own",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "cols": 60, "spellcheck": "false"}),
        help_text="For one model, in place of its whole list price. One kind a line, as on the "
        "model's page: input = 2.50; tokens in USD per million, all else in USD per unit.",
    )
    valid_from = forms.SplitDateTimeField(
        required=False, widget=AdminSplitDateTime, help_text="UTC. Empty: it holds at once."
    )

    class Meta:
        model = PriceRule
        fields = ("organization", "plan", "model_pattern", "note")

    def clean_own_rates(self) -> Rates | None:
        """Read the lines as rates; None when there is none."""
        return rates_stated(self.cleaned_data["own_rates"])

    def clean_valid_from(self) -> datetime | None:
        """Refuse the past: what was charged then stays charged."""
        starts_at: datetime | None = self.cleaned_data["valid_from"]
        if starts_at is not None and starts_at < now():
            raise ValidationError("A price rule starts now or later.")
        return starts_at

    def clean_model_pattern(self) -> str:
        """Refuse a name or a pattern that is none of any model: a slip of the pen charges nobody."""
        pattern: str = self.cleaned_data["model_pattern"].strip()
        names = CatalogModel.objects.values_list("name", flat=True)
        if pattern and not any(matches(pattern=pattern, name=name) for name in names.iterator()):
            raise ValidationError(f"No model is called {pattern}.")
        return pattern

    def clean(self) -> dict[str, Any]:
        """Take either a percentage or rates, and only rates that price the model's calls."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("organization") and cleaned.get("plan"):
            self.add_error(
                "plan", "A price rule is for an organization or for a plan, not for both."
            )
        rates, percent = cleaned.get("own_rates"), cleaned.get("percent")
        if not self.errors and (rates is None) == (percent is None):
            raise ValidationError("Give either a change in percent or rates of its own.")
        if rates is not None and "model_pattern" in cleaned:
            self._check_model(cleaned["model_pattern"], rates)
        self.instance.factor = None if percent is None else 1 + percent / _HUNDRED
        self.instance.rates = None if rates is None else rates.as_json()
        self.instance.valid_from = cleaned.get("valid_from")
        return cleaned

    def _check_model(self, pattern: str, rates: Rates) -> None:
        model = CatalogModel.objects.filter(name=pattern).first()
        if model is None:
            self.add_error("model_pattern", "Rates of its own are for one model: name it.")
        elif not prices_mode(rates, model.mode):
            self.add_error("own_rates", unpriced_told(model.mode))

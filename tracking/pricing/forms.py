"""The form of a model in the admin, with the lines of its price."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError

from budgets.core.clock import now
from tracking.pricing.models import CatalogModel, Price
from tracking.pricing.modes import needed_told, prices_mode
from tracking.pricing.price_lines import PriceLineUnreadable, read_lines, write_lines
from tracking.pricing.rates import Rates, RatesInvalid


class CatalogModelForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic when it runs
    """A model's own fields, and its price: changed lines are published as a new version."""

    price = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "cols": 60, "spellcheck": "false"}),
        help_text="One kind a line; tokens in USD per million, all else in USD per unit. "
        "input>200000 is charged for all input of a call with more than 200,000 input tokens, "
        "output@flex in that service tier, output_per_image:hd/1024x1024 for images of that quality "
        "and size. A kind without a line costs what input or output does. "
        "Changed lines are published as a new version; nothing published is ever edited.",
    )
    valid_from = forms.SplitDateTimeField(
        required=False,
        widget=AdminSplitDateTime,
        help_text="UTC. Empty: the new price holds at once.",
    )
    note = forms.CharField(
        required=False, max_length=240, help_text="Why the price changes; kept with the version."
    )

    class Meta:
        model = CatalogModel
        fields = (
            "name",
            "provider",
            "mode",
            "context_window",
            "max_output_tokens",
            "capabilities",
            "active",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.last = self._last_rates()
        self.fields["price"].initial = write_lines(self.last.per_unit) if self.last else ""

    def clean_price(self) -> Rates | None:
        """Read the lines as rates; None when there is none. Uplifts and off-peak hours carry over."""
        stated = rates_stated(self.cleaned_data["price"])
        if stated is None or self.last is None:
            return stated
        return replace(stated, uplifts=self.last.uplifts, off_peak=self.last.off_peak)

    def clean(self) -> dict[str, Any]:
        """Refuse a price that leaves out what calls of the model's mode are charged by."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        rates, mode = cleaned.get("price"), cleaned.get("mode") or self.instance.mode
        if rates is not None and not prices_mode(rates, mode):
            self.add_error("price", unpriced_told(mode))
        return cleaned

    def clean_valid_from(self) -> datetime | None:
        """Refuse the past: what was charged then stays charged."""
        starts_at: datetime | None = self.cleaned_data["valid_from"]
        if starts_at is not None and starts_at < now():
            raise ValidationError("A price starts now or later.")
        return starts_at

    def _last_rates(self) -> Rates | None:
        last = Price.objects.filter(model_id=self.instance.pk).order_by("-version").first()
        return last.parsed_rates() if last else None


def unpriced_told(mode: str) -> str:
    """Say what a price must name for calls of a mode."""
    return f"Calls for {mode} need rates of {needed_told(mode)}."


def rates_stated(text: str) -> Rates | None:
    """Read the lines of a price that somebody typed; None when there is none.

    :raises ValidationError: naming the line that is no rate
    """
    try:
        stated = read_lines(text)
        return Rates(per_unit=stated) if stated else None
    except (PriceLineUnreadable, RatesInvalid) as error:
        named = error.details.get("line") or error.details.get("key")
        raise ValidationError(
            "%(message)s (%(named)s)", params={"message": error.message, "named": named}
        ) from error

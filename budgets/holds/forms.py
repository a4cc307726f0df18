"""The form of an adjustment in the admin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from budgets.holds.models import JournalEntry

KINDS = (JournalEntry.Kind.REFUND, JournalEntry.Kind.CREDIT, JournalEntry.Kind.CORRECTION)


class AdjustmentForm(forms.Form):
    """What to book under a call that was charged, and why.

    It is sent twice: to be shown what it will do, and, ``confirmed``, to do it. ``seen`` is how many
    entries the call had when the page was made: who sends it once more does not book it once more.
    """

    kind = forms.ChoiceField(choices=[(kind.value, kind.label.capitalize()) for kind in KINDS])
    amount_usd = forms.DecimalField(
        label="Amount in USD",
        max_digits=24,
        decimal_places=12,
        widget=forms.TextInput(attrs={"size": 20, "inputmode": "decimal"}),
        help_text="What is given back is negative, e.g. -1.50.",
    )
    reason = forms.CharField(max_length=240, widget=forms.TextInput(attrs={"size": 70}))
    seen = forms.IntegerField(widget=forms.HiddenInput)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, entries: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries = entries
        self.fields["seen"].initial = entries

    def clean(self) -> dict[str, Any]:
        """Refuse an amount of the wrong sign, and a page that is out of date."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        amount: Decimal | None = cleaned.get("amount_usd")
        if amount == 0:
            self.add_error("amount_usd", "This changes nothing.")
        elif amount is not None and amount > 0 and cleaned.get("kind") != "correction":
            self.add_error("amount_usd", "A refund or credit gives back: its amount is negative.")
        if cleaned.get("seen") != self.entries:
            self.add_error(None, "Something was booked under this call meanwhile. Look at it anew.")
        return cleaned

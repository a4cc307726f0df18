"""The form of a provider in the admin. Its key goes in and never comes out."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms

from budgets.http.outbound import AddressRefused
from tracking.gateway.connections import check_address
from tracking.gateway.models import Provider


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic when it runs
    """Where calls are sent; an empty key leaves the stored one as it is."""

    key = forms.CharField(
        label="New API key",
        required=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "size": 60}),
        help_text="Stored encrypted and never shown again. Empty: the stored key stays.",
    )
    removes_key = forms.BooleanField(
        label="Remove the stored key", required=False, help_text="Calls are sent without one."
    )

    class Meta:
        model = Provider
        fields = (
            "name",
            "label",
            "organization",
            "kind",
            "base_url",
            "door",
            "weight",
            "connect_timeout_s",
            "first_byte_timeout_s",
            "idle_timeout_s",
            "total_timeout_s",
            "active",
        )
        # An address that somebody types without a scheme means https.
        field_classes = {"base_url": partial(forms.URLField, assume_scheme="https")}

    def clean(self) -> dict[str, Any]:
        """Refuse to store and to remove a key at once, and an address that must not be called."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("key") and cleaned.get("removes_key"):
            self.add_error("removes_key", "Either give a new key or remove the stored one.")
        try:
            check_address(cleaned.get("base_url") or "")
        except AddressRefused as refusal:
            self.add_error("base_url", refusal.message)
        return cleaned

"""The forms of tenants, people and keys in the admin."""

from __future__ import annotations

import zoneinfo
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.core.exceptions import ValidationError

from budgets.core.clock import now
from budgets.tenancy.models import ApiKey, Membership, Organization, User
from budgets.tenancy.scopes import Scope

# What a key says about the calls that are made with it, and what else it opens.
CALL_RULES = ("allowed_models", "required_tags", "cache_ttl_s", "scopes")
LISTS = {
    name: forms.TextInput(attrs={"size": 70})
    for name in ("allowed_models", "required_tags", "scopes")
}


def _zones() -> list[tuple[str, str]]:
    return [(name, name) for name in sorted(zoneinfo.available_timezones())]


class OrganizationForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic when it runs
    """An organization; its time zone is chosen from those that exist."""

    time_zone = forms.ChoiceField(
        choices=_zones,
        initial="UTC",
        help_text="Days, weeks and months begin at midnight here. After a change, what was spent "
        "in the new windows counts in them.",
    )

    class Meta:
        model = Organization
        fields = ("name", "slug", "time_zone", "plan", "status", "stores_answers")


class NewOrganizationForm(OrganizationForm):
    """A new organization, and who owns it."""

    owner = forms.ModelChoiceField(
        queryset=User.objects.filter(is_active=True),
        widget=AutocompleteSelect(Membership._meta.get_field("user"), admin.site),  # noqa: SLF001
        help_text="Becomes its first member. Everybody else is added afterwards.",
    )

    class Meta:
        model = Organization
        fields = ("name", "slug", "time_zone", "plan")


class MembershipForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic when it runs
    """A person's place in an organization; who and where stay as they were made."""

    class Meta:
        model = Membership
        fields = ("organization", "user", "role", "plan")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in self.fields.keys() & {"organization", "user"}:
                self.fields[name].disabled = True


class UserForm(UserChangeForm):  # type: ignore[type-arg]  # no generic when it runs
    """A person who signs in with an e-mail address."""

    class Meta:
        model = User
        fields = "__all__"


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]  # no generic when it runs
    """A new person, with a password or with none."""

    class Meta:
        model = User
        fields = ("email", "name")


class KeyForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic when it runs
    """What may be changed of an API key: everything but whose it is and its secret."""

    class Meta:
        model = ApiKey
        fields = ("name", "status", "expires_at", *CALL_RULES)
        widgets = LISTS
        help_texts = {
            "expires_at": "UTC. Empty: it does not expire.",
            "scopes": f"What the key opens beside calls: {', '.join(Scope)}. It sees what its user sees.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "status" in self.fields:
            self.fields["status"].help_text = "A revoked key stays revoked."
            self.fields["status"].disabled = self.instance.status == ApiKey.Status.REVOKED

    def clean_scopes(self) -> list[str]:
        """Refuse what no key can open."""
        scopes: list[str] = self.cleaned_data["scopes"]
        if unknown := set(scopes) - set(Scope):
            raise ValidationError(f"No such scope: {', '.join(sorted(unknown))}.")
        return scopes

    def clean_expires_at(self) -> datetime | None:
        """Refuse a new expiry in the past: to end a key, revoke it."""
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        if "expires_at" in self.changed_data and expires_at is not None and expires_at <= now():
            raise ValidationError("This is in the past. To end a key at once, revoke it.")
        return expires_at


class RotationForm(forms.Form):
    """For how long the secret before goes on working."""

    overlap_hours = forms.IntegerField(
        label="Overlap in hours",
        min_value=0,
        max_value=720,
        initial=24,
        help_text="So long the secret before works too. 0 stops it at once.",
    )


class NewKeyForm(KeyForm):
    """A new API key: for whom, in which project."""

    class Meta:
        model = ApiKey
        fields = ("project", "user", "name", "expires_at", *CALL_RULES)
        widgets = LISTS
        help_texts = {"expires_at": "UTC. Empty: it does not expire."}

    def clean(self) -> dict[str, Any]:
        """Refuse a user who is not a member of the project's organization."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        project, user = cleaned.get("project"), cleaned.get("user")
        if project is None or user is None:
            return cleaned
        members = Membership.objects.for_organization(project.organization)
        if not members.filter(user=user).exists():
            self.add_error("user", f"{user} is not a member of {project.organization}.")
        if project.archived_at is not None:
            self.add_error("project", "The project is archived: a key in it opens nothing.")
        return cleaned

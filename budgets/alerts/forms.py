"""The forms of rules and channels in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from budgets.alerts.channels.kinds import TRANSPORTS
from budgets.alerts.dispatch import config_of
from budgets.alerts.models import AlertRule, Channel
from budgets.alerts.operations import check_rule
from budgets.core.errors import DomainError
from budgets.limits.targets import names_of, target_named


class FiguresField(forms.CharField):
    """Figures separated by commas, without the zeros that nobody needs."""

    def prepare_value(self, value: Any) -> Any:
        """Write them short."""
        if isinstance(value, list):
            return ", ".join(f"{one.normalize():f}" for one in value)
        return value


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic when it runs
    """A rule; its target is named as people know it."""

    class Meta:
        model = AlertRule
        fields = (
            "organization",
            "name",
            "kind",
            "scope",
            "target",
            "each",
            "budget",
            "window",
            "info_at",
            "warning_at",
            "critical_at",
            "cooldown_minutes",
            "renotify_minutes",
            "quiet_from",
            "quiet_until",
            "muted_until",
            "tells_recovery",
            "tells_subject",
            "channels",
            "check_every_s",
            "active",
        )
        help_texts = {
            "target": "E-mail address of the member, slug of the project, id in the API key, the "
            "model (openai/*), or the tag. Empty for the organization.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["organization"].disabled = True
            channels = Channel.objects.for_organization(self.instance.organization)
            self.fields["channels"].queryset = channels  # type: ignore[attr-defined]
            subject = (self.instance.scope, self.instance.target)
            self.initial["target"] = names_of(subjects=[subject])[subject]
        for name in ("info_at", "warning_at", "critical_at"):
            figures = self.instance and getattr(self.instance, name)
            self.initial[name] = ", ".join(f"{figure.normalize():f}" for figure in figures)

    def clean(self) -> dict[str, Any]:
        """Find the target that was named."""
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

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django's own hook, which the stubs leave out
        if not self.errors:
            try:
                check_rule(rule=self.instance, channels=list(self.cleaned_data["channels"]))
            except ValidationError as error:
                self.add_error(None, error)


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic when it runs
    """A channel with the settings of its kind; a secret address is entered, and never shown."""

    to = forms.CharField(
        required=False, help_text="E-mail: addresses, separated by commas.", max_length=4000
    )
    roles = forms.CharField(
        required=False,
        max_length=80,
        help_text="E-mail: whoever has one of these roles when it is sent, e.g. owner, admin.",
    )
    url = forms.CharField(
        required=False,
        max_length=2000,
        help_text="Slack, Teams, webhook: the address. Empty leaves it as it is.",
        widget=forms.TextInput(attrs={"size": 80, "autocomplete": "off"}),
    )

    class Meta:
        model = Channel
        fields = ("organization", "name", "kind", "takes_alerts", "takes_requests", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["organization"].disabled = self.fields["kind"].disabled = True
            for name in ("to", "roles"):
                self.initial[name] = ", ".join(self.instance.settings.get(name, ()))

    @property
    def given(self) -> dict[str, str]:
        """The settings of its kind, as they were entered."""
        names = ("to", "roles") if self.cleaned_data["kind"] == Channel.Kind.EMAIL else ("url",)
        return {name: self.cleaned_data.get(name, "") for name in names}

    def clean(self) -> dict[str, Any]:
        """Have the kind judge its settings."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "kind" not in cleaned or self.errors:
            return cleaned
        before = config_of(self.instance) if self.instance.pk else None
        try:
            TRANSPORTS[cleaned["kind"]].read(self.given, before=before)
        except DomainError as error:
            field = error.details.get("param")
            self.add_error(field if field in self.fields else "url", error.message)
        return cleaned

"""What the page of reports asks."""

from __future__ import annotations

from typing import Any

from django import forms

from budgets.alerts.models import Channel
from budgets.tenancy.access import Viewer
from budgets.tenancy.models import Project
from tracking.reports.operations import Wish
from tracking.reports.rhythm import Rhythm


class ReportForm(forms.Form):
    """How often, of what, and where to; only what the viewer may choose is there to choose."""

    rhythm = forms.ChoiceField(
        label="How often", choices=[(rhythm.value, rhythm.value) for rhythm in Rhythm]
    )
    project = forms.ModelChoiceField(
        Project.objects.none(), required=False, label="Of", empty_label="the organization"
    )
    channel = forms.ModelChoiceField(
        Channel.objects.none(), required=False, label="To", empty_label="me, by mail"
    )

    def __init__(self, *args: Any, viewer: Viewer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        projects = Project.objects.for_organization(viewer.organization).order_by("name", "pk")
        channels = Channel.objects.for_organization(viewer.organization).filter(active=True)
        self._choices("project", projects, "name")
        self._choices(
            "channel",
            channels.order_by("name", "pk") if viewer.manages else channels.none(),
            "name",
        )

    def _choices(self, name: str, rows: Any, label: str) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows
        field.label_from_instance = lambda obj: str(getattr(obj, label))  # type: ignore[method-assign]

    @property
    def wish(self) -> Wish:
        """What was asked for, once it is valid."""
        given = self.cleaned_data
        return Wish(Rhythm(given["rhythm"]), given["project"], given["channel"])

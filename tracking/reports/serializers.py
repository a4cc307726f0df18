"""How scheduled reports are written for programs."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from budgets.alerts.models import Channel
from budgets.tenancy.access import Viewer
from budgets.tenancy.models import Project
from tracking.reports.rhythm import Rhythm


@extend_schema_serializer(component_name="ScheduledReport")
class ReportSerializer(serializers.Serializer[Any]):
    """A scheduled report. Without a project it is of the organization, without a channel to oneself."""

    id = serializers.IntegerField(read_only=True)
    rhythm = serializers.ChoiceField(choices=[rhythm.value for rhythm in Rhythm])
    project = serializers.PrimaryKeyRelatedField(
        queryset=Project.objects.none(), allow_null=True, default=None
    )
    channel = serializers.PrimaryKeyRelatedField(
        queryset=Channel.objects.none(), allow_null=True, default=None
    )
    user = serializers.IntegerField(source="user_id", read_only=True)
    next_due_at = serializers.DateTimeField(read_only=True)

    def __init__(self, *args: Any, viewer: Viewer | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if viewer is None:
            return
        organization = viewer.organization
        # Those of others are told like what does not exist.
        self.fields["project"].queryset = Project.objects.for_organization(organization)  # type: ignore[attr-defined]
        self.fields["channel"].queryset = Channel.objects.for_organization(organization)  # type: ignore[attr-defined]

"""How ordered files are written for programs."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from tracking.exports.models import Export
from tracking.exports.terms import WHATS, Form
from tracking.usage.serializers import UsdField


class OrderSerializer(serializers.Serializer[Any]):
    """What a file is ordered with: what holds rows, as which form, and the parameters of usage."""

    what = serializers.ChoiceField(choices=list(WHATS), default="calls")
    locals()["as"] = serializers.ChoiceField(choices=[form.value for form in Form], default="csv")
    organization = serializers.CharField(required=False)
    days = serializers.IntegerField(required=False)
    locals()["from"] = serializers.DateField(required=False)
    to = serializers.DateField(required=False)
    user = serializers.IntegerField(required=False)
    project = serializers.IntegerField(required=False)
    key = serializers.IntegerField(required=False)
    model = serializers.CharField(required=False)
    provider = serializers.CharField(required=False)
    endpoint = serializers.CharField(required=False)
    tag = serializers.CharField(required=False)
    session = serializers.CharField(required=False)
    end_user = serializers.CharField(required=False)
    compare = serializers.ChoiceField(choices=["previous"], required=False)


class ExportSerializer(serializers.ModelSerializer[Export]):
    """A file that was ordered; ``file`` is where it is, from when it is ready until it expires."""

    total_usd = UsdField(allow_null=True)
    percent = serializers.IntegerField()
    file = serializers.SerializerMethodField()

    class Meta:
        model = Export
        fields = (
            "id",
            "what",
            "form",
            "file_name",
            "state",
            "percent",
            "rows",
            "done_rows",
            "total_usd",
            "size_bytes",
            "attempts",
            "last_error",
            "created_at",
            "ready_at",
            "expires_at",
            "file",
        )
        read_only_fields = fields

    def get_file(self, export: Export) -> str | None:
        """Write where the file is, once it is ready."""
        if export.state != Export.State.READY:
            return None
        return reverse("export-file", args=(export.pk,))

"""``/api/v1/alerts`` and what belongs to them, for programs."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.alerts.models import Alert, AlertRule, Channel, Delivery
from budgets.alerts.operations import (
    acknowledge,
    put_channel,
    put_rule,
    resend,
    rotate_secret,
    try_channel,
)
from budgets.alerts.queries import alerts_of, deliveries_of
from budgets.alerts.serializers import (
    AlertSerializer,
    ChannelSerializer,
    DeliverySerializer,
    RuleSerializer,
)
from budgets.core import clock
from budgets.core.errors import DomainError
from budgets.http.pages import PAGING, NewestFirst, paged
from budgets.http.params import Params
from budgets.tenancy.access import Viewer
from budgets.tenancy.authentication import ManagementView
from budgets.tenancy.scopes import Scope

_MOST_ID = 2**63


class OnlyManagers(DomainError):
    """Only an owner or an admin of the organization may do this."""

    code = "permission_denied"


class AlertsView(ManagementView):
    """A resource of alerts: who reads needs one scope, who changes another."""

    filters: ClassVar[tuple[str, ...]] = ()

    @property
    def scope(self) -> str:  # type: ignore[override]  # what it needs depends on the method
        """The scope that a key needs for this request."""
        return Scope.ALERTS_READ if self.request.method == "GET" else Scope.ALERTS_WRITE

    def asked(self, request: Request) -> tuple[Viewer, Params]:
        """Read the parameters, and who looks."""
        known = ("organization", *self.filters)
        params = Params.read(dict(request.query_params.lists()), known=known)
        return self.viewer(slug=params.text("organization")), params

    def manager(self, request: Request) -> Viewer:
        """Give who looks, if they manage the organization.

        :raises OnlyManagers: if they do not
        """
        viewer, _ = self.asked(request)
        if not viewer.manages:
            raise OnlyManagers
        return viewer

    def page(self, request: Request, rows: QuerySet[Any], serializer: Any) -> Response:
        """Answer with a page of rows."""
        paginator = NewestFirst()
        found = paginator.paginate_queryset(rows, request, view=self)
        return paginator.get_paginated_response(serializer(found, many=True).data)


class AlertListView(AlertsView):
    """What was told."""

    filters = ("state", "level", "rule", *PAGING)

    @paged(AlertSerializer, "state", "level", "rule")
    def get(self, request: Request) -> Response:
        """List alerts, the newest first; members see those about themselves."""
        viewer, params = self.asked(request)
        rows = alerts_of(organization=viewer.organization, user_id=viewer.only_user_id)
        state = params.choice("state", among=Alert.State.values, default="")
        level = params.choice("level", among=("info", "warning", "critical"), default="")
        rule = params.id("rule")
        rows = rows.filter(state=state) if state else rows
        rows = rows.filter(level=level) if level else rows
        rows = rows.filter(rule=rule) if rule is not None else rows
        return self.page(request, rows, AlertSerializer)


class AcknowledgeView(AlertsView):
    """Taking an alert on."""

    @extend_schema(request=None, responses=AlertSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Acknowledge: nobody is reminded of it any more."""
        viewer, _ = self.asked(request)
        rows = alerts_of(organization=viewer.organization, user_id=viewer.only_user_id)
        alert = _one(rows, pk)
        acknowledge(alert=alert, by=viewer.user, now=clock.now())
        return Response(AlertSerializer(alert).data)


class RuleListView(AlertsView):
    """Rules."""

    filters = PAGING

    @paged(RuleSerializer)
    def get(self, request: Request) -> Response:
        """List the rules; for who sees the whole organization."""
        viewer, _ = self.asked(request)
        if not viewer.sees_everyone:
            raise OnlyManagers
        rows = AlertRule.objects.for_organization(viewer.organization)
        rows = rows.prefetch_related("channels")

        def write(found: Any, *, many: bool) -> RuleSerializer:
            return RuleSerializer(found, many=many, organization=viewer.organization)

        return self.page(request, rows, write)

    @extend_schema(request=RuleSerializer, responses=RuleSerializer)
    def post(self, request: Request) -> Response:
        """Make a rule; it is looked at within a minute."""
        viewer = self.manager(request)
        rule = AlertRule(organization=viewer.organization)
        return Response(_save_rule(request, viewer, rule, is_new=True), status=201)


class RuleView(AlertsView):
    """One rule."""

    @extend_schema(responses=RuleSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Give a rule."""
        viewer, _ = self.asked(request)
        if not viewer.sees_everyone:
            raise OnlyManagers
        rule = _one(AlertRule.objects.for_organization(viewer.organization), pk)
        return Response(RuleSerializer(rule, organization=viewer.organization).data)

    @extend_schema(request=RuleSerializer, responses=RuleSerializer)
    def patch(self, request: Request, pk: int) -> Response:
        """Change a rule, mute it (``muted_until``), or switch it off (``active``)."""
        viewer = self.manager(request)
        rule = _one(AlertRule.objects.for_organization(viewer.organization), pk)
        return Response(_save_rule(request, viewer, rule, is_new=False))


class ChannelListView(AlertsView):
    """Channels."""

    filters = PAGING

    @paged(ChannelSerializer)
    def get(self, request: Request) -> Response:
        """List the channels."""
        viewer = self.manager(request)
        rows = Channel.objects.for_organization(viewer.organization)
        return self.page(request, rows, ChannelSerializer)

    @extend_schema(request=ChannelSerializer, responses=ChannelSerializer)
    def post(self, request: Request) -> Response:
        """Make a channel; a webhook's ``secret`` is told here and never again."""
        viewer = self.manager(request)
        channel = Channel(organization=viewer.organization)
        return Response(_save_channel(request, channel), status=201)


class ChannelView(AlertsView):
    """One channel."""

    @extend_schema(responses=ChannelSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Give a channel."""
        return Response(ChannelSerializer(self._channel(request, pk)).data)

    @extend_schema(request=ChannelSerializer, responses=ChannelSerializer)
    def patch(self, request: Request, pk: int) -> Response:
        """Change a channel, or switch it off (``active``)."""
        return Response(_save_channel(request, self._channel(request, pk)))

    def _channel(self, request: Request, pk: int) -> Channel:
        viewer = self.manager(request)
        channel: Channel = _one(Channel.objects.for_organization(viewer.organization), pk)
        return channel


class ChannelTestView(ChannelView):
    """The test button."""

    http_method_names = ["post"]

    @extend_schema(request=None, responses=DeliverySerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Send a test message at once, and say whether it arrived."""
        channel = self._channel(request, pk)
        return Response(DeliverySerializer(try_channel(channel=channel, now=clock.now())).data)


class ChannelSecretView(ChannelView):
    """The secret of a webhook."""

    http_method_names = ["post"]

    @extend_schema(request=None, responses=ChannelSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Make a new secret; for a day messages carry the signature of the one before, too."""
        channel = self._channel(request, pk)
        secret = rotate_secret(channel=channel, now=clock.now())
        return Response(ChannelSerializer(channel).data | {"secret": secret})


class DeliveryListView(AlertsView):
    """The delivery log."""

    filters = ("state", "channel", *PAGING)

    @paged(DeliverySerializer, "state", "channel")
    def get(self, request: Request) -> Response:
        """List messages, the newest first; ``state=dead`` are those that were given up."""
        viewer = self.manager(request)
        _, params = self.asked(request)
        rows = deliveries_of(organization=viewer.organization)
        state = params.choice("state", among=Delivery.State.values, default="")
        channel = params.id("channel")
        rows = rows.filter(state=state) if state else rows
        rows = rows.filter(channel=channel) if channel is not None else rows
        return self.page(request, rows, DeliverySerializer)


class ResendView(AlertsView):
    """Trying again."""

    @extend_schema(request=None, responses=DeliverySerializer)
    def post(self, request: Request, pk: UUID) -> Response:
        """Send a dead message again, under the same id."""
        viewer = self.manager(request)
        delivery = _one(deliveries_of(organization=viewer.organization), pk)
        resend(deliveries=[delivery], now=clock.now())
        delivery.refresh_from_db()
        return Response(DeliverySerializer(delivery).data)


def _one(rows: QuerySet[Any], pk: int | UUID) -> Any:
    found = rows.filter(pk=pk).first() if isinstance(pk, UUID) or pk < _MOST_ID else None
    if found is None:
        raise Http404
    return found


def _save_rule(
    request: Request, viewer: Viewer, rule: AlertRule, *, is_new: bool
) -> dict[str, Any]:
    asked = RuleSerializer(
        None if is_new else rule,
        data=request.data,
        partial=not is_new,
        organization=viewer.organization,
    )
    asked.is_valid(raise_exception=True)
    fields = dict(asked.validated_data)
    channels = fields.pop("channels", None)
    for name, value in fields.items():
        setattr(rule, name, value)
    put_rule(rule=rule, now=clock.now(), channels=channels)
    return dict(RuleSerializer(rule, organization=viewer.organization).data)


def _save_channel(request: Request, channel: Channel) -> dict[str, Any]:
    is_new = channel.pk is None
    asked = ChannelSerializer(None if is_new else channel, data=request.data, partial=not is_new)
    asked.is_valid(raise_exception=True)
    fields = dict(asked.validated_data)
    given = fields.pop("settings", {})
    for name, value in fields.items():
        setattr(channel, name, value)
    secret = put_channel(channel=channel, given=given)
    return dict(ChannelSerializer(channel).data) | ({"secret": secret} if secret else {})

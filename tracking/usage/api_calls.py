"""``/api/v1/usage``: where spend is heading, what was wasted, and the calls behind figures."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.core import clock
from budgets.http.params import ParamInvalid, Params
from budgets.limits.queries import standings
from tracking.usage.api import UsageView, parameters
from tracking.usage.outlook import budget_outlooks, month_outlook
from tracking.usage.queries import calls_of
from tracking.usage.question import FILTERS, PERIOD, place_text, read_place
from tracking.usage.serializers import CallsSerializer, ForecastsSerializer, WasteSerializer
from tracking.usage.terms import CallsWanted
from tracking.usage.waste import MEANINGS, waste_of

_CALLS_ON_A_PAGE = 50


class ForecastView(UsageView):
    """Where spend is heading."""

    known = ("organization", "format", "user", "project", "key")

    @extend_schema(parameters=parameters(*known), responses=ForecastsSerializer)
    def get(self, request: Request) -> Response:
        """Give this month's of the calls asked for, then each dollar budget's that applies."""
        asked, now = self.question(request), clock.now()
        organization = asked.viewer.organization
        applying = standings(
            organization=organization,
            now=now,
            user_id=asked.part.user_id or asked.viewer.user.pk,
            project_id=asked.part.project_id,
            api_key_id=asked.part.api_key_id,
        )
        outlooks = [
            month_outlook(part=asked.part, zone=organization.zone, now=now),
            *budget_outlooks(
                organization=organization, standings=applying, asked=asked.part, now=now
            ),
        ]
        answer = {"organization": organization.slug, "results": outlooks}
        return Response(ForecastsSerializer(answer).data)


class WasteView(UsageView):
    """Money that bought nothing, or less than it paid for."""

    @extend_schema(parameters=parameters(*PERIOD, *FILTERS), responses=WasteSerializer)
    def get(self, request: Request) -> Response:
        """Give each kind of waste, and the prompts whose repetition cost most."""
        asked = self.question(request)
        waste = waste_of(part=asked.part, days=asked.days)
        answer = {
            "organization": asked.viewer.organization.slug,
            "period": asked.days,
            "results": waste.kinds,
            "duplicates": waste.duplicates,
            "total": waste.total,
        }
        return Response(WasteSerializer(answer).data)


class CallsView(UsageView):
    """The calls behind figures."""

    more = ("waste", "prompt_hash", "before", "limit")

    @extend_schema(
        parameters=parameters(*PERIOD, *FILTERS, "waste", "prompt_hash", "before", "limit"),
        responses=CallsSerializer,
    )
    def get(self, request: Request) -> Response:
        """Give the calls, newest first, a page at a time."""
        asked = self.question(request)
        page = calls_of(
            part=asked.part,
            period=asked.days.period,
            most=asked.params.whole("limit", least=1, most=200) or _CALLS_ON_A_PAGE,
            before=read_place(asked.params),
            only=_wanted(asked.params),
        )
        answer = {
            "organization": asked.viewer.organization.slug,
            "period": asked.days,
            "next": _next(request, place_text(page.older)) if page.older else None,
            "results": page.calls,
        }
        return Response(CallsSerializer(answer).data)


def _wanted(params: Params) -> CallsWanted:
    kinds = [kind for kind in MEANINGS if kind != "duplicate"]
    text = params.text("prompt_hash", most=36)
    try:
        prompt_hash = UUID(text) if text else None
    except ValueError:
        raise ParamInvalid("prompt_hash is one of /usage/waste.", param="prompt_hash") from None
    return CallsWanted(params.choice("waste", among=kinds, default="") or None, prompt_hash)


def _next(request: Request, before: str) -> str:
    query = request.query_params.copy()
    query["before"] = before
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")

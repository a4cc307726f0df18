"""``/api/v1/usage``: past use for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
    inline_serializer,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, Serializer

from budgets.core import clock
from budgets.core.snapshot import one_snapshot
from budgets.http.params import Params
from budgets.tenancy.access import Viewer
from budgets.tenancy.authentication import ManagementView
from budgets.tenancy.scopes import Scope
from tracking.usage.comparison import Compared, compared, efficiency, movers
from tracking.usage.names import names_of
from tracking.usage.queries import figures_of, in_flight_of
from tracking.usage.question import (
    FILTERS,
    MOST_DAYS,
    MOST_ROWS,
    PERIOD,
    days_before,
    read_days,
    read_filters,
)
from tracking.usage.report import cost_report
from tracking.usage.serializers import (
    ROWS,
    DaySerializer,
    EfficiencySerializer,
    FiguresSerializer,
    HourSerializer,
    PeriodSerializer,
    ReportSerializer,
    TotalSerializer,
    comparison_of,
    figures_row,
    row_of,
)
from tracking.usage.sight import slice_of
from tracking.usage.terms import By, Days, Each, Figures, Row, Slice

MOST_DAYS_BY_HOUR = 31

_ABOUT = {
    "organization": "Slug. Without it the first of yours by name; a key has only its own.",
    "days": "So many days up to today. Without it and from: 30.",
    "from": "First day, e.g. 2026-03-01, in the organization's time zone.",
    "to": "Last day, included; without it today.",
    "user": "Id of a person.",
    "project": "Id of a project.",
    "key": "Id of an API key.",
    "format": "csv for a table of text. Or ask by the header Accept: text/csv.",
    "compare": "previous: beside as many days before.",
    "limit": "At most so many rows, the dearest first.",
    "waste": "Only calls wasted so: aborted, failed, truncated or retried.",
    "prompt_hash": "Only calls of this prompt.",
    "before": "Where the list goes on: follow next.",
    "what": "Rows: calls, day, model, user, project, key, provider, endpoint, tag, session, end_user.",
    "as": "Form of the file: csv, xlsx, jsonl, or focus for CSV with the columns of FOCUS 1.2.",
    "by": "What moves: model, user, project, key, provider, endpoint, tag, session or end_user.",
}
_IDS = {"days", "user", "project", "key", "limit"}


def parameters(*names: str) -> list[OpenApiParameter]:
    """Describe some parameters."""
    return [
        OpenApiParameter(
            name,
            OpenApiTypes.INT if name in _IDS else OpenApiTypes.STR,
            description=_ABOUT.get(name, "Only calls of this one."),
        )
        for name in names
    ]


def listed(name: str, row: type[Serializer[Any]], *, total: bool = True) -> Serializer[Any]:
    """Describe an answer that is a list of rows under its heading."""
    parts: dict[str, Any] = {
        "organization": CharField(),
        "period": PeriodSerializer(),
        "results": row(many=True),
    }
    if total:
        parts["total"] = FiguresSerializer()
    return inline_serializer(name, parts)


@dataclass(frozen=True, slots=True)
class Question:
    """What one request asks: who looks, at which calls of which days."""

    viewer: Viewer
    part: Slice
    days: Days
    params: Params

    @property
    def heading(self) -> dict[str, Any]:
        """What every answer begins with."""
        return {
            "organization": self.viewer.organization.slug,
            "period": PeriodSerializer(self.days).data,
        }

    @property
    def compares(self) -> bool:
        """Whether the days before are asked for too."""
        return self.params.choice("compare", among=("previous",), default="") == "previous"


class UsageView(ManagementView):
    """One question about past use."""

    scope = Scope.USAGE_READ
    known: ClassVar[tuple[str, ...]] = (*PERIOD, *FILTERS)
    more: ClassVar[tuple[str, ...]] = ()
    most_days: ClassVar[int] = MOST_DAYS

    def question(self, request: Request) -> Question:
        """Read and judge what is asked.

        :raises DomainError: with the parameter that makes no sense, or is not theirs to see
        """
        return self.question_of(dict(request.query_params.lists()))

    def question_of(self, query: Mapping[str, list[str]]) -> Question:
        """Read and judge what is asked, wherever it stands.

        :raises DomainError: with the parameter that makes no sense, or is not theirs to see
        """
        params = Params.read(query, known=(*self.known, *self.more))
        viewer = self.viewer(slug=params.text("organization"))
        zone = viewer.organization.zone
        today = clock.now().astimezone(zone).date()
        return Question(
            viewer=viewer,
            part=slice_of(viewer=viewer, filters=read_filters(params)),
            days=read_days(params, today=today, zone=zone, most=self.most_days),
            params=params,
        )


def _total(part: Slice, days: Days) -> Figures:
    rows = figures_of(part=part, days=days)
    return rows[0].figures if rows else Figures()


class TotalView(UsageView):
    """What was spent in all."""

    more = ("compare",)

    @extend_schema(parameters=parameters(*PERIOD, *FILTERS, "compare"), responses=TotalSerializer)
    def get(self, request: Request) -> Response:
        """Give the figures of a period, and what is under way now."""
        asked = self.question(request)
        with one_snapshot():
            total = _total(asked.part, asked.days)
            before = _total(asked.part, days_before(asked.days)) if asked.compares else None
            in_flight = in_flight_of(part=asked.part)
        answer = {
            "organization": asked.viewer.organization.slug,
            "period": asked.days,
            "total": total,
            "in_flight_calls": in_flight.calls,
            "in_flight_usd": in_flight.held_usd,
        }
        comparison = comparison_of(Compared("", total, None, before))
        return Response(TotalSerializer(answer | comparison).data)


class _ByView(UsageView):
    """Figures told apart by one property of calls."""

    by: ClassVar[By]
    more = ("compare", "limit")

    def get(self, request: Request) -> Response:
        """Give a row for each, the dearest first."""
        asked = self.question(request)
        rows, total = _compared_by(asked, self.by, compares=asked.compares)
        most = asked.params.whole("limit", least=1, most=MOST_ROWS) or MOST_ROWS
        # What was called only in the days before stands behind everything of now.
        return _answer(asked, rows[:most], self.by, total)


def _compared_by(asked: Question, by: By, *, compares: bool) -> tuple[list[Compared], Figures]:
    with one_snapshot():
        rows = figures_of(part=asked.part, days=asked.days, by=by)
        total = _total(asked.part, asked.days) if by.is_label else _sum(rows)
        before = days_before(asked.days)
        previous = figures_of(part=asked.part, days=before, by=by) if compares else None
    return compared(rows=rows, total_usd=total.cost_usd, previous=previous), total


def _answer(asked: Question, rows: list[Compared], by: By, total: Figures) -> Response:
    names = names_of(by=by, keys=[row.key for row in rows])
    written = [row_of(row, by=by, name=names[row.key]) for row in rows]
    return Response(
        asked.heading
        | {
            "results": ROWS[by](written, many=True).data,
            "total": FiguresSerializer(total).data,
        }
    )


def _sum(rows: tuple[Row, ...]) -> Figures:
    return sum((row.figures for row in rows), Figures())


def by_view(by: By) -> type[UsageView]:
    """Make the view of figures by one property of calls."""
    name = by.replace("_", " ").title().replace(" ", "")
    described = extend_schema(
        operation_id=f"usage_by_{by}",
        parameters=parameters(*PERIOD, *FILTERS, "compare", "limit"),
        responses=listed(f"UsageBy{name}", ROWS[by]),
        description=f"What was spent by {by.replace('_', ' ')}, the dearest first.",
    )
    view = type(f"By{name}View", (_ByView,), {"by": by, "__doc__": _ByView.__doc__})
    return extend_schema_view(get=described)(view)


class MoversView(UsageView):
    """What changed most against the days before."""

    more = ("by", "limit")

    @extend_schema(
        parameters=parameters(*PERIOD, *FILTERS, "by", "limit"),
        responses=listed("UsageMovers", ROWS[By.MODEL]),
    )
    def get(self, request: Request) -> Response:
        """Give the rows whose cost rose or fell most; each is named as under by-..."""
        asked = self.question(request)
        by = By(asked.params.choice("by", among=list(ROWS), default=By.MODEL))
        rows, total = _compared_by(asked, by, compares=True)
        most = asked.params.whole("limit", least=1, most=MOST_ROWS) or 10
        return _answer(asked, movers(rows)[:most], by, total)


class DailyView(UsageView):
    """What was spent day by day."""

    @extend_schema(
        parameters=parameters(*PERIOD, *FILTERS), responses=listed("UsageDaily", DaySerializer)
    )
    def get(self, request: Request) -> Response:
        """Give every day, also those without a call, oldest first."""
        asked = self.question(request)
        rows = figures_of(part=asked.part, days=asked.days, each=Each.DAY)
        by_day = {row.span: row.figures for row in rows}
        written = [figures_row(by_day.get(day, Figures())) | {"date": day} for day in asked.days]
        return _spans(asked, DaySerializer(written, many=True), rows)


class HourlyView(UsageView):
    """What was spent hour by hour."""

    most_days = MOST_DAYS_BY_HOUR

    @extend_schema(
        parameters=parameters(*PERIOD, *FILTERS), responses=listed("UsageHourly", HourSerializer)
    )
    def get(self, request: Request) -> Response:
        """Give every hour of at most 31 days, oldest first; a day may have 23 or 25."""
        asked = self.question(request)
        rows = figures_of(part=asked.part, days=asked.days, each=Each.HOUR)
        by_hour: dict[Any, Figures] = {row.span: row.figures for row in rows}
        hours: list[datetime] = asked.days.hours
        written = [
            figures_row(by_hour.get(hour, Figures())) | {"starts_at": hour} for hour in hours
        ]
        return _spans(asked, HourSerializer(written, many=True), rows)


def _spans(asked: Question, written: Any, rows: tuple[Row, ...]) -> Response:
    total = FiguresSerializer(_sum(rows)).data
    return Response(asked.heading | {"results": written.data, "total": total})


class EfficiencyView(UsageView):
    """What each model gives for its money."""

    @extend_schema(
        parameters=parameters(*PERIOD, *FILTERS),
        responses=listed("UsageEfficiency", EfficiencySerializer, total=False),
    )
    def get(self, request: Request) -> Response:
        """Give cost by token, by call and by output of each model, the cheapest first."""
        asked = self.question(request)
        rows = efficiency(figures_of(part=asked.part, days=asked.days, by=By.MODEL))
        return Response(asked.heading | {"results": EfficiencySerializer(rows, many=True).data})


class ReportView(UsageView):
    """Everything about a period in one answer."""

    @extend_schema(parameters=parameters(*PERIOD, *FILTERS), responses=ReportSerializer)
    def get(self, request: Request) -> Response:
        """Give total, days, models, the twenty dearest people, efficiency and alerts."""
        asked = self.question(request)
        report = cost_report(part=asked.part, days=asked.days)
        answer = {"organization": asked.viewer.organization.slug, "report": report}
        return Response(ReportSerializer(answer).data)

"""What a report says, as a message and as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from budgets.alerts.message import Message, Table
from budgets.alerts.models import Delivery
from budgets.alerts.outbox import page_url
from budgets.core.money import ZERO_USD, format_usd, usd_text
from budgets.core.snapshot import one_snapshot
from budgets.tenancy.models import Organization, Project
from tracking.reports.rhythm import Rhythm, days_before, name_of
from tracking.usage.outlook import month_outlook
from tracking.usage.picture import png_of
from tracking.usage.queries import figures_of
from tracking.usage.report import CostReport, cost_report
from tracking.usage.saved import saved_of
from tracking.usage.terms import Days, Slice
from tracking.usage.waste import waste_of

_MOST_ROWS = 5


@dataclass(frozen=True, slots=True)
class Subject:
    """Of whom a report is: the calls that count, and whose they are for people."""

    organization: Organization
    project: Project | None
    part: Slice
    rhythm: Rhythm

    @property
    def name(self) -> str:
        """Who spent it."""
        where = (
            f"{self.organization.name}, project {self.project.name}"
            if self.project
            else (self.organization.name)
        )
        return where if self.part.viewer_id is None else f"{where}: what you may see"


def message_of(
    *, subject: Subject, days: Days, now: datetime, unsubscribe_url: str = ""
) -> Message:
    """Write the report of some days, in one snapshot."""
    part, organization = subject.part, subject.organization
    with one_snapshot():
        report = cost_report(part=part, days=days)
        before = figures_of(part=part, days=days_before(days, rhythm=subject.rhythm))
        facts = (
            *_facts(subject, report, before[0].figures.cost_usd if before else ZERO_USD),
            *_more(subject, days, now),
        )
    period = {"from": days.first_on.isoformat(), "to": days.last_on.isoformat()}
    project = {"project": str(subject.project.pk)} if subject.project else {}
    return Message(
        event=Delivery.Event.REPORT,
        level="info",
        title=f"{format_usd(report.total.cost_usd)} spent {name_of(days, rhythm=subject.rhythm)}",
        advice="",
        facts=facts,
        organization=organization.slug,
        url=page_url(path="/spending/", organization=organization, **period, **project),
        at=now.isoformat(timespec="seconds"),
        data=_data(subject, report, period),
        tables=_tables(subject, report),
        unsubscribe_url=unsubscribe_url,
        picture=_picture_text(report),
    )


def picture_of(*, subject: Subject, days: Days) -> bytes:
    """Draw the report of some days as a PNG."""
    return png_of(cost_report(part=subject.part, days=days))


def _facts(
    subject: Subject, report: CostReport, before_usd: Decimal
) -> tuple[tuple[str, str], ...]:
    total = report.total
    per_call = total.usd_per_call
    return (
        ("Of", subject.name),
        ("Spent", format_usd(total.cost_usd)),
        ("Before", f"{format_usd(before_usd)}{_change(total.cost_usd, before_usd)}"),
        ("Calls", f"{total.calls:,}"),
        ("A call", format_usd(per_call) if per_call is not None else "none"),
        ("Failed calls", f"{total.failed_calls:,}"),
        ("Time zone", report.days.zone.key),
    )


def _more(subject: Subject, days: Days, now: datetime) -> tuple[tuple[str, str], ...]:
    """Tell what was saved and wasted, and where the present month is heading."""
    saved = saved_of(part=subject.part, days=days)
    waste = waste_of(part=subject.part, days=days, most_duplicates=1)
    facts = [("Saved by the cache", format_usd(saved.saved_usd))] if saved.calls else []
    facts += [
        (f"Wasted: {kind.kind}", format_usd(kind.wasted_usd)) for kind in waste.kinds if kind.calls
    ]
    outlook = month_outlook(part=subject.part, zone=days.zone, now=now)
    if outlook.forecast is not None:
        told = outlook.forecast
        low, high = format_usd(told.low_usd), format_usd(told.high_usd)
        facts.append(("This month, likely", f"{format_usd(told.expected_usd)} ({low} to {high})"))
    return tuple(facts)


def _change(now_usd: Decimal, before_usd: Decimal) -> str:
    return f" ({(now_usd - before_usd) * 100 / before_usd:+.1f} %)" if before_usd > 0 else ""


def _tables(subject: Subject, report: CostReport) -> tuple[Table, ...]:
    models = [(row.model, row.figures.cost_usd) for row in report.by_model]
    people = [(row.name or row.email, row.figures.cost_usd) for row in report.by_user]
    projects = [(name.name, figures.cost_usd) for name, figures in report.by_project]
    tables = [_table("Models", models)]
    if subject.part.viewer_id is None:
        tables.append(_table("People", people))
    if subject.project is None:
        tables.append(_table("Projects", projects))
    if report.alerts:
        tables.append(Table("Alerts", tuple((text, "") for text in report.alerts[:_MOST_ROWS])))
    return tuple(table for table in tables if table.rows)


def _table(title: str, rows: list[tuple[str, Decimal]]) -> Table:
    """List the dearest, and what all others cost together, so that it adds up to the whole."""
    shown = rows if len(rows) <= _MOST_ROWS else rows[: _MOST_ROWS - 1]
    rest = rows[len(shown) :]
    others = [(f"{len(rest)} others", sum((usd for _, usd in rest), ZERO_USD))] if rest else []
    return Table(title, tuple((name, format_usd(usd)) for name, usd in [*shown, *others]))


def _picture_text(report: CostReport) -> str:
    first = report.by_model[0] if report.by_model else None
    dearest = (
        f"; the dearest is {first.model}, {format_usd(first.figures.cost_usd)}" if first else ""
    )
    total = format_usd(report.total.cost_usd)
    return f"Cost by day and by model, {total} in all{dearest}. The figures stand beside it."


def _data(subject: Subject, report: CostReport, period: dict[str, str]) -> dict[str, object]:
    return {
        "rhythm": subject.rhythm.value,
        "project": subject.project.slug if subject.project else None,
        "first_on": period["from"],
        "last_on": period["to"],
        "time_zone": report.days.zone.key,
        "total_usd": usd_text(report.total.cost_usd),
        "calls": report.total.calls,
        "by_model": [
            {"model": row.model, "cost_usd": usd_text(row.figures.cost_usd)}
            for row in report.by_model
        ],
    }

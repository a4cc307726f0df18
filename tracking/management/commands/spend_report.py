"""Prints or draws what an organization spent."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rest_framework.renderers import JSONRenderer

from budgets.core import clock
from budgets.core.commands import DatabaseCommand
from budgets.core.errors import DomainError
from budgets.core.money import ZERO_USD, format_usd, usd_text
from budgets.http.params import Params
from budgets.http.renderers import safe_cell
from budgets.tenancy.models import Organization
from tracking.usage.picture import png_of
from tracking.usage.question import read_days
from tracking.usage.report import CostReport, cost_report
from tracking.usage.serializers import ReportSerializer
from tracking.usage.terms import Figures, Slice


class Command(DatabaseCommand):
    """Report an organization's cost in a period: in all, by day, model and person."""

    help = "What an organization spent, by day, model and person; as text, JSON, CSV or a PNG of charts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whose report, of which days, in which form."""
        parser.add_argument("--organization", help="slug; may be left out where only one is active")
        parser.add_argument("--days", help="so many days up to today (default 30)")
        parser.add_argument("--from", dest="from", help="first day, e.g. 2026-03-01")
        parser.add_argument("--to", help="last day, included; default today")
        parser.add_argument("--format", choices=("table", "json", "csv", "png"), default="table")
        parser.add_argument(
            "--output", type=Path, help="a file; default: standard output, for png spend_report.png"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Put the report together and write it."""
        organization = _organization(options["organization"])
        zone = organization.zone
        given = {name: options[name] for name in ("days", "from", "to") if options[name]}
        try:
            days = read_days(Params(given), today=clock.now().astimezone(zone).date(), zone=zone)
        except DomainError as error:
            raise CommandError(error.message) from error
        report = cost_report(part=Slice(organization.pk), days=days)
        self._write(_WRITERS[options["format"]](report, organization), options)

    def _write(self, written: bytes, options: dict[str, Any]) -> None:
        output: Path | None = options["output"]
        if output is None and options["format"] == "png":
            output = Path("spend_report.png")
        if output is None:
            self.stdout.write(written.decode(), ending="")
            return
        output.write_bytes(written)
        self.stdout.write(f"Written to {output}.")


def _organization(slug: str | None) -> Organization:
    # Those that a drill has left behind are shut, and nobody's choice.
    asked = {"slug": slug} if slug else {"status": Organization.Status.ACTIVE}
    found = list(Organization.objects.filter(**asked)[:2])
    if not found:
        raise CommandError(f"There is no organization {slug}." if slug else "There is none yet.")
    if len(found) > 1:
        raise CommandError("There are several organizations: name one with --organization.")
    return found[0]


def _table(report: CostReport, organization: Organization) -> bytes:
    days = report.days
    lines = [
        f"{organization.name}: {days.first_on} to {days.last_on}, {days.zone.key}",
        f"Total {format_usd(report.total.cost_usd)}, {report.total.calls:,} calls,"
        f" {report.total.tokens:,} tokens",
    ]
    parts = {
        "Day": [(str(day.on), day.figures) for day in report.by_day if day.figures.calls],
        "Model": [(row.model, row.figures) for row in report.by_model],
        "Person": [(row.name, row.figures) for row in report.by_user],
        "Project": [(name.name, figures) for name, figures in report.by_project],
    }
    for title, rows in parts.items():
        lines += ["", *_rows(title, rows)]
    lines += ["", f"{'Model':<40} {'$ / 1M tokens':>14} {'tokens / call':>14}"]
    for row in report.efficiency:
        per_million = format_usd((row.usd_per_token or ZERO_USD) * 1_000_000)
        lines.append(f"{row.model:<40.40} {per_million:>14} {row.tokens_per_call or 0:>14,.1f}")
    lines += ["", *report.alerts] if report.alerts else []
    return "".join(f"{line}\n" for line in lines).encode()


def _rows(title: str, rows: list[tuple[str, Figures]]) -> list[str]:
    head = f"{title:<40} {'cost':>14} {'calls':>10} {'in':>14} {'out':>14}"
    return [
        head,
        *(
            f"{name:<40.40} {format_usd(figures.cost_usd):>14} {figures.calls:>10,}"
            f" {figures.input_tokens:>14,} {figures.output_tokens:>14,}"
            for name, figures in rows
        ),
    ]


def _json(report: CostReport, organization: Organization) -> bytes:
    data = ReportSerializer({"organization": organization.slug, "report": report}).data
    written: bytes = JSONRenderer().render(data, "application/json; indent=2")
    return written + b"\n"


def _csv(report: CostReport, organization: Organization) -> bytes:
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["part", "name", "cost_usd", "calls", "input_tokens", "output_tokens"])
    rows: list[tuple[str, str, Figures]] = [
        ("total", organization.slug, report.total),
        *(("day", str(day.on), day.figures) for day in report.by_day),
        *(("model", row.model, row.figures) for row in report.by_model),
        *(("person", row.email, row.figures) for row in report.by_user),
        *(("project", name.detail, figures) for name, figures in report.by_project),
    ]
    for part, name, figures in rows:
        table.writerow(
            [
                part,
                safe_cell(name),
                usd_text(figures.cost_usd),
                figures.calls,
                figures.input_tokens,
                figures.output_tokens,
            ]
        )
    return written.getvalue().encode()


def _png(report: CostReport, organization: Organization) -> bytes:
    return png_of(report)


_WRITERS = {"table": _table, "json": _json, "csv": _csv, "png": _png}

"""Brings the catalogue of models and prices up to the installed litellm, or to a file."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from budgets.core.clock import now
from budgets.core.commands import DatabaseCommand
from budgets.core.errors import DomainError
from tracking.pricing.catalog import listings_in
from tracking.pricing.operations import (
    ImportSummary,
    PriceChange,
    import_catalog,
    import_price_file,
    preview_import,
)
from tracking.pricing.price_lines import changed_lines


class Command(DatabaseCommand):
    """Import prices, and say what changed; prices that were stated here stay."""

    help = (
        "Import models and prices from the installed litellm, or the prices of a file in its"
        " format. Says what changes; safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Name a file, or only look."""
        parser.add_argument(
            "--file",
            type=Path,
            help="a price map in litellm's JSON format, in part or whole; its prices count as"
            " stated here",
        )
        parser.add_argument("--dry-run", action="store_true", help="show the changes, make none")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import or preview, then say what changes: each price, and in one line how many models."""
        try:
            summary = _run(options["file"], is_dry=options["dry_run"])
        except DomainError as error:
            raise CommandError(error.message) from error
        for change in summary.changes:
            # The first prices of thousands of models say little; those that changed say it all.
            if change.before is not None or options["verbosity"] > 1 or options["file"]:
                self.stdout.write(_told(change))
        counts = {
            field.name: getattr(summary, field.name)
            for field in fields(summary)
            if field.name != "changes"
        }
        told = ", ".join(f"{count} {name}" for name, count in counts.items())
        self.stdout.write(f"{'Would change' if options['dry_run'] else 'Models'}: {told}")


def _run(file: Path | None, *, is_dry: bool) -> ImportSummary:
    at = now()
    if file is None:
        return preview_import(now=at) if is_dry else import_catalog(now=at)
    listings = listings_in(file)
    if is_dry:
        return preview_import(now=at, listings=listings, name=file.name)
    return import_price_file(listings=listings, name=file.name, now=at)


def _told(change: PriceChange) -> str:
    if change.before is None:
        return f"{change.model}: first price"
    lines = changed_lines(change.before.per_unit, change.after.per_unit)
    return f"{change.model}: {'; '.join(lines) or 'hours or uplifts'}"

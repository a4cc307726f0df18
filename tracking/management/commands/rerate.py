"""Prices a period again at another version of a price."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from budgets.core.clock import Period
from budgets.core.commands import DatabaseCommand
from budgets.core.errors import DomainError
from budgets.core.money import ZERO_USD, usd_text
from budgets.tenancy.models import Organization
from tracking.ledger import rerating
from tracking.pricing.models import Price


class Command(DatabaseCommand):
    """Show what a period would have cost at a price; with --apply, book the differences."""

    help = "Price a period again at another version of a price. Shows; books only with --apply."

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the price and the period."""
        parser.add_argument("model", help="the catalogue's name of the model")
        parser.add_argument("version", type=int, help="the version of its price")
        parser.add_argument("--from", dest="begin", required=True, help="first instant, ISO 8601")
        parser.add_argument("--to", dest="end", help="instant after the last, ISO 8601")
        parser.add_argument("--organization", help="slug; every organization without it")
        parser.add_argument("--reason", default="", help="needed to book")
        parser.add_argument("--apply", action="store_true", help="book the differences")

    def handle(self, *args: Any, **options: Any) -> None:
        """Preview, or book, and say the sum."""
        chosen: dict[str, Any] = {
            "price": _price(options["model"], options["version"]),
            "period": Period(_instant(options["begin"]), _instant(options["end"])),
            "organization": _organization(options["organization"]),
        }
        try:
            if options["apply"]:
                count, total = rerating.apply(reason=options["reason"], **chosen)
            else:
                count, total = self._show(chosen)
        except DomainError as error:
            raise CommandError(error.message) from error
        verb = "booked" if options["apply"] else "to book"
        self.stdout.write(f"{count} differences {verb}, {usd_text(total)} USD in all.")

    def _show(self, chosen: dict[str, Any]) -> tuple[int, Any]:
        count, total = 0, ZERO_USD
        for rerated in rerating.preview(**chosen):
            self.stdout.write(
                f"{rerated.request_id}  {usd_text(rerated.current_usd)} ->"
                f" {usd_text(rerated.rerated_usd)}  {usd_text(rerated.difference_usd)}"
            )
            count += 1
            total += rerated.difference_usd
        return count, total


def _price(model: str, version: int) -> Price:
    price = Price.objects.select_related("model").filter(model__name=model, version=version).first()
    if price is None:
        raise CommandError(f"There is no version {version} of a price of {model!r}.")
    return price


def _instant(text: str | None) -> Any:
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is not an instant such as 2026-11-01T00:00:00Z.") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _organization(slug: str | None) -> Organization | None:
    if slug is None:
        return None
    found = Organization.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no organization {slug!r}.")
    return found

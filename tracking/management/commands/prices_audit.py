"""Compares the prices in force with a second source, and lists models without a price."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from budgets.core.clock import now
from budgets.core.commands import DatabaseCommand
from tracking.pricing import queries, second_source
from tracking.pricing.audit import Difference, ProviderAudit, audit
from tracking.pricing.price_lines import shown_rate


class Command(DatabaseCommand):
    """Print what agrees, what differs and what only one source knows; fail only when told."""

    help = (
        "Compare the list prices in force with genai-prices, provider by provider, and list the"
        " models that nobody has priced: calls to them are refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Choose providers, what is printed, and what makes the command fail."""
        parser.add_argument("--provider", action="append", help="only this one; can be repeated")
        parser.add_argument(
            "--missing", action="store_true", help="name the models that genai-prices does not list"
        )
        parser.add_argument(
            "--unpriced", action="store_true", help="name the models without a price"
        )
        parser.add_argument(
            "--fail-on",
            choices=["differences", "missing", "unpriced"],
            action="append",
            default=[],
            help="exit 1 if there are any; can be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare, print, and fail on what was named."""
        at = now()
        wanted = frozenset(options["provider"] or ())
        book = queries.price_book(at=at)
        models = [model for model in book.priced_at(at) if not wanted or model.provider in wanted]
        audits = audit(models=models, source=second_source.SecondSource(at=at))
        unpriced = [
            model
            for model in queries.unpriced_models(book=book, at=at)
            if not wanted or model.provider in wanted
        ]
        self._tell(audits, names_missing=options["missing"])
        self.stdout.write(f"{len(unpriced)} models have no price; calls to them are refused.")
        if options["unpriced"]:
            self._name(f"{model.name} ({model.provider}, {model.mode})" for model in unpriced)
        found = {
            "differences": sum(len(one.differing) for one in audits),
            "missing": sum(len(one.missing) for one in audits),
            "unpriced": len(unpriced),
        }
        failed = [f"{found[name]} {name}" for name in options["fail_on"] if found[name]]
        if failed:
            raise CommandError(", ".join(failed))

    def _tell(self, audits: list[ProviderAudit], *, names_missing: bool) -> None:
        self.stdout.write(f"Prices in force here and in {second_source.edition()}:")
        self.stdout.write(f"{'':28}{'agree':>8}{'differ':>8}{'only here':>11}")
        for one in audits:
            counts = f"{len(one.agreeing):>8}{len(one.differing):>8}{len(one.missing):>11}"
            self.stdout.write(f"{one.provider:28}{counts}")
        for one in audits:
            for compared in one.differing:
                told = "; ".join(map(_told, compared.differences))
                self.stdout.write(f"{compared.model}: {told}")
            if names_missing:
                self._name(f"{name}: only here" for name in one.missing)

    def _name(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)


def _told(difference: Difference) -> str:
    ours = shown_rate(difference.key, difference.ours_usd)
    theirs = shown_rate(difference.key, difference.theirs_usd)
    return f"{difference.key} {ours} here, {theirs} there"

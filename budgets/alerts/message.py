"""A message as data: what every channel writes in its own way. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Table:
    """A short list under a heading: names and values."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody is told. Amounts are written out; ``facts`` are name and value.

    ``event`` is opened, reminder, recovered, test, request, decision or report; ``level`` info,
    warning or critical; ``at`` an instant in ISO 8601. ``data`` is the same for programs, amounts
    as text. ``unsubscribe_url`` is where a reader ends it, if it is theirs to end. ``picture`` says
    in words what is drawn on the picture that goes with it, where a way can carry one.
    """

    event: str
    level: str
    title: str
    advice: str
    facts: tuple[tuple[str, str], ...]
    organization: str
    url: str
    at: str
    data: dict[str, Any]
    tables: tuple[Table, ...] = ()
    unsubscribe_url: str = ""
    picture: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give it as it is kept in the outbox."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Self:
        """Read it back; what was kept before there was a field has its default."""
        values = {field.name: kept[field.name] for field in fields(cls) if field.name in kept}
        tables = tuple(Table(one["title"], _pairs(one["rows"])) for one in kept.get("tables", ()))
        return cls(**values | {"facts": _pairs(kept["facts"]), "tables": tables})

    @property
    def headline(self) -> str:
        """The title with what has become of it in front."""
        before = {"recovered": "Over: ", "reminder": "Still: "}.get(self.event, "")
        return f"{before}{self.title}"


def _pairs(kept: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in kept)

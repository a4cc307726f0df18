"""A message as data: what every channel writes in its own way. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody is told. Amounts are written out; ``facts`` are name and value.

    ``event`` is opened, reminder, recovered, test, request or decision; ``level`` info, warning or
    critical; ``at`` an instant in ISO 8601. ``data`` is the same for programs, amounts as text.
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

    def as_json(self) -> dict[str, Any]:
        """Give it as it is kept in the outbox."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Self:
        """Read it back."""
        values = {field.name: kept[field.name] for field in fields(cls)}
        return cls(**values | {"facts": tuple((name, value) for name, value in kept["facts"])})

    @property
    def headline(self) -> str:
        """The title with what has become of it in front."""
        before = {"recovered": "Over: ", "reminder": "Still: "}.get(self.event, "")
        return f"{before}{self.title}"

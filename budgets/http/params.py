"""Reads the parameters of an address, and says which one makes no sense."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from budgets.core.errors import DomainError

_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2100, 12, 31)
_MOST_ID = 2**63 - 1


class ParamInvalid(DomainError):
    """A parameter makes no sense."""

    code = "value_out_of_range"


class ParamUnknown(DomainError):
    """There is no such parameter."""

    code = "unknown_parameter"


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of one request, each given at most once."""

    given: Mapping[str, str]

    @classmethod
    def read(cls, query: Mapping[str, list[str]], *, known: Collection[str]) -> Params:
        """Take the parameters of an address; those without a value count as not given.

        :raises ParamUnknown: if one is not among those known
        :raises ParamInvalid: if one is given twice
        """
        for name, values in query.items():
            if name not in known:
                known_text = ", ".join(sorted(known))
                raise ParamUnknown(
                    f"There is no parameter {name[:40]!r} here. There are: {known_text}.",
                    param=name[:40],
                )
            if len(values) > 1:
                raise ParamInvalid(f"{name} is given {len(values)} times.", param=name)
        return cls({name: values[0] for name, values in query.items() if any(values)})

    def text(self, name: str, *, most: int = 160) -> str | None:
        """Read text of at most so many printable characters."""
        value = self.given.get(name)
        if value is not None and (len(value) > most or not value.isprintable()):
            raise ParamInvalid(f"{name} is no name of at most {most} characters.", param=name)
        return value

    def choice(self, name: str, *, among: Collection[str], default: str) -> str:
        """Read one of several words."""
        value = self.given.get(name)
        if value is None:
            return default
        if value not in among:
            raise ParamInvalid(f"{name} is one of: {', '.join(sorted(among))}.", param=name)
        return value

    def whole(self, name: str, *, least: int, most: int) -> int | None:
        """Read a whole number within bounds."""
        value = self.given.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 20):
            raise ParamInvalid(f"{name} is a whole number.", param=name)
        if not least <= int(value) <= most:
            raise ParamInvalid(f"{name} lies between {least} and {most}.", param=name)
        return int(value)

    def id(self, name: str) -> int | None:
        """Read the id of a row."""
        return self.whole(name, least=0, most=_MOST_ID)

    def day(self, name: str) -> date | None:
        """Read a day such as 2026-01-31."""
        value = self.given.get(name)
        if value is None:
            return None
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise ParamInvalid(f"{name} is a day such as 2026-01-31.", param=name) from None
        if not _FIRST_DAY <= day <= _LAST_DAY:
            raise ParamInvalid(f"{name} lies too far away.", param=name)
        return day

"""The headers of a request, read once: an application looks for twenty in every call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from django.http import HttpRequest

_PREFIX = "HTTP_"
_OTHERS = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}


class Headers(dict[str, str]):
    """Headers by name, in whatever case they are asked for; they are kept in lower case."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__((name.lower(), value) for name, value in pairs)

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """Read a request's headers, as Django let them through."""
        return cls(
            (name[len(_PREFIX) :].replace("_", "-"), value)
            if name.startswith(_PREFIX)
            else (_OTHERS[name], value)
            for name, value in request.META.items()
            if name.startswith(_PREFIX) or name in _OTHERS
        )

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]  # A header that is not there is None or what the caller wants instead.
        """Give a header, or the default."""
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

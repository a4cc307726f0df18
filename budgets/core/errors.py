"""Expected failures: what callers may see, told apart by a stable code."""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """An expected failure.

    A subclass stands beside the function that raises it. Its docstring is the default message,
    ``code`` is the contract with callers, and what it knows is kept in ``details``.
    """

    code: ClassVar[str] = "invalid_request"

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.details = details
        self.message = message or " ".join((self.__doc__ or self.code).split())
        super().__init__(self.message)

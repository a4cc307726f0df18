"""Set the project up with nothing but the standard library."""

from __future__ import annotations


def ensure(argv: list[str]) -> None:
    """This will come back in the project's own environment."""

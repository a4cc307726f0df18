"""Finds every object that a request's body can hold, from the types of its fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from tracking.gateway.endpoints.bodies import Body


def shapes_within(shape: type[Body]) -> set[type[Body]]:
    """Give a shape and all that can stand anywhere in it."""
    found: set[type[Body]] = set()
    pending = [shape]
    while pending:
        current = pending.pop()
        if current not in found:
            found.add(current)
            pending += [
                inner
                for field in current.model_fields.values()
                for inner in _types_within(field.annotation)
                if isinstance(inner, type) and issubclass(inner, Body)
            ]
    return found


def free_fields(shape: type[Body]) -> set[str]:
    """Name the fields, anywhere in a shape, that take values of any kind."""
    return {
        f"{inner.__name__}.{name}"
        for inner in shapes_within(shape)
        for name, field in inner.model_fields.items()
        if any(found is Any or found is object for found in _types_within(field.annotation))
    }


def names_of(shape: type[Body]) -> set[str]:
    """Give the names that an object takes, as callers write them."""
    return {field.alias or name for name, field in shape.model_fields.items()}


def _types_within(annotation: Any) -> Iterator[Any]:
    yield annotation
    if get_origin(annotation) is not None:
        for argument in get_args(annotation):
            yield from _types_within(argument)

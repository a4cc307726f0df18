"""What all bodies share: their field types, how they are read, and how a refusal names its place.

An allow-list on purpose: the library behind the providers takes hundreds of control parameters
(addresses, keys, prices, mock answers), and none of them may ever come from a caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    StringConstraints,
    ValidationError,
)

from budgets.core.errors import DomainError

MOST_DEPTH = 100

# What is not taken for a reason of ours, by the parameter's name.
REASONS = MappingProxyType(
    {
        "web_search_options": "A provider charges for each search, and how many there are is up to"
        " the model: what it would cost cannot be bounded before the call.",
        "file_id": "How long a file is that the provider already has is not known here, so what it"
        " would cost cannot be bounded. Send it as file_data.",
        "moderation": "Ask for it by a call of its own, to /v1/moderations.",
    }
)


class InvalidJson(DomainError):
    """The body is not valid JSON."""

    code = "invalid_json"


class InvalidRequest(DomainError):
    """The request is not valid."""

    code = "invalid_request"


class UnknownParameter(DomainError):
    """The request has a parameter that this endpoint does not take."""

    code = "unknown_parameter"


class UnsupportedParameter(DomainError):
    """The request asks for something that this endpoint does not do."""

    code = "unsupported_parameter"


class InvalidType(DomainError):
    """A parameter has the wrong type."""

    code = "invalid_type"


class ValueOutOfRange(DomainError):
    """A parameter's value is out of range."""

    code = "value_out_of_range"


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    return text


def _not_too_deep(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what writers of JSON would, at one depth or another, give up on."""
    level: list[Any] = [value]
    for _ in range(MOST_DEPTH):
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return value
    raise ValueError(f"must not be nested deeper than {MOST_DEPTH} levels")


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _kind_of(value: Any) -> str:
    """Give the tag of one branch of a union: no identifier, so that no place can be named by it."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"<{kind}>"


# Chooses the branch of a union by its ``type``; the branches carry Tag("<the type>").
BY_KIND = Discriminator(
    _kind_of,
    custom_error_type="unknown_kind",
    custom_error_message="Input should be of a kind that this endpoint takes",
)
# Names are stored and copied into headers, so they are plain.
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/@+-]{1,160}$")]
Schema = Annotated[dict[str, Any], AfterValidator(_not_too_deep)]
StoredName = Annotated[str, StringConstraints(max_length=64), AfterValidator(_without_nul)]
StoredText = Annotated[str, StringConstraints(max_length=512), AfterValidator(_without_nul)]


class Body(BaseModel):
    """A body, or a part of one: immutable, and nothing in it that is not named."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)


class CallBody(Body):
    """The body of a call to a model: what the gateway itself reads of any of them."""

    model: ModelName

    # Fields that say whom a call is for, or how its answer is told, and not what is asked.
    ASIDE: ClassVar[frozenset[str]] = frozenset()

    @property
    def is_deterministic(self) -> bool:
        """Whether the same request can be expected to get the same answer."""
        return False

    @property
    def is_streamed(self) -> bool:
        """Whether the answer is to come in events."""
        return bool(getattr(self, "stream", None))

    @property
    def end_user(self) -> str:
        """Whom the call is made for, by the application's own name for them."""
        return ""

    @property
    def labels(self) -> dict[str, str]:
        """The application's own pairs of name and value."""
        return {}


Read = TypeVar("Read", bound=CallBody)


def read_json(*, body: bytes, shape: type[Read]) -> Read:
    """Read a JSON body as one of the shapes.

    :raises InvalidJson: if it is not JSON (NaN, UTF-16 and broken surrogates are not)
    :raises UnknownParameter: if it has a parameter that is not taken, at any depth
    :raises InvalidRequest, InvalidType, ValueOutOfRange, UnsupportedParameter: as they say
    """
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(f"The body is not valid JSON: {error}.") from None
    if not isinstance(read, dict):
        raise InvalidJson("The body must be a JSON object.")
    return read_values(values=read, shape=shape)


def read_values(*, values: dict[str, Any], shape: type[Read]) -> Read:
    """Read what a body says, already taken apart, as one of the shapes.

    :raises UnknownParameter, InvalidRequest, InvalidType, ValueOutOfRange, UnsupportedParameter:
        as they say
    """
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        raise _refusal(error, values) from None


def _refusal(error: ValidationError, body: dict[str, Any]) -> DomainError:
    """Tell the first thing that is wrong, by its place in the body."""
    problems = error.errors(include_url=False)
    problem = min(problems, key=_rank)
    kind, place = problem["type"], _place(problem["loc"], body)
    if kind == "extra_forbidden":
        return _refusal_of_name(place, str(problem["loc"][-1]))
    if kind == "missing":
        return InvalidRequest(f"Missing required parameter: {place}.", param=place)
    if kind == "unknown_kind" and isinstance(problem["input"], dict):
        kind, place = "literal_error", f"{place}.type"
        if "type" not in problem["input"]:
            return InvalidRequest(f"Missing required parameter: {place}.", param=place)
    if place.endswith(".type") and kind == "literal_error":
        text = f"{place}: this kind is not supported. {problem['msg']}."
        return UnsupportedParameter(text, param=place)
    text = f"{place}: {problem['msg']}."
    if kind.endswith("_type") or kind in ("literal_error", "int_from_float", "unknown_kind"):
        return InvalidType(text, param=place)
    return ValueOutOfRange(text, param=place)


def _refusal_of_name(place: str, name: str) -> DomainError:
    if name in REASONS:
        return UnsupportedParameter(f"{place} is not taken. {REASONS[name]}", param=place)
    return UnknownParameter(f"Unknown parameter: {place}. Remove it.", param=place)


def _rank(problem: Any) -> tuple[int, int, bool]:
    """Order problems: a kind that is not supported explains the parameters that came with it.

    Of the branches of a union, the one that got furthest is the one that was meant.
    """
    kind, place = problem["type"], problem["loc"]
    is_unknown = kind == "unknown_kind" and isinstance(problem["input"], dict)
    if is_unknown or (kind == "literal_error" and place[-1] == "type"):
        return 0, -len(place), False
    return 1 if kind == "extra_forbidden" else 2, -len(place), kind.endswith("_type")


def _place(location: tuple[int | str, ...], body: Any) -> str:
    """Write a place as ``messages[0].content``, leaving out the branches of a union."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
            body = body[step] if isinstance(body, list) and step < len(body) else None
        elif isinstance(body, dict) and step in body:
            text += f".{step}"
            body = body[step]
        elif isinstance(body, dict) and step.isidentifier() and step[:1].islower():
            text += f".{step}"
            body = None
    return text.lstrip(".")

"""The bodies that applications send, as typed models. What is not named here is refused.

An allow-list on purpose: the library behind the providers takes hundreds of control parameters
(addresses, keys, prices, mock answers), and none of them may ever come from a caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from budgets.core.errors import DomainError

MOST_MESSAGES = 2048
MOST_TOOLS = 128
MOST_CHOICES = 16
MOST_DEPTH = 100


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


# Names are stored and copied into headers, so they are plain.
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/@+-]{1,160}$")]
Schema = Annotated[dict[str, Any], AfterValidator(_not_too_deep)]
StoredName = Annotated[str, StringConstraints(max_length=64), AfterValidator(_without_nul)]
StoredText = Annotated[str, StringConstraints(max_length=512), AfterValidator(_without_nul)]


class _Body(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)


class TextPart(_Body):
    """A part of a message's content."""

    type: Literal["text"]
    text: str
    cache_control: dict[Literal["type", "ttl"], str] | None = None


Content = str | list[TextPart]


class Function(_Body):
    """A function that the model may call."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str | None = None
    parameters: Schema | None = None
    strict: bool | None = None


class Tool(_Body):
    """A tool of the only kind that chat completions run: a function."""

    type: Literal["function"]
    function: Function


class CalledFunction(_Body):
    """A function and the arguments it was called with, as JSON text."""

    name: str
    arguments: str


class ToolCall(_Body):
    """A call that the model made earlier in the conversation."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class Message(_Body):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = Field(default=None, max_length=MOST_TOOLS)
    tool_call_id: str | None = None


class ChosenFunction(_Body):
    """The name of the function that must be called."""

    name: str


class ToolChoice(_Body):
    """The tool that must be called."""

    type: Literal["function"]
    function: ChosenFunction


class JsonSchema(_Body):
    """The schema that the answer must follow."""

    name: str
    description: str | None = None
    schema_: Schema | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseFormat(_Body):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(_Body):
    """What a stream carries beside its chunks."""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class ChatCompletionRequest(_Body):
    """The body of ``POST /v1/chat/completions``."""

    model: ModelName
    messages: list[Message] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1, le=10_000_000)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=10_000_000)
    n: int | None = Field(default=None, ge=1, le=MOST_CHOICES)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = Field(default=None, max_length=1024)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    stop: str | list[str] | None = Field(default=None)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    tools: list[Tool] | None = Field(default=None, max_length=MOST_TOOLS)
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    user: StoredText | None = None
    safety_identifier: StoredText | None = None
    metadata: dict[StoredName, StoredText] | None = Field(default=None, max_length=16)

    # Read here and not passed on: the gateway decides them, or keeps them for itself.
    OWN: ClassVar[frozenset[str]] = frozenset(
        {
            "model",
            "stream",
            "stream_options",
            "max_tokens",
            "max_completion_tokens",
            "metadata",
            "user",
            "safety_identifier",
        }
    )

    @property
    def asked_output_tokens(self) -> int | None:
        """The output cap that the caller states, in tokens; the newer parameter wins."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def choices(self) -> int:
        """How many answers are asked for."""
        return self.n or 1

    def passed_on(self) -> dict[str, Any]:
        """Give what goes to the provider as it was asked, without what the gateway decides."""
        return self.model_dump(exclude=set(self.OWN), exclude_none=True, by_alias=True)


def parse_chat_completion(body: bytes) -> ChatCompletionRequest:
    """Read the body of a chat completion.

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
    try:
        return ChatCompletionRequest.model_validate(read)
    except ValidationError as error:
        raise _refusal(error, read) from None


def _refusal(error: ValidationError, body: dict[str, Any]) -> DomainError:
    """Tell the first thing that is wrong, by its place in the body."""
    problems = error.errors(include_url=False, include_input=False)
    problem = min(problems, key=_rank)
    kind, place = problem["type"], _place(problem["loc"], body)
    if kind == "extra_forbidden":
        return UnknownParameter(f"Unknown parameter: {place}. Remove it.", param=place)
    if kind == "missing":
        return InvalidRequest(f"Missing required parameter: {place}.", param=place)
    if place.endswith(".type") and kind == "literal_error":
        text = f"{place}: this kind is not supported. {problem['msg']}."
        return UnsupportedParameter(text, param=place)
    text = f"{place}: {problem['msg']}."
    if kind.endswith("_type") or kind in ("literal_error", "int_from_float"):
        return InvalidType(text, param=place)
    return ValueOutOfRange(text, param=place)


def _rank(problem: Any) -> int:
    """Order problems: a kind that is not supported explains the parameters that came with it."""
    kind, last = problem["type"], problem["loc"][-1]
    if kind == "literal_error" and last == "type":
        return 0
    return 1 if kind == "extra_forbidden" else 2


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

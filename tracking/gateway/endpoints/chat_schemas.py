"""The body of a chat completion. What is not named here is refused."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from tracking.gateway.endpoints.bodies import (
    Body,
    CallBody,
    Schema,
    StoredName,
    StoredText,
)

MOST_MESSAGES = 2048
MOST_TOOLS = 128
MOST_CHOICES = 16


class TextPart(Body):
    """A part of a message's content."""

    type: Literal["text"]
    text: str
    cache_control: dict[Literal["type", "ttl"], str] | None = None


Content = str | list[TextPart]


class Function(Body):
    """A function that the model may call."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str | None = None
    parameters: Schema | None = None
    strict: bool | None = None


class Tool(Body):
    """A tool of the only kind that chat completions run: a function."""

    type: Literal["function"]
    function: Function


class CalledFunction(Body):
    """A function and the arguments it was called with, as JSON text."""

    name: str
    arguments: str


class ToolCall(Body):
    """A call that the model made earlier in the conversation."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class Message(Body):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = Field(default=None, max_length=MOST_TOOLS)
    tool_call_id: str | None = None


class ChosenFunction(Body):
    """The name of the function that must be called."""

    name: str


class ToolChoice(Body):
    """The tool that must be called."""

    type: Literal["function"]
    function: ChosenFunction


class JsonSchema(Body):
    """The schema that the answer must follow."""

    name: str
    description: str | None = None
    schema_: Schema | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseFormat(Body):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Body):
    """What a stream carries beside its chunks."""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class ChatCompletionRequest(CallBody):
    """The body of ``POST /v1/chat/completions``."""

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
    def end_user(self) -> str:
        """Whom the call is made for."""
        return self.user or self.safety_identifier or ""

    @property
    def labels(self) -> dict[str, str]:
        """The pairs of ``metadata``."""
        return dict(self.metadata or {})

    @property
    def choices(self) -> int:
        """How many answers are asked for."""
        return self.n or 1

    def passed_on(self) -> dict[str, Any]:
        """Give what goes to the provider as it was asked, without what the gateway decides."""
        return self.model_dump(exclude=set(self.OWN), exclude_none=True, by_alias=True)

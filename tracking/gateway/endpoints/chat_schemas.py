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
from tracking.gateway.endpoints.chat_parts import Content, TextContent
from tracking.gateway.endpoints.chat_tools import (
    MOST_TOOLS,
    CalledFunction,
    Chosen,
    OldFunction,
    Tool,
    ToolCall,
    ToolChoice,
)

MOST_MESSAGES = 2048
MOST_CHOICES = 16
MOST_STOPS = 4

Stop = str | Annotated[list[str], Field(min_length=1, max_length=MOST_STOPS)]
Tokens = Annotated[int, Field(ge=1, le=10_000_000)]
Bias = Annotated[float, Field(ge=-100, le=100)]
VoiceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]


class EarlierAudio(Body):
    """Sound that the model gave earlier, by the provider's name for it."""

    id: str


class Message(Body):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content | None = None
    name: str | None = None
    refusal: str | None = None
    audio: EarlierAudio | None = None
    tool_calls: list[ToolCall] | None = Field(default=None, max_length=MOST_TOOLS)
    tool_call_id: str | None = None
    function_call: CalledFunction | None = None


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


class Voice(Body):
    """A voice of one's own."""

    id: VoiceName


class AudioOutput(Body):
    """How the answer is to sound."""

    format: Literal["wav", "aac", "mp3", "flac", "opus", "pcm16"]
    voice: VoiceName | Voice


class Prediction(Body):
    """Text that the answer will largely repeat; what does not fit is charged as output."""

    type: Literal["content"]
    content: TextContent


class CacheOptions(Body):
    """How the provider's cache is used."""

    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m"] | None = None


class StreamOptions(Body):
    """What a stream carries beside its chunks."""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class ChatCompletionRequest(CallBody):
    """The body of ``POST /v1/chat/completions``."""

    messages: list[Message] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    n: int | None = Field(default=None, ge=1, le=MOST_CHOICES)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logit_bias: dict[str, Bias] | None = Field(default=None, max_length=1024)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    stop: Stop | None = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    tools: list[Tool] | None = Field(default=None, max_length=MOST_TOOLS)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: list[OldFunction] | None = Field(default=None, min_length=1, max_length=MOST_TOOLS)
    function_call: Literal["none", "auto"] | Chosen | None = None
    response_format: ResponseFormat | None = None
    modalities: list[Literal["text", "audio"]] | None = Field(default=None, max_length=2)
    audio: AudioOutput | None = None
    prediction: Prediction | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = (
        None
    )
    verbosity: Literal["low", "medium", "high"] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    prompt_cache_key: StoredText | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    prompt_cache_options: CacheOptions | None = None
    store: bool | None = None
    user: StoredText | None = None
    safety_identifier: StoredText | None = None
    metadata: dict[StoredName, StoredText] | None = Field(default=None, max_length=16)

    # Read here and not passed on: the gateway decides them, or keeps them for itself.
    ASIDE: ClassVar[frozenset[str]] = frozenset(
        {"metadata", "user", "safety_identifier", "stream_options"}
    )
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
    def is_deterministic(self) -> bool:
        """Whether nothing is left to chance: one answer at temperature 0."""
        return self.temperature == 0 and self.choices == 1

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

    @property
    def speaks(self) -> bool:
        """Whether the answer is to come as sound."""
        return self.audio is not None or "audio" in (self.modalities or ())

    def passed_on(self) -> dict[str, Any]:
        """Give what goes to the provider as it was asked, without what the gateway decides.

        Not to store is every provider's default, and said to no provider that might not know it.
        """
        passed = self.model_dump(exclude=set(self.OWN), exclude_none=True, by_alias=True)
        if passed.get("store") is False:
            del passed["store"]
        return passed

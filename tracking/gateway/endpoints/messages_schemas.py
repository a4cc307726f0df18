"""The body of Anthropic's messages. What is not named here is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, Tag

from tracking.gateway.endpoints.bodies import (
    BY_KIND,
    Body,
    CallBody,
    Schema,
    StoredText,
)

MOST_MESSAGES = 2048
MOST_BLOCKS = 2048
MOST_TOOLS = 128

Base64 = Annotated[str, StringConstraints(min_length=4)]
Address = Annotated[str, StringConstraints(pattern=r"^https://")]
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$")]


class CacheControl(Body):
    """The mark up to which the provider keeps what it has read."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class Cacheable(Body):
    """A block that can carry the mark."""

    cache_control: CacheControl | None = None


class TextBlock(Cacheable):
    """Text."""

    type: Literal["text"]
    text: str
    citations: list[Schema] | None = None


class Base64Image(Body):
    """An image in base64."""

    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: Base64


class UrlSource(Body):
    """Something at an address that the provider fetches."""

    type: Literal["url"]
    url: Address


class ImageBlock(Cacheable):
    """An image that the model is to look at."""

    type: Literal["image"]
    source: Annotated[
        Annotated[Base64Image, Tag("<base64>")] | Annotated[UrlSource, Tag("<url>")], BY_KIND
    ]


class Base64Pdf(Body):
    """A PDF in base64."""

    type: Literal["base64"]
    media_type: Literal["application/pdf"]
    data: Base64


class PlainText(Body):
    """A document of plain text."""

    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


class CitationsConfig(Body):
    """Whether the answer may cite the document."""

    enabled: bool


class DocumentBlock(Cacheable):
    """A document that the model is to read."""

    type: Literal["document"]
    source: Annotated[
        Annotated[Base64Pdf, Tag("<base64>")]
        | Annotated[PlainText, Tag("<text>")]
        | Annotated[UrlSource, Tag("<url>")],
        BY_KIND,
    ]
    title: str | None = None
    context: str | None = None
    citations: CitationsConfig | None = None


class DirectCaller(Body):
    """Who called a tool: the model itself."""

    type: Literal["direct"]


class ToolUseBlock(Cacheable):
    """A call that the model made earlier in the conversation."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: Schema
    caller: DirectCaller | None = None


ResultBlock = Annotated[
    Annotated[TextBlock, Tag("<text>")]
    | Annotated[ImageBlock, Tag("<image>")]
    | Annotated[DocumentBlock, Tag("<document>")],
    BY_KIND,
]


class ToolResultBlock(Cacheable):
    """What a tool gave for a call."""

    type: Literal["tool_result"]
    tool_use_id: str
    content: str | Annotated[list[ResultBlock], Field(max_length=MOST_BLOCKS)] | None = None
    is_error: bool | None = None


class ThinkingBlock(Body):
    """What the model thought earlier, with the provider's seal."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinkingBlock(Body):
    """What the model thought earlier and the provider does not show."""

    type: Literal["redacted_thinking"]
    data: str


Block = Annotated[
    Annotated[TextBlock, Tag("<text>")]
    | Annotated[ImageBlock, Tag("<image>")]
    | Annotated[DocumentBlock, Tag("<document>")]
    | Annotated[ToolUseBlock, Tag("<tool_use>")]
    | Annotated[ToolResultBlock, Tag("<tool_result>")]
    | Annotated[ThinkingBlock, Tag("<thinking>")]
    | Annotated[RedactedThinkingBlock, Tag("<redacted_thinking>")],
    BY_KIND,
]


class Message(Body):
    """One turn of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | Annotated[list[Block], Field(max_length=MOST_BLOCKS)]

    @property
    def blocks(self) -> list[Any]:
        """The content as blocks."""
        if isinstance(self.content, str):
            return [TextBlock(type="text", text=self.content)]
        return self.content


class Tool(Cacheable):
    """A tool of the caller's own. What providers run themselves is not taken: a fee for each use."""

    type: Literal["custom"] | None = None
    name: ToolName
    description: str | None = None
    input_schema: Schema
    strict: bool | None = None


class ToolChoice(Body):
    """Which tool the model may or must call."""

    type: Literal["auto", "any", "tool", "none"]
    name: ToolName | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Body):
    """Whether and how much the model thinks before it answers."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: int | None = Field(default=None, ge=1024, le=10_000_000)
    display: Literal["summarized", "omitted"] | None = None


class JsonFormat(Body):
    """The schema that the answer must follow."""

    type: Literal["json_schema"]
    schema_: Schema = Field(alias="schema")


class OutputConfig(Body):
    """The form of the answer, and the effort for it."""

    format: JsonFormat | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None


class Metadata(Body):
    """Whom the call is made for."""

    user_id: StoredText | None = None


class Counted(CallBody):
    """What both a call and the counting of its tokens name."""

    messages: list[Message] = Field(min_length=1, max_length=MOST_MESSAGES)
    system: str | Annotated[list[TextBlock], Field(max_length=MOST_BLOCKS)] | None = None
    tools: list[Tool] | None = Field(default=None, max_length=MOST_TOOLS)
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    cache_control: CacheControl | None = None

    @property
    def system_text(self) -> str:
        """All of the instructions as one text."""
        if isinstance(self.system, list):
            return "\n\n".join(block.text for block in self.system)
        return self.system or ""

    def blocks(self) -> Iterator[tuple[str, Any]]:
        """Give every block with its place in the body, those within tool results too."""
        for at, message in enumerate(self.messages):
            for position, block in enumerate(message.blocks):
                place = f"messages[{at}].content[{position}]"
                yield place, block
                if isinstance(block, ToolResultBlock) and isinstance(block.content, list):
                    for inner, part in enumerate(block.content):
                        yield f"{place}.content[{inner}]", part


class MessagesRequest(Counted):
    """The body of ``POST /v1/messages``."""

    max_tokens: int = Field(ge=1, le=10_000_000)
    stream: bool | None = None
    stop_sequences: list[str] | None = Field(default=None, max_length=64)
    temperature: float | None = Field(default=None, ge=0, le=1)
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=1_000_000)
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None

    # Read here and not passed on: the gateway decides them, or keeps them for itself.
    OWN: ClassVar[frozenset[str]] = frozenset({"model", "stream", "max_tokens", "metadata"})
    ASIDE: ClassVar[frozenset[str]] = frozenset({"metadata"})

    @property
    def is_deterministic(self) -> bool:
        """Whether nothing is left to chance: temperature 0."""
        return self.temperature == 0

    @property
    def end_user(self) -> str:
        """Whom the call is made for."""
        return (self.metadata and self.metadata.user_id) or ""

    def passed_on(self) -> dict[str, Any]:
        """Give what goes to a provider of this dialect, without what the gateway decides."""
        return self.model_dump(exclude=set(self.OWN), exclude_none=True, by_alias=True)

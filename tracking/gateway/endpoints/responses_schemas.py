"""The body of OpenAI's responses. What is not named here is refused."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, Tag

from tracking.gateway.endpoints.bodies import (
    BY_KIND,
    Body,
    CallBody,
    Schema,
    StoredName,
    StoredText,
)

MOST_ITEMS = 4096
MOST_PARTS = 2048
MOST_TOOLS = 128

Base64 = Annotated[str, StringConstraints(min_length=4)]
ImageAddress = Annotated[
    str, StringConstraints(pattern=r"^(https://|data:image/[A-Za-z0-9.+-]+;base64,)")
]
FileAddress = Annotated[str, StringConstraints(pattern=r"^https://")]
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
Status = Literal["in_progress", "completed", "incomplete"]


class InputText(Body):
    """Text that the model reads."""

    type: Literal["input_text"]
    text: str


class InputImage(Body):
    """An image that the model is to look at: an address, or the image itself in base64."""

    type: Literal["input_image"]
    image_url: ImageAddress
    detail: Literal["auto", "low", "high", "original"] | None = None
    file_id: None = None


class InputFile(Body):
    """A document that the model is to read: an address, or the document itself in base64."""

    type: Literal["input_file"]
    file_data: Base64 | None = None
    file_url: FileAddress | None = None
    filename: Annotated[str, StringConstraints(max_length=256)] | None = None
    file_id: None = None


class OutputText(Body):
    """Text that the model once wrote."""

    type: Literal["output_text"]
    text: str
    annotations: list[Schema] | None = None
    logprobs: list[Schema] | None = None
    # What OpenAI's own client adds to what it parsed; nobody is sent it.
    parsed: Any = Field(default=None, exclude=True)


class Refusal(Body):
    """What the model once declined to answer."""

    type: Literal["refusal"]
    refusal: str


Part = Annotated[
    Annotated[InputText, Tag("<input_text>")]
    | Annotated[InputImage, Tag("<input_image>")]
    | Annotated[InputFile, Tag("<input_file>")]
    | Annotated[OutputText, Tag("<output_text>")]
    | Annotated[Refusal, Tag("<refusal>")],
    BY_KIND,
]
Parts = Annotated[list[Part], Field(max_length=MOST_PARTS)]


class Message(Body):
    """One message of the conversation, of the user's or the model's."""

    type: Literal["message"] | None = None
    role: Literal["user", "assistant", "system", "developer"]
    content: str | Parts
    id: str | None = None
    status: Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None

    @property
    def parts(self) -> list[Any]:
        """The content as parts."""
        if isinstance(self.content, str):
            return [InputText(type="input_text", text=self.content)]
        return self.content


class FunctionCall(Body):
    """A call that the model made earlier."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: Status | None = None
    # What OpenAI's own client adds to what it parsed; nobody is sent it.
    parsed_arguments: Any = Field(default=None, exclude=True)


class FunctionCallOutput(Body):
    """What a function gave for a call."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | Parts
    id: str | None = None
    status: Status | None = None


class SummaryText(Body):
    """A part of the summary of what the model thought."""

    type: Literal["summary_text"]
    text: str


class ReasoningText(Body):
    """A part of what the model thought."""

    type: Literal["reasoning_text"]
    text: str


class ReasoningItem(Body):
    """What the model thought earlier, perhaps sealed by its provider."""

    type: Literal["reasoning"]
    summary: list[SummaryText] = Field(max_length=MOST_PARTS)
    id: str | None = None
    content: list[ReasoningText] | None = Field(default=None, max_length=MOST_PARTS)
    encrypted_content: str | None = None
    status: Status | None = None


Item = Annotated[
    Annotated[Message, Tag("<None>")]
    | Annotated[Message, Tag("<message>")]
    | Annotated[FunctionCall, Tag("<function_call>")]
    | Annotated[FunctionCallOutput, Tag("<function_call_output>")]
    | Annotated[ReasoningItem, Tag("<reasoning>")],
    BY_KIND,
]


class FunctionTool(Body):
    """A function that the model may call."""

    type: Literal["function"]
    name: ToolName
    description: str | None = None
    parameters: Schema | None = None
    strict: bool | None = None


Tool = Annotated[Annotated[FunctionTool, Tag("<function>")], BY_KIND]


class FunctionChoice(Body):
    """The function that must be called."""

    type: Literal["function"]
    name: ToolName


class TextFormat(Body):
    """The form of the answer: any."""

    type: Literal["text"]


class JsonObjectFormat(Body):
    """The form of the answer: some JSON object."""

    type: Literal["json_object"]


class JsonSchemaFormat(Body):
    """The form of the answer: JSON that follows a schema."""

    type: Literal["json_schema"]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema_: Schema = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None


class TextConfig(Body):
    """The form of the answer, and how much is said."""

    format: (
        Annotated[
            Annotated[TextFormat, Tag("<text>")]
            | Annotated[JsonObjectFormat, Tag("<json_object>")]
            | Annotated[JsonSchemaFormat, Tag("<json_schema>")],
            BY_KIND,
        ]
        | None
    ) = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Reasoning(Body):
    """How much the model thinks, and what it tells of that."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class StreamOptions(Body):
    """What a stream carries beside its events."""

    include_obfuscation: bool | None = None


class Kept(Body):
    """Something that a provider keeps, by its name there."""

    id: str


# What needs something that a provider has kept, or that runs on without anybody, and why not.
_KEPT = (
    "its input would be of a length that is not known here, so what it would cost cannot be bounded"
)
NOT_TAKEN = MappingProxyType(
    {
        "previous_response_id": f"Nothing is kept between calls: {_KEPT}. Send all of it as input.",
        "conversation": f"Nothing is kept between calls: {_KEPT}. Send all of it as input.",
        "prompt": f"A prompt that the provider keeps is not taken: {_KEPT}. Send it as input.",
        "background": "A call is charged when it is answered, so nothing runs on in the background.",
    }
)


class ResponsesRequest(CallBody):
    """The body of ``POST /v1/responses``."""

    input: str | Annotated[list[Item], Field(min_length=1, max_length=MOST_ITEMS)]
    instructions: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_output_tokens: int | None = Field(default=None, ge=1, le=10_000_000)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    tools: list[Tool] | None = Field(default=None, max_length=MOST_TOOLS)
    tool_choice: Literal["none", "auto", "required"] | FunctionChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    include: (
        list[
            Literal[
                "reasoning.encrypted_content",
                "message.output_text.logprobs",
                "message.input_image.image_url",
            ]
        ]
        | None
    ) = Field(default=None, max_length=16)
    truncation: Literal["auto", "disabled"] | None = None
    service_tier: Literal["auto", "default", "flex", "priority"] | None = None
    prompt_cache_key: StoredText | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    store: bool | None = None
    user: StoredText | None = None
    safety_identifier: StoredText | None = None
    metadata: dict[StoredName, StoredText] | None = Field(default=None, max_length=16)
    # Taken only when they ask for nothing: see NOT_TAKEN.
    previous_response_id: str | None = None
    conversation: str | Kept | None = None
    prompt: Kept | None = None
    background: bool | None = None

    # Read here and not passed on: the gateway decides them, or keeps them for itself.
    OWN: ClassVar[frozenset[str]] = frozenset(
        {
            *NOT_TAKEN,
            "model",
            "stream",
            "stream_options",
            "max_output_tokens",
            "store",
            "metadata",
            "user",
            "safety_identifier",
        }
    )
    ASIDE: ClassVar[frozenset[str]] = frozenset(
        {
            *NOT_TAKEN,
            "stream_options",
            "prompt_cache_key",
            "prompt_cache_retention",
            "store",
            "metadata",
            "user",
            "safety_identifier",
        }
    )

    @property
    def is_deterministic(self) -> bool:
        """Whether nothing is left to chance: temperature 0."""
        return self.temperature == 0

    @property
    def end_user(self) -> str:
        """Whom the call is made for."""
        return self.user or self.safety_identifier or ""

    @property
    def labels(self) -> dict[str, str]:
        """The pairs of ``metadata``."""
        return dict(self.metadata or {})

    @property
    def items(self) -> list[Any]:
        """The input as items."""
        if isinstance(self.input, str):
            return [Message(role="user", content=self.input)]
        return self.input

    def parts(self) -> Iterator[tuple[str, Any]]:
        """Give every part of the input with its place in the body."""
        for at, item in enumerate(self.items):
            if isinstance(item, Message):
                name, parts = "content", item.parts
            elif isinstance(item, FunctionCallOutput) and isinstance(item.output, list):
                name, parts = "output", item.output
            else:
                continue
            for position, part in enumerate(parts):
                yield f"input[{at}].{name}[{position}]", part

    def passed_on(self) -> dict[str, Any]:
        """Give what goes to a provider of this dialect, without what the gateway decides."""
        return self.model_dump(exclude=set(self.OWN), exclude_none=True, by_alias=True)

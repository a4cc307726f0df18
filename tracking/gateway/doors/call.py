"""What goes through a door: one attempt, and the answer to it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Where each provider listens that the library knows by name and that speaks this format itself.
WIRE_ADDRESSES = {
    "openai": "https://api.openai.com/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "together_ai": "https://api.together.xyz/v1",
    "xai": "https://api.x.ai/v1",
}
# ... and the provider whose own dialect is that of messages.
MESSAGES_ADDRESSES = {"anthropic": "https://api.anthropic.com/v1"}
# What the library knows providers by that are called at an address which somebody entered.
LIBRARY_NAMES = {"openai_compatible": "hosted_vllm", "anthropic_compatible": "anthropic"}
# Through which door calls to each kind of provider go, unless one was chosen.
_DOORS = {
    "openai_compatible": "wire",
    "anthropic_compatible": "library",
    "litellm": "library",
    "demo": "library",
}

# What is in every answer of an endpoint: a list of objects, or a text. Without it there is none.
ESSENTIAL = {
    "chat.completions": "choices",
    "completions": "choices",
    "embeddings": "data",
    "images.generations": "data",
    "messages": "content",
    "moderations": "results",
    "rerank": "results",
    "responses": "output",
    "audio.transcriptions": "text",
}


@dataclass(frozen=True, slots=True)
class Route:
    """Where a model is called: the provider, its address and key, and the model's name there.

    ``mode`` is the catalogue's: what the model is for. ``credential`` is the label of the key, where
    a provider has several.
    """

    provider: str
    kind: str
    model: str
    base_url: str = ""
    key: str = field(default="", repr=False)
    mode: str = "chat"
    credential: str = ""
    door: str = ""

    @property
    def is_wired(self) -> bool:
        """Whether calls go out as they are; unless chosen, only to any OpenAI-compatible address."""
        return (self.door or _DOORS[self.kind]) == "wire"


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One attempt: where to, which endpoint, what, and within how many seconds.

    ``parameters`` are in the endpoint's own dialect, with the output cap that the hold was made
    for, and without ``model`` and ``stream``, which the door adds. ``timeout_s`` bounds the whole
    attempt. Within it, a connection that is not made in ``connect_timeout_s`` was never reached;
    a stream has ``first_byte_timeout_s`` to begin and may pause for ``idle_timeout_s``.
    """

    route: Route
    endpoint: str
    parameters: Mapping[str, Any] = field(repr=False)
    timeout_s: float
    connect_timeout_s: float = 10
    first_byte_timeout_s: float = 300
    idle_timeout_s: float = 120


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: parsed JSON, or for what is none its bytes and their type."""

    body: dict[str, Any]
    content: bytes = b""
    content_type: str = "application/json"


class Event(NamedTuple):
    """One event of a streamed answer: parsed, and the bytes it came as where the door has them.

    The bytes are one line of data and the empty line after it: ``data: {...}``, twice a newline.
    """

    body: dict[str, Any]
    raw: bytes = b""


def is_sound(content_type: str) -> bool:
    """Tell whether an answer's type can be that of sound; whatever else came is no speech."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("audio/") or kind == "application/octet-stream"

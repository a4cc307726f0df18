"""What goes through a door: one attempt, and the answer to it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Route:
    """Where a model is called: the provider, its address and key, and the model's name there.

    ``mode`` is the catalogue's: what the model is for.
    """

    provider: str
    kind: str
    model: str
    base_url: str = ""
    key: str = field(default="", repr=False)
    mode: str = "chat"


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One attempt: where to, which endpoint, what, and within how many seconds.

    ``parameters`` are in the endpoint's own dialect, with the output cap that the hold was made
    for, and without ``model`` and ``stream``, which the door adds.
    """

    route: Route
    endpoint: str
    parameters: Mapping[str, Any] = field(repr=False)
    timeout_s: float


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

"""Server-sent events as they go out to clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from budgets.http.wire import json_bytes


def as_object(value: Any) -> dict[str, Any]:
    """Take what a provider said for an object; anything else stands for an empty one."""
    return value if isinstance(value, dict) else {}


def named_event(body: Mapping[str, Any]) -> bytes:
    """Write an event under the name that its ``type`` gives it."""
    name = str(body.get("type") or "message").encode(errors="replace")
    return b"event: " + name.split(b"\n")[0] + b"\ndata: " + json_bytes(body) + b"\n\n"

"""JSON as it goes out to callers."""

from __future__ import annotations

import json
from typing import Any

import orjson


def json_bytes(body: Any) -> bytes:
    """Write a value as JSON; amounts must already be text.

    What a provider says is passed on as it came, be it half of a surrogate pair or a number of
    thirty digits: the fast writer refuses these, and then the standard library's takes over.
    """
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        return json.dumps(body, separators=(",", ":")).encode()

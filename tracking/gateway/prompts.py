"""Tells prompts that were sent before without keeping a word of them. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

# What endpoints name that which a model reads, or hears: a file is nothing that is hashed.
_PROMPTS = (
    *("messages", "input", "prompt", "suffix", "query", "documents"),
    *("instructions", "system", "tools", "file"),
)


def prompt_hash(
    *, organization_id: int, parameters: Mapping[str, Any], pepper: bytes
) -> str | None:
    """Hash what a model is given to read; None where it is nothing that can be written as JSON.

    Equal prompts of an organization have equal hashes; those of two organizations never tell
    anything of each other, and without the site's pepper nobody can try prompts out.
    """
    read = {name: parameters[name] for name in _PROMPTS if name in parameters}
    if not read:
        return None
    try:
        written = orjson.dumps([organization_id, read], option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return None
    return str(UUID(bytes=hmac.digest(pepper, written, "sha256")[:16]))

"""What the demo provider makes beside chats: vectors of texts, and pictures of one colour."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
import zlib
from typing import Any

_DIMENSIONS = 256
_PICTURE_SIDE = 64


def embedded(kwargs: dict[str, Any], *, count: Any) -> tuple[list[dict[str, Any]], int]:
    """Embed the texts of a call, and count their tokens with ``count``."""
    given = kwargs["input"]
    texts = given if isinstance(given, list) else [given]
    dimensions = kwargs["optional_params"].get("vector_length") or _DIMENSIONS
    vectors = [
        {"object": "embedding", "index": index, "embedding": vector_of(text, dimensions)}
        for index, text in enumerate(texts)
    ]
    return vectors, sum(max(count(str(text)), 1) for text in texts)


def drawn(kwargs: dict[str, Any]) -> list[str]:
    """Draw the pictures of a call, each in base64."""
    picture = base64.b64encode(picture_of(kwargs["prompt"])).decode()
    return [picture] * (kwargs["optional_params"].get("pictures") or 1)


def vector_of(text: Any, dimensions: int) -> list[float]:
    """Make a vector of length one from a text's digest: equal texts, equal vectors."""
    digest = b"".join(
        hashlib.sha256(f"{block} {text}".encode()).digest() for block in range(dimensions // 32 + 1)
    )
    vector = [byte / 127.5 - 1 for byte in digest[:dimensions]]
    length = math.hypot(*vector) or 1.0
    return [value / length for value in vector]


def picture_of(prompt: str) -> bytes:
    """Draw a square of the one colour that a prompt's digest stands for, as PNG."""
    colour = hashlib.sha256(prompt.encode()).digest()[:3]
    rows = (b"\x00" + colour * _PICTURE_SIDE) * _PICTURE_SIDE
    header = struct.pack(">IIBBBBB", _PICTURE_SIDE, _PICTURE_SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(*chunk) for chunk in chunks)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    checked = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checked

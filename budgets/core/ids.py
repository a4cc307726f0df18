"""Ids that sort by time: UUID version 7 (RFC 9562, section 5.7)."""

from __future__ import annotations

import os
from datetime import datetime
from uuid import UUID


def uuid7(now: datetime) -> UUID:
    """Make an id of the instant's milliseconds and 74 random bits; ids of later instants sort later."""
    milliseconds = int(now.timestamp() * 1000)
    random = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64 | 0b10 << 62
    return UUID(int=value | random & (1 << 62) - 1)

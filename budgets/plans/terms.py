"""The bounds of what a plan can say. Pure."""

from __future__ import annotations

MOST_CACHE_TTL_S = 7 * 24 * 3600

"""Which calls may be answered from the cache, and when two requests are the same. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from budgets.plans.terms import MOST_CACHE_TTL_S
from tracking.gateway.endpoints.bodies import CallBody, ValueOutOfRange

TTL_HEADER = "X-Cache-TTL"


@dataclass(frozen=True, slots=True)
class CacheUse:
    """Whether a call may be answered from the cache, and for how many seconds its answer is kept.

    ``keeps_s`` 0 keeps nothing.
    """

    reads: bool = False
    keeps_s: int = 0


def cache_use(*, request: CallBody, headers: Mapping[str, str], ttl_s: int) -> CacheUse:
    """Decide about one call; ``ttl_s`` is what its key or plan says.

    By itself only a request that leaves nothing to chance is cached. One that names a time in
    ``X-Cache-TTL`` is cached whatever it asks for. ``Cache-Control: no-cache`` reads nothing,
    ``no-store`` neither reads nor keeps.

    :raises ValueOutOfRange: if the time named is no number of seconds in range
    """
    asked_s = _asked_ttl(headers.get(TTL_HEADER))
    kept_s = asked_s if asked_s is not None else (ttl_s if request.is_deterministic else 0)
    said = {word.strip().lower() for word in headers.get("Cache-Control", "").split(",")}
    if "no-store" in said or not kept_s:
        return CacheUse()
    return CacheUse(reads="no-cache" not in said, keeps_s=kept_s)


def digest_of(*, endpoint: str, model: str, request: CallBody, default_output_tokens: int) -> bytes:
    """Hash what an answer depends on: 32 bytes, equal for requests that mean the same.

    Who asks for whom is left out; the model is the one that would be called.
    """
    asked = request.model_dump(exclude={*request.ASIDE, "model"}, exclude_none=True, by_alias=True)
    parts = [endpoint, model, default_output_tokens, asked]
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).digest()


def _asked_ttl(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > MOST_CACHE_TTL_S:
        raise ValueOutOfRange(
            f"{TTL_HEADER} is a number of seconds up to {MOST_CACHE_TTL_S}.", param=TTL_HEADER
        )
    return int(text)

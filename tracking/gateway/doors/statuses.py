"""What a provider's answer of failure means, and what is told of it. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from tracking.gateway import failures

_MOST_TOLD = 400

_BY_STATUS: dict[int, type[failures.ProviderFailure]] = {
    401: failures.ProviderAuthFailed,
    403: failures.ProviderAuthFailed,
    408: failures.ProviderError,
    429: failures.ProviderRateLimited,
}


def failure_of_status(*, status: int, text: str) -> type[failures.ProviderFailure]:
    """Judge a status that is no success, with what was said beside it; none of them is billed."""
    if _is_too_long(text, status):
        return failures.ContextLengthExceeded
    return _BY_STATUS.get(status) or (
        failures.ProviderRefused if 400 <= status < 500 else failures.ProviderError
    )


def failure_told(
    kind: type[failures.ProviderFailure], *, said: str, key: str, details: dict[str, Any]
) -> failures.ProviderFailure:
    """Make the failure, with the provider's own words where the caller can do something about it."""
    if kind not in (failures.ProviderRefused, failures.ContextLengthExceeded):
        return kind(**details)
    told = redacted(said, key)
    return kind(f"{kind().message} {details['provider']} says: {told}", **details)


def message_of(text: str) -> str:
    """Find the message in an error's body; the whole text where it has another shape."""
    try:
        return str(orjson.loads(text)["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return text


def redacted(text: str, key: str) -> str:
    """Shorten what a provider said, and take out the key should it repeat it."""
    cleaned = text.replace(key, "***") if key else text
    return cleaned if len(cleaned) <= _MOST_TOLD else f"{cleaned[:_MOST_TOLD]}…"


def retry_after(text: str | None) -> dict[str, int]:
    """Read a Retry-After header that is in seconds, as a failure's details carry it."""
    text = text or ""
    return {"retry_after_s": int(text)} if text.isdecimal() and len(text) < 6 else {}


def _is_too_long(text: str, status: int) -> bool:
    text = text.lower()
    return status == 400 and ("context_length_exceeded" in text or "maximum context length" in text)

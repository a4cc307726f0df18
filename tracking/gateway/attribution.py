"""To whom and what a call is attributed, beside its API key: read from body and headers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tracking.gateway.endpoints.bodies import CallBody, ValueOutOfRange

MOST_TAGS = 16
_MOST_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Attribution:
    """Tags (sorted, each once), the end user, the session, and free metadata."""

    tags: tuple[str, ...] = ()
    end_user: str = ""
    session: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def attribution_of(*, request: CallBody, headers: Mapping[str, str]) -> Attribution:
    """Read the attribution of a call.

    Tags come from ``metadata.tags`` (comma-separated) and the headers ``X-Tags`` and
    ``x-litellm-tags``; the session from ``metadata.session``; the end user from the body.

    :raises ValueOutOfRange: if there are too many tags, or one is too long
    """
    metadata = request.labels
    texts = [metadata.pop("tags", ""), headers.get("X-Tags", ""), headers.get("x-litellm-tags", "")]
    return Attribution(
        tags=_tags(texts),
        end_user=request.end_user[:160],
        session=metadata.pop("session", "")[:160],
        metadata=metadata,
    )


def _tags(texts: Iterable[str]) -> tuple[str, ...]:
    tags = sorted({tag.strip() for text in texts for tag in text.split(",") if tag.strip()})
    if len(tags) > MOST_TAGS or any(len(tag) > _MOST_CHARACTERS for tag in tags):
        raise ValueOutOfRange(
            f"A call takes at most {MOST_TAGS} tags of at most {_MOST_CHARACTERS} characters.",
            param="metadata.tags",
        )
    if any(not tag.isprintable() for tag in tags):
        raise ValueOutOfRange("A tag must be printable text.", param="metadata.tags")
    return tuple(tags)

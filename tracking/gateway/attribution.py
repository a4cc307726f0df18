"""To whom and what a call is attributed, beside its API key: read from body and headers. Pure.

Headers of other gateways are understood, so that applications that come from them keep their
attribution. Nothing of it reaches a provider.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import orjson

from budgets.core.errors import DomainError
from budgets.tenancy.callers import matches
from tracking.gateway.endpoints.bodies import CallBody, ValueOutOfRange

MOST_TAGS = 16
MOST_LABELS = 16
_MOST_CHARACTERS = 120
_MOST_NAME, _MOST_VALUE = 64, 512
_MOST_STORED = 160

TAG_HEADERS = ("X-Tags", "x-litellm-tags")
SESSION_HEADERS = ("X-Session-Id", "x-litellm-session-id", "Helicone-Session-Id")
END_USER_HEADERS = (
    "X-End-User",
    "x-litellm-end-user-id",
    "x-litellm-customer-id",
    "Helicone-User-Id",
)
# Headers that carry labels as one JSON object.
LABEL_HEADERS = ("x-portkey-metadata", "x-litellm-spend-logs-metadata")
# A header whose name ends in the name of a label.
LABEL_PREFIX = "helicone-property-"
# Headers that are a label by themselves, and its name.
NAMED_LABELS = MappingProxyType({"OpenAI-Project": "openai_project", "X-Title": "title"})
# What other gateways name the end user and the session among their labels.
_END_USER_LABEL, _SESSION_LABEL = "_user", "session"


class TagsMissing(DomainError):
    """The API key demands tags that the call does not carry."""

    code = "tags_missing"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Tags (sorted, each once), the end user, the session, and free metadata."""

    tags: tuple[str, ...] = ()
    end_user: str = ""
    session: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def attribution_of(
    *, request: CallBody, headers: Mapping[str, str], required_tags: Sequence[str] = ()
) -> Attribution:
    """Read the attribution of a call; what the body says goes before what a header says.

    Tags come from ``metadata.tags`` and the tag headers, all separated by commas; the session from
    ``metadata.session`` or a header; the end user from the body or a header; all other pairs of
    ``metadata`` and of the label headers are metadata. ``required_tags`` are patterns, each of
    which some tag must match.

    :raises ValueOutOfRange: if there are too many tags or labels, or one is too long or no text
    :raises TagsMissing: if no tag matches a required pattern
    """
    labels = {**dict(_header_labels(headers)), **request.labels}
    texts = [labels.pop("tags", ""), *(headers.get(name, "") for name in TAG_HEADERS)]
    session = labels.pop(_SESSION_LABEL, "") or _first(headers, SESSION_HEADERS)
    labelled_user = labels.pop(_END_USER_LABEL, "")
    end_user = request.end_user or _first(headers, END_USER_HEADERS) or labelled_user
    _check_labels(labels)
    tags = _tags(texts)
    _check_required(tags, required_tags)
    return Attribution(
        tags=tags,
        end_user=_stored(end_user, "user"),
        session=_stored(session, "metadata.session"),
        metadata=labels,
    )


def _first(headers: Mapping[str, str], names: Iterable[str]) -> str:
    return next((headers[name] for name in names if headers.get(name)), "")


def _header_labels(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, label in NAMED_LABELS.items():
        if headers.get(name):
            yield label, headers[name]
    for name, value in headers.items():
        if name.lower().startswith(LABEL_PREFIX):
            yield name[len(LABEL_PREFIX) :].lower(), value
    for name in LABEL_HEADERS:
        if headers.get(name):
            yield from _json_labels(name, headers[name])


def _json_labels(header: str, text: str) -> Iterator[tuple[str, str]]:
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError:
        read = None
    if not isinstance(read, dict):
        raise ValueOutOfRange(f"{header} must be a JSON object.", param=header)
    for name, value in read.items():
        yield name, value if isinstance(value, str) else orjson.dumps(value).decode()


def _check_labels(labels: Mapping[str, str]) -> None:
    if len(labels) > MOST_LABELS:
        raise ValueOutOfRange(f"A call takes at most {MOST_LABELS} labels.", param="metadata")
    for name, value in labels.items():
        if len(name) > _MOST_NAME or len(value) > _MOST_VALUE:
            raise ValueOutOfRange(
                f"A label's name takes at most {_MOST_NAME} characters, its value {_MOST_VALUE}.",
                param=f"metadata.{name[:_MOST_NAME]}",
            )
        if not name.isprintable() or "\x00" in value:
            raise ValueOutOfRange("A label must be printable text.", param="metadata")


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


def _check_required(tags: Iterable[str], patterns: Iterable[str]) -> None:
    missing = [
        pattern
        for pattern in patterns
        if not any(matches(pattern=pattern, name=tag) for tag in tags)
    ]
    if missing:
        raise TagsMissing(
            "This API key demands a tag for each of these: "
            f"{', '.join(missing)}. Send them in X-Tags or metadata.tags, separated by commas.",
            param="metadata.tags",
        )


def _stored(text: str, param: str) -> str:
    """Keep a name as the ledger's columns hold it."""
    if "\x00" in text:
        raise ValueOutOfRange("must not contain the NUL character", param=param)
    return text[:_MOST_STORED]

"""Writes what was heard as subtitles. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Segments = Sequence[Mapping[str, Any]]


def srt(segments: Segments) -> str:
    """Write segments as SubRip: numbered, with commas before the milliseconds."""
    return "".join(
        f"{number}\n{_span(segment, mark=',')}\n{_text(segment)}\n\n"
        for number, segment in enumerate(segments, start=1)
    )


def vtt(segments: Segments) -> str:
    """Write segments as WebVTT."""
    spans = (f"{_span(segment, mark='.')}\n{_text(segment)}\n\n" for segment in segments)
    return "WEBVTT\n\n" + "".join(spans)


def _span(segment: Mapping[str, Any], *, mark: str) -> str:
    return f"{_instant(segment.get('start'), mark)} --> {_instant(segment.get('end'), mark)}"


def _instant(seconds: Any, mark: str) -> str:
    thousandths = round(float(seconds or 0) * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"


def _text(segment: Mapping[str, Any]) -> str:
    return str(segment.get("text") or "").strip()

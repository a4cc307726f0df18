"""Server-sent events, whole again however the network cuts them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.gateway.doors.frames import Frames, FrameTooLong, data_of

STREAM = b": hello\n\ndata: one\n\nevent: x\ndata: two\ndata: three\n\ndata:four\n\n"
EVENTS = [b": hello", b"data: one", b"event: x\ndata: two\ndata: three", b"data:four"]


@given(st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(0, 100), max_size=8))
def test_gives_the_same_events_wherever_the_stream_is_cut(end: bytes, places: list[int]) -> None:
    stream = STREAM.replace(b"\n", end) + b"data: last"
    cuts = sorted({0, len(stream), *(place for place in places if place < len(stream))})
    frames = Frames(most_bytes=1000)

    found = [frame for begin, stop in pairwise(cuts) for frame in frames.feed(stream[begin:stop])]

    assert found == EVENTS


def test_gives_an_event_as_soon_as_it_is_whole() -> None:
    frames = Frames(most_bytes=1000)

    assert list(frames.feed(b"data: one")) == []
    assert list(frames.feed(b"\n")) == []
    assert list(frames.feed(b"\ndata: t")) == [b"data: one"]
    assert list(frames.feed(b"wo\n\n")) == [b"data: two"]


def test_refuses_to_collect_without_end() -> None:
    frames = Frames(most_bytes=10)
    frames.feed(b"data: 1234\n\ndata: 12")

    with pytest.raises(FrameTooLong):
        frames.feed(b"3456")


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (b"data: one", b"one"),
        (b"data:one", b"one"),
        (b"data:  one", b" one"),
        (b"event: x\nid: 7\ndata: one\ndata: two", b"one\ntwo"),
        (b": ping", b""),
        (b"event: x", b""),
        (b"data: ", b""),
    ],
)
def test_reads_the_data_of_an_event(frame: bytes, data: bytes) -> None:
    assert data_of(frame) == data

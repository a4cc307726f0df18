"""Server-sent events, cut out of a stream of bytes as it comes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_GAP = b"\n\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class FrameTooLong(ValueError):
    """An event is longer than anybody may send."""


class Frames:
    """Collects the bytes of a stream, and gives each event once it is whole.

    Lines may end in the three ways of the format; what is given has newlines only. A line's end
    at the end of a block is kept back, since it may be the first half of two bytes.
    """

    def __init__(self, *, most_bytes: int) -> None:
        self._most = most_bytes
        self._rest = bytearray()
        self._is_begun = False

    def feed(self, block: bytes) -> Sequence[bytes]:
        """Add a block and give the events that it completes, each without the empty line after it.

        :raises FrameTooLong: if more is collected than the bound, and no event among it
        """
        rest = self._rest
        looked_at = max(0, len(rest) - 1)
        rest += block
        if b"\r" in rest:
            looked_at = 0
            kept = b"\r" if rest.endswith(b"\r") else b""
            rest = bytearray(_plain(rest[: len(rest) - len(kept)])) + kept
        at = rest.rfind(_GAP, looked_at)
        self._rest = rest
        if at < 0:
            if len(rest) > self._most:
                raise FrameTooLong
            return ()
        whole = bytes(rest[:at])
        del rest[: at + len(_GAP)]
        if not self._is_begun:
            self._is_begun = True
            whole = whole.removeprefix(_BYTE_ORDER_MARK)
        return whole.split(_GAP)


def data_of(frame: bytes) -> bytes:
    """Give an event's data; empty for a comment, or an event without any."""
    if frame.startswith(b"data: ") and b"\n" not in frame:
        return frame[6:]
    lines = [line[5:] for line in frame.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(line.removeprefix(b" ") for line in lines)


def _plain(text: bytearray) -> bytearray:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

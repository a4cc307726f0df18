"""The limit of a request's body, counted as it arrives."""

from __future__ import annotations

from budgets.core.errors import DomainError
from costsite.edges.protocol import Message, Receive, Scope


class BodyTooLarge(DomainError):
    """The request's body is larger than this server takes."""

    code = "request_too_large"


class LimitedBody:
    """Stands for ``receive``; at the first byte over the limit it says that the client has left.

    Whoever reads then lets go of what was read, and the edge answers in its place. A length that
    the client declares is believed when it is too large: then nothing is read at all.
    """

    def __init__(self, receive: Receive, *, scope: Scope, limit: int) -> None:
        self._receive = receive
        self._left = limit
        declared = next(
            (value for name, value in scope["headers"] if name == b"content-length"), b""
        )
        self.is_exceeded = declared.isdigit() and int(declared) > limit

    async def __call__(self) -> Message:
        """Give the server's next message."""
        if not self.is_exceeded:
            message = await self._receive()
            self._left -= len(message.get("body", b""))
            self.is_exceeded = self._left < 0
        return {"type": "http.disconnect"} if self.is_exceeded else message

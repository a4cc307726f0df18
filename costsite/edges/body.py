"""The limit of a request's body, counted as it arrives."""

from __future__ import annotations

from budgets.core.errors import DomainError
from costsite.edges.protocol import Message, Receive, Scope


class BodyTooLarge(DomainError):
    """The request's body is larger than this server takes."""

    code = "request_too_large"


def limited(receive: Receive, *, scope: Scope, limit: int) -> Receive:
    """Wrap ``receive`` so that it raises BodyTooLarge at the first byte over the limit.

    A length that the client declares is believed when it is too large: then nothing is read at all.
    """
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    is_declared_too_large = declared.isdigit() and int(declared) > limit
    received = 0

    async def receive_within_limit() -> Message:
        nonlocal received
        if is_declared_too_large:
            raise BodyTooLarge(limit_bytes=limit)
        message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > limit:
                raise BodyTooLarge(limit_bytes=limit)
        return message

    return receive_within_limit

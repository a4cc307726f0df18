"""Django's request handler without what the gateway does not need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, resolve, set_script_prefix, set_urlconf

from costsite.edges.protocol import Receive, Scope, Send

# A quick answer is finished before anyone could see its client leave; only longer ones are watched.
UNWATCHED_S = 0.02


class BareHandler(ASGIHandler):
    """Django's handler without middleware."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002  Django's
        """Put the view directly behind the handler."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        answer = self._get_response_async  # type: ignore[attr-defined]  # the stubs do not know it
        self._middleware_chain: Any = convert_exception_to_response(answer)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Give the view's answer. Django would log every 4xx and 503, in a thread for each."""
        set_urlconf(settings.ROOT_URLCONF)
        response: HttpResponseBase = await self._middleware_chain(request)
        _closers(response).append(request.close)
        return response


class LeanHandler(BareHandler):
    """For async views that never touch the ORM: no thread per request, no task per request.

    Django's handler gives every request a thread of its own, announces its start and end to
    receivers that look after the ORM's connections, and listens for the client's leaving in a
    second task. Here is nothing to look after, and the listening begins only for what takes longer.
    """

    def __init__(self) -> None:
        super().__init__()
        # The few addresses that there are come again and again.
        self._resolved = lru_cache(maxsize=256)(resolve)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self.handle(scope, receive, send)

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """Find the view for an address."""
        request.resolver_match = self._resolved(request.path_info, settings.ROOT_URLCONF)
        return request.resolver_match

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; when the client leaves first, cancel whatever is being done for it."""
        body = await _whole_body(receive)
        if body is None:
            return
        set_script_prefix(get_script_prefix(scope))
        async with Attendance(receive):
            request, refusal = self.create_request(scope, BytesIO(body))
            response = refusal if request is None else await self.run_get_response(request)
            assert response is not None
            if isinstance(response, HttpResponse) and "Content-Length" not in response:
                response["Content-Length"] = str(len(response.content))
            try:
                await self.send_response(response, send)
            finally:
                _close(response)


class Attendance:
    """Cancels the current task when its client leaves, and swallows that cancellation at the end.

    Any other cancellation passes through, so a server that stops is not taken for a client.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_left = False
        self._listener: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to listen after a while."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancellations_before = task.cancelling()
        self._timer = loop.call_later(UNWATCHED_S, self._begin)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Stop listening; swallow the cancellation that was ours."""
        self._timer.cancel()
        if self._listener is not None:
            self._listener.cancel()
        if not self._has_left:
            return False
        is_ours_alone = self._task.uncancel() <= self._cancellations_before
        return is_ours_alone and kind is not None and issubclass(kind, asyncio.CancelledError)

    def _begin(self) -> None:
        self._listener = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._has_left = True
        self._task.cancel("the client has left")


async def _whole_body(receive: Receive) -> bytes | None:
    """Read the body into memory; None when the client leaves before it is whole."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _close(response: HttpResponseBase) -> None:
    """Close what the response holds. Its own close() would also announce the request's end."""
    for closer in _closers(response):
        closer()
    response.closed = True


def _closers(response: HttpResponseBase) -> list[Callable[[], None]]:
    closers: list[Callable[[], None]] = response._resource_closers  # type: ignore[attr-defined]  # noqa: SLF001
    return closers

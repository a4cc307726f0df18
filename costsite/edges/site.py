"""The one door of the web server."""

from __future__ import annotations

import orjson
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler

from budgets.http.errors import answer_of
from costsite.edges import lifespan
from costsite.edges.body import BodyTooLarge, LimitedBody
from costsite.edges.handlers import BareHandler, LeanHandler
from costsite.edges.protocol import Receive, Scope, Send
from costsite.edges.static import StaticFiles
from tracking.gateway.endpoints.table import dialect_at

PROBES = frozenset({"/healthz", "/readyz"})


class Site:
    """Sends each request to whoever answers it best: see ``costsite.asgi``."""

    def __init__(self) -> None:
        self._static = StaticFiles()
        self._gateway = LeanHandler()
        self._probes = BareHandler()
        self._pages = ASGIHandler()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server: a request, or the process's own life."""
        if scope["type"] == "lifespan":
            await lifespan.live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            raise ValueError(f"{scope['type']} connections are not served.")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in {"GET", "HEAD"} and self._static.has(scope["path"]):
            await self._static.answer(scope, send)
            return
        body = LimitedBody(receive, scope=scope, limit=settings.COSTSITE_MAX_BODY_BYTES)
        await self._handler(scope["path"])(scope, body, send)
        if body.is_exceeded:
            error = BodyTooLarge(limit_bytes=settings.COSTSITE_MAX_BODY_BYTES)
            await _refuse(error, path=scope["path"], send=send)

    def _handler(self, path: str) -> ASGIHandler:
        if path.startswith("/v1/") or path == "/v1":
            return self._gateway
        return self._probes if path in PROBES else self._pages


async def _refuse(error: BodyTooLarge, *, path: str, send: Send) -> None:
    body = orjson.dumps(dialect_at(path).error(error, request_id=None))
    await send(
        {
            "type": "http.response.start",
            "status": answer_of(error).status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
            "trailers": False,
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})

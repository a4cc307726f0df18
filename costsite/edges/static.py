"""Static files: found once at the start, read in a thread, sent without Django."""

from __future__ import annotations

import asyncio
from typing import Any
from wsgiref.headers import Headers

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware

from costsite.edges.protocol import Scope, Send

CHUNK_BYTES = 65_536


class StaticFiles:
    """The files of all apps, or those that ``collectstatic`` collected."""

    def __init__(self) -> None:
        self._files = WhiteNoiseMiddleware(_nothing_behind)

    def has(self, path: str) -> bool:
        """Tell whether there is a file at this address."""
        return path in self._files.files

    async def answer(self, scope: Scope, send: Send) -> None:
        """Send the file, or a part of it, or "not modified"."""
        found = self._files.files[scope["path"]]
        response = found.get_response(scope["method"], _as_wsgi(scope))
        headers = Headers([*response.headers, ("X-Content-Type-Options", "nosniff")])
        await send(
            {
                "type": "http.response.start",
                "status": int(response.status),
                "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()],
                "trailers": False,
            }
        )
        if response.file is not None:
            with response.file as opened:
                while part := await asyncio.to_thread(opened.read, CHUNK_BYTES):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _as_wsgi(scope: Scope) -> dict[str, Any]:
    """Write the headers the way in which the library reads them."""
    return {
        f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
        for name, value in scope["headers"]
    }


def _nothing_behind(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=404)

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from costsite.edges import handlers
from costsite.edges.handlers import Attendance, LeanHandler
from tests.costsite.edges.asgi import Client, scope

View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse | StreamingHttpResponse]]

# This module is the address book of its own tests.
urlpatterns: list[Any] = []
handler500 = "costsite.error_pages.server_error"


@pytest.fixture
def serve(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Client]:
    """Put a view behind the handler and begin a request to it."""
    settings.ROOT_URLCONF = __name__
    monkeypatch.setattr(handlers, "UNWATCHED_S", 0.0)

    def begin(view: View, client: Client) -> asyncio.Task[None]:
        urlpatterns[:] = [path("v1/thing", view)]
        handler = LeanHandler()
        request = scope("/v1/thing", method="POST")
        return asyncio.create_task(handler(request, client.receive, client.send))

    return begin  # type: ignore[return-value]


async def test_gives_the_view_the_whole_body_and_sends_its_answer(serve: Any) -> None:
    client = Client([b"ab", b"c"])

    async def view(request: HttpRequest) -> HttpResponse:
        return JsonResponse({"got": request.body.decode(), "method": request.method})

    await serve(view, client)

    assert client.status == 200
    assert client.body == b'{"got": "abc", "method": "POST"}'
    assert client.headers["content-length"] == str(len(client.body))
    assert client.is_whole


async def test_answers_nothing_when_the_client_leaves_before_its_body_is_whole(
    serve: Any,
) -> None:
    client = Client([])
    client.left.set()
    called = []

    async def view(_request: HttpRequest) -> HttpResponse:
        called.append(True)
        return HttpResponse()

    await serve(view, client)

    assert (called, client.answers) == ([], [])


async def test_cancels_the_view_when_the_client_leaves(serve: Any) -> None:
    client = Client()
    working, ended = asyncio.Event(), asyncio.Event()

    async def view(_request: HttpRequest) -> HttpResponse:
        working.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return HttpResponse()

    request = serve(view, client)
    await working.wait()
    client.left.set()
    await asyncio.wait_for(request, 5)

    assert ended.is_set()
    assert client.answers == []
    assert not request.cancelled()


async def test_ends_a_stream_when_the_client_leaves(serve: Any) -> None:
    client = Client()
    ended = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def view(_request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(parts())

    request = serve(view, client)
    await client.answered.wait()
    client.left.set()
    await asyncio.wait_for(request, 5)

    assert ended.is_set()
    assert client.body == b"first"


async def test_lets_a_view_finish_what_it_shields(serve: Any) -> None:
    client = Client()
    working, settled = asyncio.Event(), asyncio.Event()

    async def view(_request: HttpRequest) -> HttpResponse:
        working.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            settled.set()
        return HttpResponse()

    request = serve(view, client)
    await working.wait()
    client.left.set()
    await asyncio.wait_for(request, 5)

    assert settled.is_set()


async def test_sends_a_stream_part_by_part(serve: Any) -> None:
    client = Client()

    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async def view(_request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(parts())

    await serve(view, client)

    assert [answer.get("body") for answer in client.answers[1:]] == [b"one", b"two", None]


async def test_answers_500_in_the_documented_shape_when_a_view_fails(
    serve: Any, settings: Any
) -> None:
    settings.DEBUG_PROPAGATE_EXCEPTIONS = False
    client = Client()

    async def view(_request: HttpRequest) -> HttpResponse:
        raise RuntimeError("a secret detail")

    await serve(view, client)

    assert client.status == 500
    assert b'"code": "internal_error"' in client.body
    assert b"secret" not in client.body


async def test_does_not_swallow_a_cancellation_by_the_server() -> None:
    client = Client([])

    async def request() -> None:
        async with Attendance(client.receive):
            await asyncio.Event().wait()

    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_asks_nobody_to_listen_for_a_quick_answer() -> None:
    client = Client([])

    async with Attendance(client.receive):
        before = len(asyncio.all_tasks())

    assert before == len(asyncio.all_tasks()) == 1


async def test_leaves_no_listener_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "UNWATCHED_S", 0.0)
    client = Client([])

    async with Attendance(client.receive):
        await client.asked.wait()
        assert len(asyncio.all_tasks()) == 2

    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1

from __future__ import annotations

import pytest

from costsite.edges.static import StaticFiles
from tests.costsite.edges.asgi import Client, scope

FILE = "/static/admin/css/base.css"


@pytest.fixture(scope="module")
def files() -> StaticFiles:
    return StaticFiles()


async def test_sends_a_file_whole(files: StaticFiles) -> None:
    client = Client()

    await files.answer(scope(FILE), client.send)

    assert client.status == 200
    assert client.headers["content-type"].startswith("text/css")
    assert client.headers["x-content-type-options"] == "nosniff"
    assert len(client.body) == int(client.headers["content-length"])
    assert client.is_whole


async def test_sends_no_body_for_head(files: StaticFiles) -> None:
    client = Client()

    await files.answer(scope(FILE, method="HEAD"), client.send)

    assert (client.status, client.body) == (200, b"")


async def test_says_not_modified(files: StaticFiles) -> None:
    first, second = Client(), Client()
    await files.answer(scope(FILE), first.send)

    tag = {"If-None-Match": first.headers["etag"]}
    await files.answer(scope(FILE, headers=tag), second.send)

    assert (second.status, second.body) == (304, b"")


async def test_sends_the_part_that_was_asked_for(files: StaticFiles) -> None:
    client = Client()

    await files.answer(scope(FILE, headers={"Range": "bytes=0-3"}), client.send)

    assert client.status == 206
    assert len(client.body) == 4


@pytest.mark.parametrize("path", ["/static/", "/static/../manage.py", "/static/nothing.css", "/"])
def test_has_only_the_files_it_found_at_the_start(files: StaticFiles, path: str) -> None:
    assert not files.has(path)

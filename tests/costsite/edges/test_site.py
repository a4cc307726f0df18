from __future__ import annotations

import json
from typing import Any

import pytest

from costsite.edges.handlers import BareHandler, LeanHandler
from costsite.edges.site import Site
from tests.costsite.edges.asgi import Client, scope


@pytest.fixture(scope="module")
def site() -> Site:
    return Site()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1", "LeanHandler"),
        ("/v1/chat/completions", "LeanHandler"),
        ("/v10", "ASGIHandler"),
        ("/healthz", "BareHandler"),
        ("/readyz", "BareHandler"),
        ("/readyz/", "ASGIHandler"),
        ("/admin/", "ASGIHandler"),
        ("/api/v1/keys", "ASGIHandler"),
    ],
)
def test_sends_each_request_to_whoever_answers_it_best(site: Site, path: str, kind: str) -> None:
    assert type(site._handler(path)).__name__ == kind


def test_puts_no_middleware_before_gateway_and_probes(site: Site) -> None:
    for handler in (site._gateway, site._probes):
        assert isinstance(handler, BareHandler)
        assert handler._view_middleware == []
    assert isinstance(site._gateway, LeanHandler)
    assert not isinstance(site._probes, LeanHandler)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/admin/login/", "/api/v1/keys"])
@pytest.mark.parametrize("declared", [True, False])
async def test_refuses_a_body_over_the_limit_in_the_documented_shape(
    site: Site, settings: Any, path: str, declared: bool
) -> None:
    settings.COSTSITE_MAX_BODY_BYTES = 10
    client = Client([b"x" * 6, b"x" * 6, b"x" * 6])
    headers = {"Content-Length": "18"} if declared else {"Transfer-Encoding": "chunked"}

    await site(scope(path, method="POST", headers=headers), client.receive, client.send)

    assert client.status == 413
    assert client.is_whole
    assert client.parts_read == (0 if declared else 2)
    error = json.loads(client.body)["error"]
    assert error["code"] == "request_too_large"
    assert error["type"] == "invalid_request_error"
    assert error["param"] is None


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1", "/api/nothing"])
async def test_answers_programs_in_json_where_there_is_nothing(site: Site, path: str) -> None:
    client = Client()

    await site(scope(path, headers={"Host": "testserver"}), client.receive, client.send)

    assert client.status == 404
    assert client.headers["content-type"] == "application/json"
    assert json.loads(client.body)["error"]["code"] == "not_found"


async def test_answers_probes_by_any_host_name(site: Site) -> None:
    client = Client()

    await site(scope("/healthz", headers={"Host": "10.1.2.3"}), client.receive, client.send)

    assert client.status == 200


async def test_serves_files_without_django(site: Site) -> None:
    client = Client()

    await site(scope("/static/admin/css/base.css"), client.receive, client.send)

    assert client.status == 200


async def test_serves_no_other_kind_of_connection(site: Site) -> None:
    client = Client()

    with pytest.raises(ValueError, match="websocket connections are not served"):
        await site({"type": "websocket"}, client.receive, client.send)

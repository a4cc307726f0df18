"""What is refused, and how: the documented status and body, nothing sent, nothing recorded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from budgets.http.errors import HTTP_ANSWERS
from budgets.tenancy import keys
from tests import tenants
from tests.databases import on_database
from tests.fakes.upstream import Upstream
from tests.serving import MOST_BODY_BYTES, Site
from tests.tenants import MODEL, NO_CHAT, UNCONNECTED, UNPRICED, Tenant
from tests.tracking.gateway.calls import PATH, body, told

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def site(running_site: Site) -> Site:
    """The site without its database: nothing here gets as far."""
    return running_site


@pytest.fixture(scope="module")
def alice(models_listed: str, django_db_blocker: Any) -> Iterator[Tenant]:
    """One tenant for all, for no call leaves a trace; that is looked at in the end."""
    with django_db_blocker.unblock(), on_database(models_listed):
        made = tenants.tenant()
    yield made
    with django_db_blocker.unblock(), on_database(models_listed):
        assert not made.journal()
        assert not made.records()
        assert not made.holds()


@pytest.fixture(scope="module")
def client(site: Site, alice: Tenant) -> Iterator[httpx.Client]:
    with site.client(alice.text) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _nothing_sent(upstream: Upstream) -> Iterator[None]:
    yield
    assert not upstream.requests


def assert_refused(
    answer: httpx.Response, status: int, code: str, param: str | None = None
) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, Any] = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert HTTP_ANSWERS[code].status == status
    assert {"message", "type", "param", "code"} <= set(error)
    assert error["message"].endswith((".", "..."))
    if param is not None:
        assert error["param"] == param
    return error


def other_secret(text: str) -> str:
    """Forge a key: a known id, another secret, a checksum that is right."""
    known = keys.split(text)
    assert known is not None
    return str(keys.KeyText(known.lookup_id, keys.mint().secret))


def test_answers_alike_whatever_is_wrong_with_a_key(site: Site, alice: Tenant) -> None:
    wrong = [
        "",
        "Bearer",
        "Basic YWxpY2U6c2VjcmV0",
        "Bearer sk-proj-0123456789",
        f"Bearer {alice.text[:-1]}0",
        f"Bearer {alice.text}x",
        f"Bearer {other_secret(alice.text)}",
        f"Bearer {keys.mint()}",
        f"Bearer {alice.text} {alice.text}",
        f"Token {alice.text}",
        "Bearer " + "x" * 7000,
        "Bearer cs_live_☂",
    ]
    with site.client() as stranger:
        for path in (PATH, "/v1/key", "/v1/models", f"/v1/models/{MODEL}"):
            method = "POST" if path == PATH else "GET"
            answers = [
                stranger.request(method, path, headers={b"Authorization": key.encode()})
                for key in wrong
            ]
            answers.append(stranger.request(method, path))
            assert_refused(answers[0], 401, "invalid_api_key")
            assert {answer.status_code for answer in answers} == {401}
            assert {answer.content for answer in answers} == {answers[0].content}
            assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}


GOOD = json.dumps(body()).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"5",
        b"NaN",
        GOOD + GOOD,
        GOOD[:-1] + b', "temperature": NaN}',
        GOOD[:-1] + b', "temperature": Infinity}',
        GOOD[:-1] + b', "temperature": 1e999}',
        GOOD[:-1] + b",}",
        GOOD.replace(b'"', b"'"),
        GOOD.replace(b"Count", b"\xff\xfe"),
        GOOD.replace(b"Count", b"\\ud83d"),
        GOOD.replace(b"Count", b"\x00"),
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        GOOD.decode().encode("utf-32"),
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b"model=test&messages=hello",
        b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--",
    ],
    ids=lambda content: repr(content[-24:]),
)
def test_refuses_what_is_not_a_json_object(client: httpx.Client, content: bytes) -> None:
    assert_refused(client.post(PATH, content=content, headers=JSON), 400, "invalid_json")


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"model": None}, "invalid_type", "model"),
        ({"model": 5}, "invalid_type", "model"),
        ({"model": ["test/plain"]}, "invalid_type", "model"),
        ({"model": ""}, "value_out_of_range", "model"),
        ({"model": "test/plain\nX-Evil: 1"}, "value_out_of_range", "model"),
        ({"model": "x" * 161}, "value_out_of_range", "model"),
        ({"messages": None}, "invalid_type", "messages"),
        ({"messages": "hello"}, "invalid_type", "messages"),
        ({"messages": []}, "value_out_of_range", "messages"),
        ({"messages": [5]}, "invalid_type", "messages[0]"),
        ({"messages": [{"role": "root", "content": "x"}]}, "invalid_type", "messages[0].role"),
        ({"messages": [{"content": "x"}]}, "invalid_request", "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "invalid_type", "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "invalid_request",
            "messages[0].content[0].image_url.url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "video_url"}]}]},
            "unsupported_parameter",
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": "x", "evil": 1}]},
            "unknown_parameter",
            "messages[0].evil",
        ),
        ({"max_tokens": True}, "invalid_type", "max_tokens"),
        ({"max_tokens": 16.0}, "invalid_type", "max_tokens"),
        ({"max_tokens": "5"}, "invalid_type", "max_tokens"),
        ({"max_tokens": 1e23}, "invalid_type", "max_tokens"),
        ({"max_tokens": 10**30}, "invalid_type", "max_tokens"),
        ({"max_tokens": 0}, "value_out_of_range", "max_tokens"),
        ({"max_tokens": -1}, "value_out_of_range", "max_tokens"),
        ({"max_tokens": 10**9}, "value_out_of_range", "max_tokens"),
        ({"max_completion_tokens": [1]}, "invalid_type", "max_completion_tokens"),
        ({"n": 0}, "value_out_of_range", "n"),
        ({"n": 17}, "value_out_of_range", "n"),
        ({"n": True}, "invalid_type", "n"),
        ({"temperature": "hot"}, "invalid_type", "temperature"),
        ({"temperature": 2.1}, "value_out_of_range", "temperature"),
        ({"stream": "yes"}, "invalid_type", "stream"),
        ({"stream": 1}, "invalid_type", "stream"),
        ({"stream_options": {"include_usage": "x"}}, "invalid_type", "stream_options.include_usage"),
        ({"seed": 2**64}, "invalid_type", "seed"),
        ({"seed": 2**63}, "value_out_of_range", "seed"),
        ({"tools": {}}, "invalid_type", "tools"),
        ({"tools": [{"type": "mcp", "server_url": "http://127.0.0.1"}]}, "unsupported_parameter",
         "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "value_out_of_range",
         "tools[0].function.name"),
        ({"tool_choice": "maybe"}, "invalid_type", "tool_choice"),
        ({"response_format": {"type": "xml"}}, "unsupported_parameter", "response_format.type"),
        ({"logit_bias": {"5": "x"}}, "invalid_type", "logit_bias.5"),
        ({"user": "a\x00b"}, "value_out_of_range", "user"),
        ({"metadata": {"a": 5}}, "invalid_type", "metadata.a"),
        ({"metadata": {"a": "\x00"}}, "value_out_of_range", "metadata.a"),
        ({"metadata": {"a\x00b": "c"}}, "value_out_of_range", None),
        ({"metadata": {"a" * 65: "c"}}, "value_out_of_range", None),
        ({"metadata": {str(n): "x" for n in range(17)}}, "value_out_of_range", "metadata"),
        ({"metadata": {"tags": ",".join(map(str, range(17)))}}, "value_out_of_range",
         "metadata.tags"),
        ({"metadata": {"tags": "a\x07b"}}, "value_out_of_range", "metadata.tags"),
        ({"audio": {"voice": "alloy"}}, "invalid_request", "audio.format"),
        ({"web_search_options": {}}, "unsupported_parameter", "web_search_options"),
        ({"service_tier": "platinum"}, "invalid_type", "service_tier"),
        ({"functions": []}, "value_out_of_range", "functions"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "value_out_of_range", "stop"),
    ],
    ids=lambda value: json.dumps(value)[:48] if isinstance(value, dict) else "",
)  # fmt: skip
def test_refuses_wrong_values_by_their_place(
    client: httpx.Client, change: dict[str, Any], code: str, param: str | None
) -> None:
    assert_refused(client.post(PATH, json=body() | change), 400, code, param)


@pytest.mark.parametrize("name", ["model", "messages"])
def test_names_what_is_missing(client: httpx.Client, name: str) -> None:
    asked = body()
    del asked[name]

    assert_refused(client.post(PATH, json=asked), 400, "invalid_request", name)


@pytest.mark.parametrize("depth", [101, 250, 300, 900])
@pytest.mark.parametrize("where", ["parameters", "schema"])
def test_refuses_schemas_of_absurd_depth(client: httpx.Client, where: str, depth: int) -> None:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"properties": schema}
    change: dict[str, Any] = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    }
    if where == "schema":
        form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
        change = {"response_format": form}

    assert_refused(client.post(PATH, json=body() | change), 400, "value_out_of_range")


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("no/such", 404, "model_not_found"),
        ("other/plain", 404, "model_not_found"),
        (UNPRICED, 400, "model_not_priced"),
        (UNCONNECTED, 503, "provider_not_configured"),
        (NO_CHAT, 400, "unsupported_parameter"),
    ],
)
def test_refuses_models_that_cannot_be_called(
    client: httpx.Client, model: str, status: int, code: str
) -> None:
    assert_refused(client.post(PATH, json=body(model=model)), status, code)


@pytest.mark.parametrize("path", [PATH, "/v1/models", "/v1/key", "/v1/embeddings", "/v1"])
def test_refuses_a_body_over_the_limit_by_its_declared_length(
    site: Site, alice: Tenant, path: str
) -> None:
    """Not a byte of it is read: nothing but its length is ever sent."""
    with site.client(alice.text) as client:
        request = client.build_request(
            "POST", path, content=b"", headers={"Content-Length": str(MOST_BODY_BYTES + 1)}
        )
        request.stream = httpx.ByteStream(b"x" * (MOST_BODY_BYTES + 1))
        assert_refused(client.send(request), 413, "request_too_large")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_refuses_in_the_dialect_of_the_address(site: Site, alice: Tenant, path: str) -> None:
    with site.client(alice.text) as client:
        answers = [
            client.post(path, content=b"x" * (MOST_BODY_BYTES + 1)),
            client.post(path, content=b"{"),
        ]

    assert answers[0].status_code == 413
    for answer in answers:
        assert answer.json()["type"] == "error"
        assert answer.json()["error"]["type"] in (
            "request_too_large",
            "invalid_request_error",
            "not_found_error",
        )


def test_refuses_a_body_over_the_limit_as_it_arrives(client: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(MOST_BODY_BYTES // 1000 + 2):
            yield b"x" * 1000

    assert_refused(client.post(PATH, content=chunks(), headers=JSON), 413, "request_too_large")


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "deflate, gzip"])
def test_refuses_a_compressed_body(client: httpx.Client, encoding: str) -> None:
    """A few bytes could unpack to gigabytes, after the limit was judged."""
    answer = client.post(
        PATH, content=gzip.compress(GOOD), headers=JSON | {"Content-Encoding": encoding}
    )

    assert_refused(answer, 415, "unsupported_encoding")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", PATH, "POST"),
        ("HEAD", PATH, "POST"),
        ("PUT", PATH, "POST"),
        ("DELETE", PATH, "POST"),
        ("OPTIONS", PATH, "POST"),
        ("PATCH", PATH, "POST"),
        ("TRACE", PATH, "POST"),
        ("POST", "/v1/models", "GET"),
        ("POST", "/v1/key", "GET"),
        ("DELETE", f"/v1/models/{MODEL}", "GET"),
    ],
)
def test_refuses_other_methods(client: httpx.Client, method: str, path: str, allow: str) -> None:
    answer = client.request(method, path)

    assert allow in answer.headers["Allow"].split(", ")
    assert answer.status_code == 405
    if method != "HEAD":
        assert_refused(answer, 405, "method_not_allowed")


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/chat",
        "/v1/chat/completions/",
        "/v1/chat/completions/1",
        "/v1//chat/completions",
        "/v1/assistants",
        "/v1/../v1/nothing",
        "/v1/%2e%2e/admin/",
        "/v1/a%0Ab",
        "/v1/%00",
        "/v1/%ff%fe",
        "/v1/" + "x" * 4000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_answers_json_wherever_there_is_nothing(
    client: httpx.Client, method: str, path: str
) -> None:
    assert_refused(client.request(method, path), 404, "not_found")


@pytest.mark.parametrize("name", ["no/such", "%00", "%ff", "x" * 4000])
def test_answers_json_for_an_unknown_model(client: httpx.Client, name: str) -> None:
    assert_refused(client.get(f"/v1/models/{name}"), 404, "model_not_found")


def test_refuses_bad_tags_in_headers(client: httpx.Client) -> None:
    for header in ("X-Tags", "x-litellm-tags"):
        answer = client.post(PATH, json=body(), headers={header: "x" * 121})
        assert_refused(answer, 400, "value_out_of_range", "metadata.tags")
        many = ",".join(map(str, range(17)))
        answer = client.post(PATH, json=body(), headers={header: many})
        assert_refused(answer, 400, "value_out_of_range", "metadata.tags")


def test_tells_a_refused_stream_as_plain_json(client: httpx.Client) -> None:
    answer = client.post(PATH, json=body(is_streamed=True, model="no/such"))

    assert_refused(answer, 404, "model_not_found")
    assert told(answer).code == "model_not_found"

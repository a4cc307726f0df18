"""Whom and what a call is attributed to, from its body and from headers of many gateways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http.request import HttpHeaders

from budgets.core.errors import DomainError
from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tracking.gateway.calls import PATH, body, told
from tracking.gateway.attribution import Attribution, TagsMissing, attribution_of
from tracking.gateway.endpoints.bodies import ValueOutOfRange
from tracking.gateway.endpoints.chat_schemas import ChatCompletionRequest


def attributed(
    headers: dict[str, str] | None = None, required: tuple[str, ...] = (), **asked: Any
) -> Attribution:
    """Read the attribution of a request with these headers."""
    wire = {f"HTTP_{name.upper().replace('-', '_')}": v for name, v in (headers or {}).items()}
    request = ChatCompletionRequest.model_validate(body(**asked))
    return attribution_of(request=request, headers=HttpHeaders(wire), required_tags=required)


def test_gathers_tags_from_everywhere_once_each_and_sorted() -> None:
    found = attributed(
        {"X-Tags": "b, a", "x-litellm-tags": "c,,b "}, metadata={"tags": "d,a", "kept": "yes"}
    )

    assert found.tags == ("a", "b", "c", "d")
    assert found.metadata == {"kept": "yes"}


@pytest.mark.parametrize(
    ("headers", "asked", "end_user"),
    [
        ({"Helicone-User-Id": "h"}, {}, "h"),
        ({"x-litellm-end-user-id": "l"}, {}, "l"),
        ({"x-portkey-metadata": '{"_user": "p"}'}, {}, "p"),
        ({"X-End-User": "own", "Helicone-User-Id": "h"}, {}, "own"),
        ({"Helicone-User-Id": "h"}, {"user": "dave"}, "dave"),
        ({}, {"safety_identifier": "s"}, "s"),
    ],
)
def test_finds_the_end_user(headers: dict[str, str], asked: dict[str, Any], end_user: str) -> None:
    found = attributed(headers, **asked)

    assert found.end_user == end_user
    assert "_user" not in found.metadata


@pytest.mark.parametrize("header", ["X-Session-Id", "x-litellm-session-id", "Helicone-Session-Id"])
def test_finds_the_session_and_believes_the_body_first(header: str) -> None:
    assert attributed({header: "run-1"}).session == "run-1"
    assert attributed({header: "run-1"}, metadata={"session": "run-2"}).session == "run-2"


def test_takes_labels_of_other_gateways() -> None:
    found = attributed(
        {
            "Helicone-Property-Feature": "search",
            "x-portkey-metadata": '{"team": "blue", "level": 3}',
            "OpenAI-Project": "proj_1",
        },
        metadata={"team": "red"},
    )

    assert found.metadata == {
        "feature": "search",
        "team": "red",
        "level": "3",
        "openai_project": "proj_1",
    }


@pytest.mark.parametrize(
    "headers",
    [
        {"x-portkey-metadata": "no json"},
        {"x-portkey-metadata": "[1]"},
        {"x-portkey-metadata": json.dumps({f"n{i}": "v" for i in range(17)})},
        {"Helicone-Property-Long": "x" * 513},
        {"X-Tags": ",".join(f"t{i}" for i in range(17))},
        {"X-Tags": "x" * 121},
        {"X-Tags": "a\tb"},
    ],
)
def test_refuses_what_it_could_not_keep(headers: dict[str, str]) -> None:
    with pytest.raises(ValueOutOfRange) as refused:
        attributed(headers)

    assert refused.value.details["param"]


def test_demands_a_tag_for_each_required_pattern() -> None:
    required = ("team:*", "env:prod")

    with pytest.raises(TagsMissing, match=r"team:\*, env:prod"):
        attributed({"X-Tags": "teams"}, required)
    with pytest.raises(DomainError, match=r"each of these: env:prod"):
        attributed({"X-Tags": "team:blue"}, required)
    assert attributed({"X-Tags": "team:blue,env:prod"}, required).tags == ("env:prod", "team:blue")


def test_a_key_that_demands_tags_lets_only_tagged_calls_through(
    site: Site, upstream: Upstream
) -> None:
    alice = tenants.tenant(key={"required_tags": ["team:*"]})

    with site.client(alice.text) as client:
        refused = told(client.post(PATH, json=body()))
        nothing_sent = not upstream.requests
        passed = told(client.post(PATH, json=body(), headers={"X-Tags": "team:blue"}))

    assert (refused.status, refused.code) == (400, "tags_missing")
    assert nothing_sent
    assert passed.status == 200
    _, record = alice.the_call()
    assert record.tags == ["team:blue"]


def test_what_headers_say_stands_in_the_ledger_and_reaches_no_provider(
    site: Site, upstream: Upstream
) -> None:
    alice = tenants.tenant()
    headers = {
        "Helicone-User-Id": "dave",
        "Helicone-Session-Id": "run-7",
        "Helicone-Property-Feature": "search",
        "x-portkey-metadata": '{"team": "blue"}',
    }

    with site.client(alice.text) as client:
        client.post(PATH, json=body(), headers=headers)

    entry, record = alice.the_call()
    assert (record.end_user, record.session, entry.session) == ("dave", "run-7", "run-7")
    assert record.metadata == {"feature": "search", "team": "blue"}
    carried = {name.lower() for name in upstream.headers[0]}
    assert not carried & {name.lower() for name in headers}

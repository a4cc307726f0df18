"""Whatever JSON comes, the answer is documented: no error of our own, and never anything but JSON."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets.http.errors import HTTP_ANSWERS
from tests import tenants
from tests.databases import on_database
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tenants import MODEL, NO_CHAT
from tests.tracking.gateway.calls import PATH, body
from tracking.gateway.endpoints.chat_schemas import ChatCompletionRequest
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.table import CHAT_COMPLETIONS, ENDPOINTS, TRANSCRIPTIONS

TEXTS = st.text(max_size=12) | st.sampled_from(["function", "user", "text", "json_schema", "auto"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "function", "name", "role", "content", "text", "schema"])
            | TEXTS,
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)
CHANGES = st.dictionaries(
    st.sampled_from(sorted(ChatCompletionRequest.model_fields)) | TEXTS, VALUES, max_size=3
)


@pytest.fixture(scope="module")
def client(running_site: Site, models_listed: str, django_db_blocker: Any) -> Any:
    with django_db_blocker.unblock(), on_database(models_listed):
        alice = tenants.tenant(limit=None)
    with running_site.client(alice.text) as opened:
        yield opened


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=CHANGES)
def test_answers_any_json_as_documented(
    client: httpx.Client, upstream: Upstream, changes: dict[str, Any]
) -> None:
    answer = client.post(PATH, json=body() | changes)

    if answer.headers["content-type"] == "text/event-stream":
        assert answer.text.endswith("data: [DONE]\n\n")
        return
    assert answer.headers["content-type"] == "application/json"
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert HTTP_ANSWERS[answer.json()["error"]["code"]].status == answer.status_code


OTHERS = [endpoint for endpoint in ENDPOINTS if endpoint not in (CHAT_COMPLETIONS, TRANSCRIPTIONS)]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.parametrize("endpoint", OTHERS, ids=lambda endpoint: endpoint.name)
def test_refuses_any_json_for_a_model_that_does_something_else(
    client: httpx.Client, upstream: Upstream, endpoint: Endpoint[Any], data: st.DataObject
) -> None:
    """The model only chats at an address that does not speak these dialects: nothing is sent."""
    names = st.sampled_from(sorted(endpoint.shape.model_fields)) | TEXTS
    asked: dict[str, Any] = {"model": NO_CHAT if "chat" in endpoint.modes else MODEL}
    asked |= data.draw(st.dictionaries(names, VALUES, max_size=5))

    answer = client.post(f"/v1/{endpoint.name.replace('.', '/')}", json=asked)

    assert answer.headers["content-type"] == "application/json"
    assert HTTP_ANSWERS[answer.json()["error"]["code"]].status == answer.status_code < 500
    assert not upstream.requests


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=200))
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_answers_any_bytes_as_documented(
    client: httpx.Client, upstream: Upstream, endpoint: Endpoint[Any], content: bytes
) -> None:
    answer = client.post(f"/v1/{endpoint.name.replace('.', '/')}", content=content)

    told = answer.json()["error"]
    assert (HTTP_ANSWERS[told["code"]].status, told["type"]) == (
        answer.status_code,
        "invalid_request_error",
    )
    assert 400 <= answer.status_code < 500
    assert not upstream.requests

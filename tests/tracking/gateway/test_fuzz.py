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
from tests.tracking.gateway.calls import PATH, body
from tracking.gateway.endpoints.chat_schemas import ChatCompletionRequest

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


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=200))
def test_answers_any_bytes_as_documented(
    client: httpx.Client, upstream: Upstream, content: bytes
) -> None:
    answer = client.post(PATH, content=content)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert not upstream.requests

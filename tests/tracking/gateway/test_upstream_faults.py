"""Whatever a provider does on its wire: one record for the attempt, the right amount, the documented status."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from tests import tenants
from tests.databases import on_database
from tests.fakes.faulty import Faulty, running_faulty
from tests.serving import Site, eventually
from tests.tenants import GONE, Tenant
from tests.tracking.gateway.calls import PATH, body, call, told
from tests.tracking.gateway.faults import FAULTS, STATUSES, Told, answer, sends
from tests.tracking.gateway.faults import head as head_of

BOTH_WAYS = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
MODEL, TLS, UNRESOLVED = "faulty/plain", "garbled/plain", "unresolved/plain"
CASES = [
    pytest.param(
        fault.name, is_streamed, id=f"{fault.name}-{'streamed' if is_streamed else 'whole'}"
    )
    for fault in FAULTS.values()
    for is_streamed in (False, True)
    if (fault.streamed if is_streamed else fault.whole) is not None
]


@pytest.fixture(scope="module")
def running_faulty_provider(models_listed: str, django_db_blocker: Any) -> Iterator[Faulty]:
    with running_faulty() as faulty, django_db_blocker.unblock(), on_database(models_listed):
        tenants.list_faulty(
            {
                MODEL: f"http://127.0.0.1:{faulty.port}/v1",
                TLS: f"https://127.0.0.1:{faulty.port}/v1",
                UNRESOLVED: "https://nowhere.invalid/v1",
            }
        )
        yield faulty


@pytest.fixture
def faulty(running_faulty_provider: Faulty) -> Faulty:
    running_faulty_provider.requests.clear()
    return running_faulty_provider


@pytest.fixture
def alice(impatient_site: Site, running_faulty_provider: Faulty) -> Tenant:
    tenant = tenants.tenant(limit="10000")
    with impatient_site.client(tenant.text) as client:
        # The site looks once a second for providers that are new.
        eventually(lambda: MODEL in client.get("/v1/models").text, every_s=0.1)
    return tenant


@pytest.mark.parametrize(("name", "is_streamed"), CASES)
def test_comes_to_what_the_table_says(
    impatient_site: Site, alice: Tenant, faulty: Faulty, name: str, is_streamed: bool
) -> None:
    fault = FAULTS[name]
    faulty.act = fault.act
    expected = fault.streamed if is_streamed else fault.whole
    assert expected is not None

    found = call(impatient_site, alice, model=MODEL, is_streamed=is_streamed)

    assert (found.status, found.code, found.text) == (expected.status, expected.code, expected.text)
    assert found.is_ended
    assert len(faulty.requests) == 1
    assert_charged(alice, expected, is_streamed=is_streamed)


@BOTH_WAYS
@pytest.mark.parametrize("has_body", [False, True], ids=["bare", "explained"])
@pytest.mark.parametrize("status", STATUSES)
def test_charges_nothing_for_a_status_of_failure(
    impatient_site: Site,
    alice: Tenant,
    faulty: Faulty,
    status: int,
    has_body: bool,
    is_streamed: bool,
) -> None:
    error = b'{"error": {"message": "No, said the provider.", "type": "t", "code": "c"}}'
    more = "Location: http://127.0.0.1:9/elsewhere\r\n" if status < 400 else ""
    written = answer(error, status, more=more) if has_body else head_of(status, length=0, more=more)
    faulty.act = sends(written, written)

    found = call(impatient_site, alice, model=MODEL, is_streamed=is_streamed)

    assert (found.status, found.code) == STATUSES[status]
    assert len(faulty.requests) == 1
    assert_charged(alice, Told(found.status, found.code, "free"), is_streamed=is_streamed)


@BOTH_WAYS
@pytest.mark.parametrize("model", [GONE, TLS, UNRESOLVED])
def test_charges_nothing_where_no_connection_was_made(
    impatient_site: Site, alice: Tenant, faulty: Faulty, model: str, is_streamed: bool
) -> None:
    found = call(impatient_site, alice, model=model, is_streamed=is_streamed)

    assert (found.status, found.code) == (503, "provider_unavailable")
    assert not faulty.requests
    assert_charged(alice, Told(503, found.code, "free"), is_streamed=is_streamed)


@BOTH_WAYS
@pytest.mark.parametrize(
    "text", [b"two \xff\xfe", "NUL \x00 and \ud83d".encode("utf-8", "surrogatepass")]
)
def test_settles_whatever_bytes_a_text_is_made_of(
    impatient_site: Site, alice: Tenant, faulty: Faulty, is_streamed: bool, text: bytes
) -> None:
    message = b'{"id": "c", "object": "chat.completion", "created": 1, "model": "plain", '
    message += b'"choices": [{"index": 0, "%s": {"role": "assistant", "content": "' + text
    message += b'"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 11, '
    message += b'"completion_tokens": 5, "total_tokens": 16}}'
    whole = message.replace(b"%s", b"message")
    streamed = b"data: " + message.replace(b"%s", b"delta") + b"\n\ndata: [DONE]\n\n"
    faulty.act = sends(answer(whole), head_of(content_type="text/event-stream") + streamed)

    with impatient_site.client(alice.text) as client:
        found = told(client.post(PATH, json=body(model=MODEL, is_streamed=is_streamed)))

    assert found.status in (200, 502)
    entry, record = alice.the_call()
    assert record.attempt == 1
    assert entry.amount_usd > 0


def assert_charged(tenant: Tenant, expected: Told, *, is_streamed: bool) -> None:
    entry, record = tenant.the_call()
    assert (record.attempt, record.is_streamed, record.status) == (1, is_streamed, expected.status)
    assert record.error_code == expected.code
    if expected.charge == "free":
        assert (entry.kind, record.outcome, record.usage_source) == ("release", "failed", "none")
        assert entry.amount_usd == 0
    elif expected.charge == "hold":
        assert (entry.kind, record.outcome, record.usage_source) == (
            "estimate",
            "unknown",
            "assumed",
        )
        assert entry.amount_usd == entry.held_usd > 0
    elif expected.charge == "counted":
        assert (entry.kind, record.usage_source) == ("estimate", "counted")
        assert Fraction(entry.amount_usd) == price(record.input_tokens, record.output_tokens)
        assert 0 < entry.amount_usd <= entry.held_usd
    else:
        assert (entry.kind, record.usage_source) == ("charge", "provider")
        assert Fraction(entry.amount_usd) == price(*expected.tokens)


def price(input_tokens: int, output_tokens: int) -> Fraction:
    """Price a call of the tests' models, by fractions."""
    return input_tokens * Fraction(tenants.INPUT_USD) + output_tokens * Fraction(tenants.OUTPUT_USD)

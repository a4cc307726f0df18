"""How a call can end, both ways: what the caller is told, what is charged, what is recorded.

Each ends in exactly one journal entry and one record of the same amount, and leaves no hold.
"""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tenants import GONE, Tenant
from tests.tracking.gateway.calls import call

BOTH_WAYS = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
HTML = b"<html><body>Bad gateway, try later</body></html>"

# By the provider's status: what the caller is told.
REFUSALS = {
    400: (400, "provider_refused"),
    401: (502, "provider_auth_failed"),
    403: (502, "provider_auth_failed"),
    404: (400, "provider_refused"),
    422: (400, "provider_refused"),
    429: (429, "provider_rate_limited"),
    500: (502, "provider_error"),
    503: (502, "provider_error"),
}


@pytest.fixture
def alice(site: Site) -> Tenant:
    return tenants.tenant()


def price(input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> Fraction:
    """Price a call of the tests' model, by fractions."""
    fresh = input_tokens - cached_tokens
    return (
        fresh * Fraction(tenants.INPUT_USD)
        + cached_tokens * Fraction(tenants.CACHED_USD)
        + output_tokens * Fraction(tenants.OUTPUT_USD)
    )


def usage(prompt: Any, completion: Any, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 16} | more


@BOTH_WAYS
def test_charges_the_price_of_the_usage(
    site: Site, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
    upstream.script.usage = usage(1234, 567, prompt_tokens_details={"cached_tokens": 200})

    told = call(site, alice, is_streamed=is_streamed)

    assert (told.status, told.text) == (200, "one two three four five ")
    entry, record = alice.the_call()
    assert Fraction(entry.amount_usd) == price(1234, 567, 200)
    assert (entry.kind, entry.tokens) == ("charge", 1801)
    assert (record.outcome, record.usage_source, record.status) == ("completed", "provider", 200)
    assert (record.finish_reason, record.provider_request_id) == ("stop", "chatcmpl-upstream")
    assert record.is_streamed is is_streamed
    assert str(record.request_id) == told.headers["x-request-id"]


@BOTH_WAYS
def test_counts_when_usage_is_missing(
    site: Site, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
    upstream.script.usage = None

    told = call(site, alice, is_streamed=is_streamed)

    assert (told.status, told.is_ended) == (200, True)
    entry, record = alice.the_call()
    assert (entry.kind, record.usage_source, record.outcome) == ("estimate", "counted", "completed")
    # The input is taken at its bound, the output by a tokenizer.
    assert 4 <= record.output_tokens <= 8
    assert Fraction(entry.amount_usd) == price(record.input_tokens, record.output_tokens)
    assert 0 < entry.amount_usd < entry.held_usd
    assert told.usage is not None
    assert Decimal(told.usage["cost"]) == entry.amount_usd


@BOTH_WAYS
@pytest.mark.parametrize("provider_status", REFUSALS)
def test_is_free_when_the_provider_refuses(
    site: Site, alice: Tenant, upstream: Upstream, is_streamed: bool, provider_status: int
) -> None:
    status, code = REFUSALS[provider_status]
    upstream.script.status = provider_status
    message = {"message": "No, sk-upstream-secret.", "type": "t", "code": "c"}
    upstream.script.body = {"error": message}

    told = call(site, alice, is_streamed=is_streamed)

    assert (told.status, told.code) == (status, code)
    assert told.error is not None
    assert told.error["provider"] == "test"
    assert "sk-upstream-secret" not in str(told.error)
    assert len(upstream.requests) == 1
    entry, record = alice.the_call()
    assert entry.kind == "release"
    assert entry.amount_usd == entry.tokens == 0
    assert (record.outcome, record.usage_source) == ("failed", "none")
    assert (record.status, record.error_code) == (status, code)


@BOTH_WAYS
def test_is_free_when_the_prompt_is_too_long_for_the_model(
    site: Site, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
    upstream.script.status = 400
    message = "This model's maximum context length is 8192 tokens."
    upstream.script.body = {
        "error": {"message": message, "type": "x", "code": "context_length_exceeded"}
    }

    told = call(site, alice, is_streamed=is_streamed)

    assert (told.status, told.code) == (400, "context_length_exceeded")
    assert message in str(told.error)
    assert alice.the_call()[0].kind == "release"


def test_is_free_when_the_provider_says_an_error_with_status_200(
    site: Site, alice: Tenant, upstream: Upstream
) -> None:
    upstream.script.raw = b'{"error": {"message": "no"}}'

    told = call(site, alice)

    assert (told.status, told.code) == (400, "provider_refused")
    assert alice.the_call()[0].kind == "release"


@BOTH_WAYS
def test_is_free_when_nothing_listens(site: Site, alice: Tenant, is_streamed: bool) -> None:
    told = call(site, alice, model=GONE, is_streamed=is_streamed)

    assert (told.status, told.code) == (503, "provider_unavailable")
    entry, record = alice.the_call()
    assert (entry.kind, record.outcome) == ("release", "failed")
    assert entry.amount_usd == 0


@BOTH_WAYS
def test_charges_the_whole_hold_when_the_connection_breaks_after_sending(
    site: Site, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
    upstream.script.breaks = True

    told = call(site, alice, is_streamed=is_streamed)

    assert (told.status, told.code) == (502, "provider_error")
    assert len(upstream.requests) == 1
    assert_whole_hold(alice)


@pytest.mark.parametrize(
    "raw",
    [HTML, b"", b"{}", b"[]", b"null", b'"text"', b"{", b"\xff\xfe", b'{"choices": 5}',
     b'{"choices": []}', b'{"choices": [{"index": 0}]}'],
)  # fmt: skip
def test_charges_the_whole_hold_when_the_answer_is_none(
    site: Site, alice: Tenant, upstream: Upstream, raw: bytes
) -> None:
    upstream.script.raw = raw

    told = call(site, alice)

    assert (told.status, told.code) == (502, "provider_error")
    assert_whole_hold(alice)


@pytest.mark.parametrize(
    "raw",
    [b"", b"data: [DONE]\n\n", b": ping\n\n", HTML, b"data: {\n\n", b"data: 5\n\n",
     b'data: {"error": {"message": "overloaded", "code": 500}}\n\n'],
)  # fmt: skip
def test_charges_the_whole_hold_when_the_stream_is_none(
    site: Site, alice: Tenant, upstream: Upstream, raw: bytes
) -> None:
    upstream.script.raw = raw
    upstream.script.content_type = "text/event-stream"

    told = call(site, alice, is_streamed=True)

    assert (told.status, told.code) == (502, "provider_error")
    assert_whole_hold(alice)


def test_counts_what_came_when_a_stream_breaks_off(
    site: Site, alice: Tenant, upstream: Upstream
) -> None:
    upstream.script.breaks_after = 3

    told = call(site, alice, is_streamed=True)

    assert (told.status, told.text, told.code) == (200, "one two three ", "provider_error")
    assert told.is_ended
    entry, record = alice.the_call()
    assert (entry.kind, record.outcome, record.usage_source) == (
        "estimate",
        "interrupted",
        "counted",
    )
    assert record.error_code == "provider_error"
    assert 0 < record.output_tokens <= 5
    assert Fraction(entry.amount_usd) == price(record.input_tokens, record.output_tokens)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("reported", "tokens"),
    [
        (usage(-5, 7), (0, 7)),
        (usage(11, -1), (11, 0)),
        (usage(11, 5, total_tokens=0), (11, 5)),
        (usage(11, 5, total_tokens=-3), (11, 5)),
        # Parts that exceed their total: the total grows.
        (usage(11, 5, completion_tokens_details={"reasoning_tokens": 50}), (11, 50)),
        (usage(11, 5, prompt_tokens_details={"cached_tokens": 400}), (400, 5)),
    ],
)
def test_reads_usage_that_lies_at_its_dearest(
    site: Site,
    alice: Tenant,
    upstream: Upstream,
    is_streamed: bool,
    reported: dict[str, Any],
    tokens: tuple[int, int],
) -> None:
    upstream.script.usage = reported

    told = call(site, alice, is_streamed=is_streamed)

    assert (told.status, told.code) == (200, "")
    entry, record = alice.the_call()
    assert (record.input_tokens, record.output_tokens) == tokens
    assert Fraction(entry.amount_usd) == price(*tokens, record.cached_input_tokens)


@BOTH_WAYS
@pytest.mark.parametrize(
    "reported",
    [
        usage("eleven", 5),
        usage(11.5, 5),
        usage([], {}),
        {"prompt_tokens": 11, "completion_tokens": 5, "prompt_tokens_details": [1]},
        {"prompt_tokens": 11, "completion_tokens": 5, "completion_tokens_details": "x"},
        "none",
        [],
        5,
    ],
    ids=str,
)
def test_never_takes_usage_that_makes_no_sense_for_free(
    site: Site, alice: Tenant, upstream: Upstream, is_streamed: bool, reported: Any
) -> None:
    upstream.script.usage = reported

    told = call(site, alice, is_streamed=is_streamed)

    assert told.status in (200, 502)
    entry, _ = alice.the_call()
    assert entry.amount_usd >= Decimal("0.000001")


@BOTH_WAYS
def test_books_more_than_was_held_in_full(
    site: Site, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
    upstream.script.usage = usage(1_000_000_000, 2_000_000_000)

    told = call(site, alice, is_streamed=is_streamed)

    assert told.status == 200
    entry, _ = alice.the_call()
    assert Fraction(entry.amount_usd) == price(1_000_000_000, 2_000_000_000)
    (balance,) = alice.balances()
    assert balance.spent == entry.amount_usd > balance.limit_amount
    assert balance.excess == balance.spent - balance.limit_amount
    refused = call(site, alice, is_streamed=is_streamed)
    assert (refused.status, refused.code) == (429, "budget_exceeded")


@BOTH_WAYS
def test_books_absurd_usage_within_what_the_ledger_holds(
    site: Site, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
    upstream.script.usage = usage(10**30, 10**30)

    call(site, alice, is_streamed=is_streamed)

    entry, _ = alice.the_call()
    assert entry.amount_usd > 1000


@BOTH_WAYS
def test_settles_whatever_text_the_provider_sends(
    site: Site, alice: Tenant, upstream: Upstream, is_streamed: bool
) -> None:
    odd = "NUL \x00, half an emoji \ud83d, and the rest"
    upstream.script.words = (odd,)
    upstream.script.ident = odd * 40

    told = call(site, alice, is_streamed=is_streamed)

    assert (told.status, told.text) == (200, odd)
    entry, record = alice.the_call()
    assert entry.kind == "charge"
    assert "half an emoji" in record.provider_request_id
    assert "\x00" not in json.dumps(record.provider_request_id)


def assert_whole_hold(tenant: Tenant) -> None:
    entry, record = tenant.the_call()
    assert (entry.kind, entry.amount_usd) == ("estimate", entry.held_usd)
    assert (record.outcome, record.usage_source) == ("unknown", "assumed")
    assert entry.amount_usd > 0

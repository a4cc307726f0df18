"""A request sent again under one Idempotency-Key is charged once, whatever happens."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import httpx
import pytest

from budgets.core import clock
from budgets.tenancy.models import Organization
from tests import tenants
from tests.fakes.upstream import Gate, Upstream
from tests.serving import Site, eventually
from tests.tenants import Tenant
from tests.tracking.gateway.calls import PATH, body
from tracking.gateway import repeats
from tracking.gateway.connections import sweep_answers
from tracking.gateway.models import StoredAnswer

NAME = "order-1"
DONE = "idempotency_result_not_stored"


def keeper(**fields: Any) -> Tenant:
    """Make a tenant that chose to keep answers."""
    made = tenants.tenant(**fields)
    Organization.objects.filter(pk=made.organization.pk).update(stores_answers=True)
    return made


def ask(site: Site, tenant: Tenant, *, name: str = NAME, **asked: Any) -> httpx.Response:
    """Make a call under a name."""
    with site.client(tenant.text) as client:
        return client.post(PATH, json=body(**asked), headers={"Idempotency-Key": name})


def code_of(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


def kept(tenant: Tenant) -> list[StoredAnswer]:
    found = StoredAnswer.objects.for_organization(tenant.organization)
    return list(found.order_by("expires_at"))


def test_tells_the_second_that_the_first_is_under_way(site: Site, upstream: Upstream) -> None:
    alice = keeper()
    gate = upstream.script.gate = Gate()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, site, alice)
        eventually(lambda: upstream.requests)
        second = ask(site, alice)
        gate.open()

    assert (second.status_code, code_of(second)) == (409, "idempotency_in_flight")
    assert second.headers["x-should-retry"] == "true"
    assert int(second.headers["Retry-After"]) >= 1
    assert second.json()["error"]["first_request_id"] == first.result().headers["x-request-id"]
    assert len(upstream.requests) == 1
    alice.the_call()


def test_refuses_another_body_under_the_name(site: Site, upstream: Upstream) -> None:
    alice = keeper()
    ask(site, alice)

    other = ask(site, alice, temperature=0.5)

    assert (other.status_code, code_of(other)) == (422, "idempotency_mismatch")
    assert other.headers["x-should-retry"] == "false"
    assert len(upstream.requests) == 1
    alice.the_call()


def test_tells_the_charge_when_no_answer_is_kept(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant()
    first = ask(site, alice)

    second = ask(site, alice)

    assert (second.status_code, code_of(second)) == (409, DONE)
    assert second.headers["x-should-retry"] == "false"
    error = second.json()["error"]
    assert error["first_request_id"] == first.headers["x-request-id"]
    assert error["charged_usd"] == first.headers["x-cost-usd"]
    assert not kept(alice)
    assert len(upstream.requests) == 1
    alice.the_call()


@pytest.mark.parametrize("is_streamed", [False, True])
def test_gives_the_kept_answer_again(site: Site, upstream: Upstream, is_streamed: bool) -> None:
    alice = keeper()
    first = ask(site, alice, is_streamed=is_streamed)

    second = ask(site, alice, is_streamed=is_streamed)

    assert (first.status_code, second.status_code) == (200, 200)
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["x-cost-usd"] == "0.000000000000"
    assert second.headers["x-request-id"] == first.headers["x-request-id"]
    assert second.headers["Content-Type"] == first.headers["Content-Type"]
    assert second.content == first.content
    assert len(upstream.requests) == 1
    alice.the_call()


def test_keeps_a_streams_answer_before_it_says_that_it_is_over(
    site: Site, upstream: Upstream
) -> None:
    """A client that hangs up after the last event and asks again at once gets it again."""
    alice = keeper()
    headers = {"Idempotency-Key": NAME}
    asked = body(is_streamed=True)
    with (
        site.client(alice.text) as client,
        client.stream("POST", PATH, json=asked, headers=headers) as first,
    ):
        for line in first.iter_lines():
            if line == "data: [DONE]":
                break

    assert ask(site, alice, is_streamed=True).headers["Idempotent-Replayed"] == "true"
    assert len(upstream.requests) == 1


def test_does_not_keep_a_stream_that_was_not_read_to_its_end(
    impatient_site: Site, upstream: Upstream
) -> None:
    alice = keeper()
    gate = upstream.script.gate = Gate()
    upstream.script.gate_before_word = 2
    headers = {"Idempotency-Key": NAME}
    asked = body(is_streamed=True)
    with (
        impatient_site.client(alice.text) as client,
        client.stream("POST", PATH, json=asked, headers=headers) as first,
    ):
        next(first.iter_lines())
    (entry,) = eventually(alice.journal)
    gate.open()
    # Answers are kept one after the other: once this one is, the first would be.
    assert ask(impatient_site, alice, name="another").status_code == 200

    second = ask(impatient_site, alice, is_streamed=True)

    assert (second.status_code, code_of(second)) == (409, DONE)
    assert entry.request_id not in {answer.request_id for answer in kept(alice)}
    assert len(upstream.requests) == len(alice.journal()) == 2


def test_the_order_of_names_in_the_body_does_not_matter(site: Site, upstream: Upstream) -> None:
    alice = keeper()
    asked = body(max_tokens=9)
    turned = dict(reversed([*asked.items()]))
    headers = {"Idempotency-Key": NAME, "Content-Type": "application/json"}
    with site.client(alice.text) as client:
        first = client.post(PATH, content=json.dumps(asked), headers=headers)
        second = client.post(PATH, content=json.dumps(turned, indent=2), headers=headers)

    assert first.status_code == 200
    assert second.content == first.content
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("name", [b"", b"x" * 256, b"a\tb", b"caf\xe9"], ids=str)
def test_refuses_a_name_that_is_none(site: Site, upstream: Upstream, name: bytes) -> None:
    alice = tenants.tenant()
    with site.client(alice.text) as client:
        told = client.post(PATH, json=body(), headers={b"Idempotency-Key": name})

    assert (told.status_code, told.json()["error"]["param"]) == (400, "Idempotency-Key")
    assert not upstream.requests
    assert not alice.journal()


def test_takes_the_longest_name(site: Site, upstream: Upstream) -> None:
    assert ask(site, tenants.tenant(), name="x" * 255).status_code == 200


def test_a_refused_call_gives_its_name_back(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(limit="0")
    assert code_of(ask(site, alice)) == "budget_exceeded"
    assert alice.budget is not None

    alice.budget.limit_amount = 1
    alice.budget.save()

    assert ask(site, alice).status_code == 200
    alice.the_call()


def test_a_call_that_was_not_billed_gives_its_name_back(site: Site, upstream: Upstream) -> None:
    """A provider that refuses may be tried again as it says, and under the same name."""
    alice = keeper()
    upstream.script.status = 429
    first = ask(site, alice)
    assert (first.status_code, first.headers["x-should-retry"]) == (429, "true")
    (released,) = alice.journal()
    assert released.kind == "release"
    assert released.amount_usd == 0

    upstream.script.status = 200
    upstream.forget()
    second = ask(site, alice)
    third = ask(site, alice)

    assert second.status_code == 200
    assert third.headers["Idempotent-Replayed"] == "true"
    assert len(upstream.requests) == 1
    assert len(alice.journal()) == 2


def test_a_call_that_may_have_been_billed_keeps_its_name(site: Site, upstream: Upstream) -> None:
    alice = keeper()
    upstream.script.breaks = True
    assert ask(site, alice).status_code >= 500
    sent = len(upstream.requests)

    second = ask(site, alice)

    (entry,) = alice.journal()
    assert entry.kind == "estimate"
    assert (second.status_code, code_of(second)) == (409, DONE)
    assert len(upstream.requests) == sent


def test_keeps_answers_encrypted_and_bound_to_their_request(site: Site, upstream: Upstream) -> None:
    alice = keeper()
    ask(site, alice, name="one")
    upstream.script.words = ("for ", "somebody ", "else")
    ask(site, alice, name="two")
    one, two = kept(alice)
    assert b"three" not in bytes(one.sealed)
    assert b"somebody" not in bytes(two.sealed)

    StoredAnswer.objects.filter(pk=one.pk).update(sealed=bytes(two.sealed))
    told = ask(site, alice, name="one")

    assert (told.status_code, code_of(told)) == (409, DONE)
    assert len(upstream.requests) == 2


def test_does_not_keep_an_answer_that_is_too_large(site: Site, upstream: Upstream) -> None:
    alice = keeper()
    upstream.script.words = ("x" * repeats.MOST_BYTES,)
    assert ask(site, alice).status_code == 200

    assert not kept(alice)
    assert code_of(ask(site, alice)) == DONE
    assert len(upstream.requests) == 1


def test_keeps_an_answer_for_a_day(site: Site, upstream: Upstream) -> None:
    alice = keeper()
    ask(site, alice, name="one")
    ask(site, alice, name="two")
    old, young = kept(alice)
    now = clock.now()
    assert now < old.expires_at <= now + repeats.KEPT

    StoredAnswer.objects.filter(pk=old.pk).update(expires_at=now)
    assert code_of(ask(site, alice, name="one")) == DONE
    assert sweep_answers(now=now) >= 1

    assert kept(alice) == [young]
    assert ask(site, alice, name="two").headers["Idempotent-Replayed"] == "true"
    assert len(upstream.requests) == 2


def test_of_twenty_at_once_one_is_sent_and_charged(site: Site, upstream: Upstream) -> None:
    alice = keeper()
    gate = upstream.script.gate = Gate()

    async def one(client: aiohttp.ClientSession) -> str:
        headers = {"Idempotency-Key": NAME}
        async with client.post(f"{site.url}{PATH}", json=body(), headers=headers) as response:
            told = await response.json()
            return "answered" if response.status == 200 else str(told["error"]["code"])

    async def twenty() -> list[str]:
        async with aiohttp.ClientSession(headers=alice.headers) as client:
            calls = {asyncio.create_task(one(client)) for _ in range(20)}
            waiting = calls
            while len(waiting) > 1:
                _, waiting = await asyncio.wait(
                    waiting, timeout=30, return_when=asyncio.FIRST_COMPLETED
                )
            gate.open()
            return list(await asyncio.gather(*calls))

    told = Counter(asyncio.run(twenty()))

    assert told == {"answered": 1, "idempotency_in_flight": 19}
    assert len(upstream.requests) == upstream.served == 1
    alice.the_call()


@pytest.mark.parametrize("kind", ["multipart/form-data", "Multipart/Form-Data "])
def test_names_a_form_however_its_type_is_written(
    site: Site, upstream: Upstream, kind: str
) -> None:
    """Two sendings of one form differ in the line between its parts; it is no JSON."""
    alice = keeper()
    statuses = []
    with site.client(alice.text) as client:
        for line in ("one", "two"):
            head = f'--{line}\r\nContent-Disposition: form-data; name="'
            form = f'{head}model"\r\n\r\ntest/whisper\r\n'
            form += f'{head}file"; filename="a.mp3"\r\n\r\nsound\r\n--{line}--\r\n'
            headers = {"Content-Type": f"{kind}; boundary={line}", "Idempotency-Key": NAME}
            answer = client.post("/v1/audio/transcriptions", content=form.encode(), headers=headers)
            statuses.append((answer.status_code, answer.headers.get("Idempotent-Replayed")))

    assert statuses == [(200, None), (200, "true")]
    assert len(upstream.requests) == 1

"""Prompts that are sent again are told apart from others, and nothing of them is kept."""

from __future__ import annotations

import pytest

from budgets.core import clock
from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tracking.gateway.calls import call
from tracking.gateway.prompts import prompt_hash
from tracking.usage.terms import Days, Slice
from tracking.usage.waste import DUPLICATE, waste_of

ASKED = {"messages": [{"role": "user", "content": "Hello"}], "temperature": 0, "max_tokens": 5}


def hashed(organization_id: int = 1, pepper: bytes = b"pepper", **changed: object) -> str | None:
    return prompt_hash(organization_id=organization_id, parameters=ASKED | changed, pepper=pepper)


def test_only_what_the_model_reads_counts() -> None:
    plain = hashed()

    assert plain is not None
    assert "Hello" not in plain
    assert hashed(temperature=1, max_tokens=50) == plain
    others = {hashed(organization_id=2), hashed(pepper=b"salt"), hashed(messages=[])}
    assert len({plain, *others}) == 4


@pytest.mark.parametrize("name", ["documents", "suffix", "tools"])
def test_all_that_the_model_reads_counts(name: str) -> None:
    read = [ASKED, ASKED | {name: ["a"]}, ASKED | {name: ["b"]}]
    told = {prompt_hash(organization_id=1, parameters=one, pepper=b"p") for one in read}
    assert len(told) == 3


def test_tells_nothing_where_there_is_no_prompt_or_one_that_is_no_json() -> None:
    assert prompt_hash(organization_id=1, parameters={"file": b"RIFF"}, pepper=b"p") is None
    assert hashed(messages=b"bytes") is None
    # What is said of a recording is not the recording.
    heard = {"file": ("a.mp3", b"RIFF", "audio/mpeg"), "prompt": "Names: Ada, Bob."}
    assert prompt_hash(organization_id=1, parameters=heard, pepper=b"p") is None


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_a_prompt_that_is_sent_again_is_found_as_waste(
    site: Site, upstream: Upstream, is_streamed: bool
) -> None:
    alice, carol = tenants.tenant(), tenants.tenant()

    call(site, alice, is_streamed=is_streamed)
    call(site, alice, is_streamed=is_streamed, temperature=1)
    call(site, carol, is_streamed=is_streamed)

    first, second = alice.records()
    (other,) = carol.records()
    assert first.prompt_hash == second.prompt_hash is not None
    assert other.prompt_hash not in (None, first.prompt_hash)
    zone = alice.organization.zone
    today = clock.now().astimezone(zone).date()
    waste = waste_of(part=Slice(alice.organization.pk), days=Days(today, today, zone))
    repeated = next(kind for kind in waste.kinds if kind.kind == DUPLICATE)
    assert (repeated.calls, repeated.wasted_usd) == (1, second.cost_usd)

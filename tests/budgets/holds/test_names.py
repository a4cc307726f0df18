"""Requests under one Idempotency-Key are admitted once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from budgets.holds import operations
from budgets.holds.models import IdempotencyKey
from budgets.holds.terms import HoldRequest, IdempotentName, Verdict
from budgets.tenancy.models import ApiKey
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    """Alice's key in an organization whose plan gives each user $1 a month."""
    organization = make.organization(on_plan=make.plan(code="tiny", usd_per_user="1"))
    return make.key(of=organization, user=organization.memberships.get().user)[0]


def request(key: ApiKey, *, name: str = "n", body: str = "b", usd: str = "0.1") -> HoldRequest:
    """A hold under a name."""
    return HoldRequest(
        request_id=make.request_id(),
        organization_id=key.organization_id,
        api_key_id=key.pk,
        model="m",
        usd=Decimal(usd),
        least_usd=Decimal(usd),
        tokens=1,
        ttl_s=60,
        named=IdempotentName(name, body),
    )


def ask(key: ApiKey, **fields: str) -> Verdict:
    """Hold under a name."""
    return operations.hold(request=request(key, **fields), now=make.NOW)


def test_the_second_is_told_that_the_first_is_under_way(key: ApiKey) -> None:
    first = ask(key)
    second = ask(key)

    assert (first.code, second.code) == ("admitted", "name_in_flight")
    assert second.first is not None
    assert (second.first.request_id, second.first.charged_usd) == (first.request_id, None)


def test_the_second_is_told_what_the_first_was_charged(key: ApiKey) -> None:
    first = ask(key)
    make.charge(key=key, request=first.request_id, usd="0.07")

    second = ask(key)

    assert second.code == "name_done"
    assert second.first is not None
    assert second.first.charged_usd == Decimal("0.07")


def test_another_body_under_the_name_is_refused(key: ApiKey) -> None:
    ask(key)

    assert ask(key, body="other").code == "name_mismatch"
    assert ask(key, name="other").code == "admitted"


def test_another_key_has_names_of_its_own(key: ApiKey) -> None:
    other, _ = make.key(of=key.organization, user=key.user, name="Server")

    assert ask(key).code == "admitted"
    assert ask(other).code == "admitted"


def test_a_refused_call_gives_its_name_back(key: ApiKey) -> None:
    assert ask(key, usd="2").code == "over_limit"
    assert not IdempotencyKey.objects.exists()
    assert ask(key, usd="0.1").code == "admitted"


def test_of_two_in_one_batch_the_first_goes_through(key: ApiKey) -> None:
    verdicts = operations.step(holds=[request(key), request(key)], now=make.NOW)

    assert [v.code for v in verdicts] == ["admitted", "name_in_flight"]


def test_the_same_request_again_is_not_another_one(key: ApiKey) -> None:
    asked = request(key)

    assert operations.hold(request=asked, now=make.NOW).code == "admitted"
    assert operations.hold(request=asked, now=make.NOW).code == "duplicate_open"
    assert IdempotencyKey.objects.count() == 1


def test_a_name_can_be_used_again_after_a_day(key: ApiKey) -> None:
    ask(key)

    later = operations.hold(request=request(key, body="x"), now=make.NOW + timedelta(hours=24))

    assert later.code == "admitted"
    assert operations.sweep_names(now=make.NOW + timedelta(hours=47)) == 0
    assert operations.sweep_names(now=make.NOW + timedelta(hours=48)) == 1

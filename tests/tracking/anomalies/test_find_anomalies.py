"""From calls to anomalies: found, grouped, explained, kept once, shown to whom it concerns."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.forms.models import model_to_dict

from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tests.make import NOW
from tracking.anomalies.models import Anomaly
from tracking.anomalies.operations import find_anomalies
from tracking.anomalies.queries import anomalies_of
from tracking.pricing.usage import Usage
from tracking.usage.models import DayUsage, QuarterHourUsage, Series
from tracking.usage.operations import fill
from tracking.usage.terms import Days, Slice

pytestmark = pytest.mark.django_db

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
# Two dollars at the price of the tests' model.
TWO_USD = 13_333_334


@pytest.fixture
def alice(acme: Organization) -> ApiKey:
    return make.key(of=acme, user=make.user(), name="Laptop")[0]


def call(key: ApiKey, *, at: datetime, times: int = 1, model: str = "gpt-4o-mini") -> None:
    used = Usage(input_tokens=TWO_USD)
    for n in range(times):
        make.call(key=key, at=at + timedelta(seconds=n), model=model, used=used)


def past(key: ApiKey, *, days: int = 35, times: int = 1) -> None:
    for ago in range(1, days + 1):
        call(key, at=NOW - ago * DAY, times=times)


def look(*, at: datetime = NOW) -> list[Anomaly]:
    fill(now=at)
    find_anomalies(now=at)
    return list(Anomaly.objects.order_by("pk"))


def test_finds_nothing_on_a_usual_day(alice: ApiKey) -> None:
    past(alice)
    call(alice, at=NOW - HOUR)

    assert look() == []


def test_finds_a_day_as_soon_as_it_is_too_much(acme: Organization, alice: ApiKey) -> None:
    past(alice)
    call(alice, at=NOW - 3 * HOUR, times=5)

    whole, *parts = look()
    assert (whole.subject_kind, whole.part_of, whole.began_on) == ("organization", None, NOW.date())
    assert whole.cost_usd.quantize(Decimal("0.01")) == Decimal("10.00")
    assert whole.usual_usd.quantize(Decimal("0.01")) == Decimal("2.00")
    assert [(part.subject_kind, part.part_of) for part in parts] == [
        ("project", whole),
        ("api_key", whole),
        ("model", whole),
    ]


def test_says_who_and_why(alice: ApiKey) -> None:
    past(alice)
    call(alice, at=NOW - 3 * HOUR, times=5)

    (whole, *_) = look()
    assert whole.cause == [
        "API key Laptop: $8.00 more",
        "model gpt-4o-mini: $8.00 more",
        "5.0 times the requests: 5 instead of 1 ($8.00)",
    ]
    assert whole.compared_with == NOW.replace(hour=0) - 2 * 7 * DAY


def test_finds_an_hour_before_the_day_is_too_much(acme: Organization, alice: ApiKey) -> None:
    call(alice, at=NOW - HOUR / 2, times=8)
    fill(now=NOW)
    (series,) = Series.objects.all()
    (today,) = QuarterHourUsage.objects.all()
    of_hour = model_to_dict(today, exclude=["id", "starts_at", "organization", "series"])
    hours = [NOW - ago * DAY - hour * HOUR for ago in range(1, 43) for hour in range(6)]
    fields = {"organization": acme, "series": series} | of_hour
    QuarterHourUsage.objects.bulk_create(
        QuarterHourUsage(**fields | {"starts_at": at, "cost_usd": Decimal(2)}) for at in hours
    )
    DayUsage.objects.bulk_create(
        DayUsage(**fields | {"day": (NOW - ago * DAY).date(), "cost_usd": Decimal(12)})
        for ago in range(1, 43)
    )

    (whole, *_) = look(at=NOW - timedelta(minutes=10))
    assert (whole.starts_at, whole.ends_at) == (NOW - HOUR, NOW)


def test_keeps_one_for_days_that_follow_each_other(alice: ApiKey) -> None:
    past(alice)
    call(alice, at=NOW, times=5)
    look()
    look()
    call(alice, at=NOW + DAY, times=7)

    rows = look(at=NOW + DAY)
    (whole,) = [row for row in rows if row.subject_kind == "organization"]
    assert (whole.began_on, whole.last_on) == (NOW.date(), (NOW + DAY).date())
    assert whole.cost_usd.quantize(Decimal(1)) == 14


def test_a_key_that_no_wider_one_tells_of_stands_for_itself(
    acme: Organization, alice: ApiKey
) -> None:
    quiet, _ = make.key(of=acme, user=make.member(of=acme), name="Quiet")
    past(alice, days=28, times=8)
    past(quiet, days=28)
    call(alice, at=NOW, times=8)
    call(quiet, at=NOW, times=4)

    (found,) = look()
    assert (found.subject_kind, found.subject, found.part_of) == ("api_key", str(quiet.pk), None)


def test_does_not_judge_who_is_new(acme: Organization, alice: ApiKey) -> None:
    past(alice, days=10)
    call(alice, at=NOW, times=30)

    assert look() == []


def seen(part: Slice, *, on: datetime = NOW) -> list[str]:
    days = Days(on.date(), on.date(), ZoneInfo("UTC"))
    return [row.subject_kind for row in anomalies_of(part=part, days=days)]


def test_shows_each_what_is_theirs(acme: Organization, alice: ApiKey) -> None:
    past(alice)
    call(alice, at=NOW - HOUR, times=5)
    look()
    bob = make.member(of=acme)

    assert seen(Slice(acme.pk)) == ["organization"]
    assert seen(Slice(acme.pk, api_key_id=alice.pk)) == ["api_key"]
    assert seen(Slice(acme.pk, model="gpt-4o-mini")) == ["model"]
    assert seen(Slice(acme.pk, viewer_id=alice.user_id)) == ["api_key"]
    assert seen(Slice(acme.pk, viewer_id=bob.pk)) == []
    assert seen(Slice(acme.pk, viewer_id=bob.pk, api_key_id=alice.pk)) == []
    assert seen(Slice(acme.pk), on=NOW - DAY) == []
    other = make.organization(slug="other")
    assert seen(Slice(other.pk)) == []

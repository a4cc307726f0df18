"""The pages of alerts and requests, unusual spend, and the mail of an alert, in a real browser."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.template.loader import render_to_string

from budgets.alerts.checks import check_due
from budgets.alerts.message import Message
from budgets.alerts.models import AlertRule, Channel, Delivery
from budgets.alerts.operations import put_channel, put_rule
from budgets.alerts.ready_made import prepare_organizations
from budgets.core import clock
from budgets.limits.models import Budget
from budgets.requests.operations import Wish, ask
from budgets.tenancy.access import viewer_of
from budgets.tenancy.models import Organization, User
from tests import make
from tests.browser.conftest import Visitor
from tracking.anomalies.models import Anomaly

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]

WINDOWS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
CAUSE = [
    "API key Nightly batch of the data platform: $38.20 more (new)",
    "model anthropic/claude-a-model-with-quite-a-long-name: $38.20 more",
    "retry storm: 350 of 400 sent a prompt again; 4.0 times the requests: 400 instead of 100 ($38.20)",
]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def told(address: str) -> User:
    """An owner whose budget is crossed, who is asked for more, and who spent unusually."""
    number = next(_numbers)
    owner = make.user(name=f"alice-alerted-{number}")
    organization = make.organization(
        slug=f"alerted-{number}", owner=owner, on_plan=make.plan(code=f"alerted-{number}")
    )
    budget = make.budget(organization=organization, limit="0.001", name="Everybody's month")
    now = clock.now()
    key, _ = make.key(of=organization, user=owner)
    make.call(key=key, at=now)
    channel = Channel(organization=organization, name="Ops chat", kind="slack")
    put_channel(channel=channel, given={"url": "https://93.184.215.14/services/T0/B0/secret"})
    prepare_organizations(now=now)
    cheap = AlertRule(organization=organization, name="Any spend", kind=AlertRule.Kind.SPEND)
    cheap.critical_at = [Decimal("0.0001")]
    put_rule(rule=cheap, now=now)
    while check_due(now=now):
        pass
    _ask(organization, budget, now)
    Anomaly.objects.create(
        organization=organization,
        subject_kind="organization",
        began_on=now.date(),
        last_on=now.date(),
        starts_at=now.replace(minute=0),
        ends_at=now.replace(minute=0) + timedelta(hours=1),
        cost_usd=Decimal("41.50"),
        usual_usd=Decimal("3.25"),
        cause=CAUSE,
        found_at=now,
    )
    return owner


def _ask(organization: Organization, budget: Budget, now: datetime) -> None:
    bob = make.member(of=organization, name=f"bob-{organization.slug}")
    viewer = viewer_of(user=bob, slug=organization.slug)
    wish = Wish(budget.pk, Decimal(20), now + timedelta(days=3), "The launch is on Thursday")
    ask(viewer=viewer, wish=wish, now=now)


@pytest.mark.parametrize("path", ["/alerts/", "/requests/", "/spending/"])
@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_fits_the_window_and_breaks_no_rule_of_the_content_policy(
    told: User, visit: Visit, path: str, width: int, scheme: str
) -> None:
    visitor = visit(width=width, color_scheme=scheme)

    visitor.open(path, signed_in=told)

    assert visitor.overflow_px == 0
    assert visitor.complaints == []


def test_leads_from_the_budget_to_asking_for_more_of_it(told: User, visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/spending/", signed_in=told)

    page.get_by_role("link", name="Ask for more").click()
    page.wait_for_url("**/requests/?**")

    chosen = page.get_by_label("Budget").evaluate("field => field.selectedOptions[0].text")
    assert chosen == "Everybody's month"


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_the_mail_fits_a_phone_too(
    told: User, visit: Visit, tmp_path: Path, width: int, scheme: str
) -> None:
    (delivery, *_) = Delivery.objects.filter(
        alert__rule__name="Any spend", organization__memberships__user=told
    )
    message = Message.from_json(delivery.message)
    unusual = Message.from_json(
        delivery.message | {"facts": [*message.facts, *(("Because of", line) for line in CAUSE)]}
    )
    file = tmp_path / "mail.html"
    file.write_text(render_to_string("alerts/mail.html", {"message": unusual}))
    visitor = visit(width=width, color_scheme=scheme)

    visitor.page.goto(file.as_uri())

    assert visitor.overflow_px == 0
    assert visitor.page.get_by_role("heading").inner_text().endswith("(limit: $0.00010)")

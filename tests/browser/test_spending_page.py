"""The spending pages in a real browser."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from budgets.core import clock
from budgets.core.money import usd_text
from budgets.tenancy.models import User
from tests import make
from tests.browser.conftest import Visitor
from tracking.pricing.usage import Usage as Used

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]

PASSWORD = "a password for the browser"

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent before the browser looks."""

    owner: User
    total_usd: Decimal
    last_call: UUID


@pytest.fixture(scope="module")
def spent(address: str) -> Spent:
    """An organization whose owner and member have called five models for some days."""
    number = next(_numbers)
    owner = make.user(name=f"alice-in-browser-{number}", password=PASSWORD)
    on_plan = make.plan(code=f"browser-{number}", usd_per_user="100")
    organization = make.organization(slug=f"browser-{number}", owner=owner, on_plan=on_plan)
    make.budget(organization=organization, limit="1", name="Together", window="year")
    make.budget(
        organization=organization, limit="60", name="Rate", unit="requests", window="minute"
    )
    bob = make.member(of=organization, name=f"bob-in-browser-{number}")
    keys = [make.key(of=organization, user=user)[0] for user in (owner, bob)]
    now = clock.now()
    month = datetime(now.year, now.month, 1, tzinfo=UTC)
    total_usd, last_call = Decimal(0), None
    for n in range(30):
        last_call, cost_usd = make.call(
            key=keys[n % 2],
            at=month + (now - month) * n / 30,
            model=f"a-model-with-quite-a-long-name/number-{n % 6}",
            used=Used(input_tokens=1000 + n, output_tokens=100 * n),
        )
        total_usd += cost_usd
    make.held_call(key=keys[0], usd="0.1", at=now)
    assert last_call
    return Spent(owner, total_usd, last_call)


PAGES = (
    "/spending/",
    "/spending/?period=last-30-days",
    "/spending/calls/",
    "{receipt}",
    "/nowhere",
)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_fits_the_window_and_breaks_no_rule_of_the_content_policy(
    spent: Spent, visit: Visit, path: str, width: int, scheme: str
) -> None:
    visitor = visit(width=width, color_scheme=scheme)
    receipt = f"/spending/calls/{spent.last_call}/"

    visitor.open(path.format(receipt=receipt), signed_in=spent.owner)

    assert visitor.overflow_px == 0
    # What the browser says of a page that is missing is its answer's status, not a fault.
    assert [c for c in visitor.complaints if "status of 404" not in c] == []


def test_signs_in_and_out_without_scripts(spent: Spent, visit: Visit) -> None:
    visitor = visit(width=390, java_script_enabled=False)
    page = visitor.open("/")

    page.wait_for_url("**/login/?next=/spending/")
    page.get_by_label("E-mail address").fill(spent.owner.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/spending/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login/")

    assert visitor.overflow_px == 0
    assert visitor.complaints == []


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_shows_the_ledgers_figures_with_and_without_scripts(
    spent: Spent, visit: Visit, *, java_script_enabled: bool
) -> None:
    visitor = visit(java_script_enabled=java_script_enabled)
    page = visitor.open("/spending/", signed_in=spent.owner)

    totals = page.get_by_role("region", name="By model").locator("tfoot data").first
    assert totals.get_attribute("value") == usd_text(spent.total_usd)
    rows = page.get_by_role("region", name="By model").locator("tbody tr td:nth-child(2) data")
    costs = [row.get_attribute("value") for row in rows.all()]
    assert sum(Decimal(cost or 0) for cost in costs) == spent.total_usd
    assert page.get_by_text("Together").is_visible()


def test_draws_bars_as_high_as_the_days_were_dear(spent: Spent, visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/spending/", signed_in=spent.owner)

    bars = page.locator("svg.bars a")
    now = clock.now()
    days = (
        datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC) - timedelta(1)
    ).day
    assert bars.count() == days
    first = bars.first.locator("rect.part").first.bounding_box()
    plot = page.locator("svg.bars").bounding_box()
    assert first
    assert plot
    assert first["height"] > 0
    assert first["y"] + first["height"] <= plot["y"] + plot["height"] + 1
    page.get_by_text("Show as a table").click()
    table = page.get_by_role("group", name="Spend by day")
    assert table.locator("tfoot data").first.get_attribute("value") == usd_text(spent.total_usd)


def test_leads_from_a_figure_to_the_calls_and_their_receipt(spent: Spent, visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/spending/?group=user", signed_in=spent.owner)

    page.locator("section[aria-labelledby=groups] tbody th a").first.click()
    page.get_by_role("list", name="Only these calls").get_by_text("Person:").wait_for()
    page.get_by_role("link", name="All calls of these days").click()
    page.wait_for_url(re.compile(r"/spending/calls/\?user=\d+&group=user$"))
    assert page.locator("tbody tr").count() == 15
    page.locator("tbody th a").first.click()
    page.wait_for_url(re.compile(r"/spending/calls/[0-9a-f-]{36}/$"))

    lines = page.locator("table tbody tr td:last-child").all_inner_texts()
    assert sum(Decimal(line.removeprefix("$")) for line in lines) == Decimal(
        page.locator("table tfoot td:last-child").inner_text().removeprefix("$")
    )


def test_takes_days_of_ones_own_without_scripts(spent: Spent, visit: Visit) -> None:
    visitor = visit(width=390, java_script_enabled=False)
    page = visitor.open("/spending/", signed_in=spent.owner)

    page.get_by_text("Other days").click()
    page.get_by_label("From").fill("2026-01-02")
    page.get_by_label("to", exact=True).fill("2026-01-03")
    page.locator("form", has=page.locator("#from")).get_by_role("button", name="Show").click()

    page.wait_for_url("**/spending/?from=2026-01-02&to=2026-01-03")
    assert page.get_by_text("2 Jan 2026").is_visible()


def test_shows_where_the_keyboard_is(spent: Spent, visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/spending/", signed_in=spent.owner)

    focused = []
    for _ in range(18):
        page.keyboard.press("Tab")
        focused.append(
            page.evaluate(
                "(() => { const e = document.activeElement, s = getComputedStyle(e);"
                " return [e.textContent.trim(), s.outlineStyle, parseFloat(s.outlineWidth)] })()"
            )
        )

    names = [name for name, _, _ in focused]
    assert names[:3] == ["Skip to the content", "costsite", "Spending"]
    assert "Last month" in names
    assert [name for name, style, width in focused if style == "none" or width < 2] == []


def test_names_what_it_shows_to_those_who_cannot_see_it(spent: Spent, visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/spending/", signed_in=spent.owner)

    assert page.locator("main, header.top, footer").count() == 3
    assert page.locator("h1").count() == 1
    assert page.locator("table:not(:has(caption))").count() == 0
    assert page.locator("thead th:not([scope]), tbody th:not([scope])").count() == 0
    bars = page.locator('svg[role="img"]')
    assert bars.count() >= 2
    assert all(bar.get_attribute("aria-label") for bar in bars.all())
    unnamed = page.locator("input:not([type=hidden]), select").evaluate_all(
        "fields => fields.filter(f => !f.labels.length).map(f => f.name)"
    )
    assert unnamed == []


def test_fits_a_sheet_of_paper(spent: Spent, visit: Visit) -> None:
    visitor = visit(width=794)
    visitor.open("/spending/", signed_in=spent.owner)

    visitor.page.emulate_media(media="print")

    assert visitor.overflow_px == 0
    too_wide = visitor.page.locator(".card table").evaluate_all(
        "tables => tables.filter(t => t.checkVisibility()"
        " && t.offsetWidth > t.closest('.card').clientWidth).length"
    )
    assert too_wide == 0
    assert not visitor.page.get_by_role("navigation", name="Period").is_visible()
    assert visitor.page.get_by_role("heading", name="By model").is_visible()

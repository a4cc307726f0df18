"""Every page for everybody: by keyboard, without scripts, read out, small, dark; and kept fresh."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from budgets.core import clock
from budgets.core.money import usd_text
from budgets.tenancy.models import ApiKey, User
from tests import make
from tests.browser.conftest import Visitor
from tracking.pricing.usage import Usage as Used

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]

_numbers = itertools.count(1)
WINDOWS: list[tuple[int, Literal["light", "dark"]]] = [
    (1280, "light"),
    (1280, "dark"),
    (390, "light"),
    (390, "dark"),
]
# Does now what the page does every 15 seconds; that it may fail is the page's own concern.
REFRESH = (
    "htmx.ajax('GET', location.href, {source: '#live', target: '#live',"
    " select: '#live', swap: 'morph:outerHTML'}).catch(() => null)"
)
PAGES = (
    "/spending/",
    "/spending/?group=user&compare=previous&sort=-calls",
    "/spending/?period=last-month",
    "/spending/calls/",
    "/spending/exports/",
    "/spending/statement/?month={month}",
    "{receipt}",
    "/reports/",
    "/alerts/",
    "/requests/",
    "/spending/?sort=beauty",
    "/nowhere",
)


@dataclass(frozen=True, slots=True)
class World:
    """An organization of two that has spent for a month and has a forecast."""

    owner: User
    key: ApiKey
    receipt: str

    def address(self, path: str) -> str:
        """Fill in what a path leaves open."""
        return path.format(receipt=self.receipt, month=f"{clock.now():%Y-%m}")


def _world(*, days: int) -> World:
    number = next(_numbers)
    owner = make.user(name=f"everybody-{number}", is_staff=False)
    on_plan = make.plan(code=f"everybody-{number}", usd_per_user="100")
    organization = make.organization(slug=f"everybody-{number}", owner=owner, on_plan=on_plan)
    make.budget(organization=organization, limit="1", name="Together")
    bob = make.member(of=organization, name=f"bob-of-everybody-{number}")
    keys = [make.key(of=organization, user=user)[0] for user in (owner, bob)]
    now = clock.now()
    request = None
    for n in range(days, -1, -1):
        request, _ = make.call(
            key=keys[n % 2],
            at=now - timedelta(days=n, minutes=5),
            model=f"a-model-with-quite-a-long-name/number-{n % 7}",
            used=Used(input_tokens=1000 * (n + 1), output_tokens=10_000 + n),
        )
    return World(owner, keys[0], f"/spending/calls/{request}/")


@pytest.fixture(scope="module")
def world(address: str) -> World:
    return _world(days=40)


@pytest.mark.parametrize("path", PAGES)
def test_keeps_nobody_out(world: World, visit: Visit, axe: Path, path: str) -> None:
    # Colours that are still on their way from one scheme to the other are those of neither.
    visitor = visit(reduced_motion="reduce")
    page = visitor.open(world.address(path), signed_in=world.owner)

    for width, scheme in WINDOWS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert visitor.faults(axe=axe) == [], (width, scheme)
        assert visitor.overflow_px == 0, (width, scheme)
    assert [c for c in visitor.complaints if "status of 40" not in c] == []


@pytest.mark.parametrize("path", PAGES)
def test_is_whole_without_scripts(world: World, visit: Visit, path: str) -> None:
    visitor = visit(width=390, java_script_enabled=False)
    page = visitor.open(world.address(path), signed_in=world.owner)

    assert page.locator("h1").count() == 1
    assert [c for c in visitor.complaints if "status of 40" not in c] == []


def tab_to(page: Page, name: str) -> None:
    """Go on by the tab key alone until something of that name has the focus."""
    for _ in range(120):
        page.keyboard.press("Tab")
        text = page.evaluate("document.activeElement.textContent.trim()")
        if re.fullmatch(name, " ".join(text.split())):
            return
    pytest.fail(f"{name} cannot be reached by keyboard")


def test_leads_from_figures_to_a_receipt_by_keyboard_alone(world: World, visit: Visit) -> None:
    page = visit().open("/spending/?period=last-30-days", signed_in=world.owner)

    tab_to(page, "Skip to the content")
    page.keyboard.press("Enter")
    tab_to(page, "Person")
    page.keyboard.press("Enter")
    page.wait_for_url("**/spending/?period=last-30-days&group=user")
    tab_to(page, r"Calls( ↓)?")
    tab_to(page, r"Calls( ↓)?")
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=calls**")
    tab_to(page, "Show as a table")
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Spend by day")).to_be_visible()
    tab_to(page, "All calls of these days")
    page.keyboard.press("Enter")
    page.wait_for_url("**/spending/calls/**")
    tab_to(page, r"\d+ \w{3}, \d\d:\d\d:\d\d")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/spending/calls/[0-9a-f-]{36}/"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Receipt")


def test_filters_by_a_form_that_scripts_are_not_needed_for(world: World, visit: Visit) -> None:
    page = visit(java_script_enabled=False).open("/spending/", signed_in=world.owner)

    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Model", exact=True).fill("a-model-with-quite-a-long-name/number-3")
    page.locator("form.fields").get_by_role("button", name="Show").click()
    page.wait_for_url("**model=a-model-with-quite-a-long-name%2Fnumber-3**")

    expect(page.get_by_role("list", name="Only these calls")).to_contain_text("number-3")


def test_shows_the_same_money_on_the_page_in_the_api_and_in_a_file(
    world: World, visit: Visit
) -> None:
    visitor = visit()
    page = visitor.open("/spending/?period=last-30-days", signed_in=world.owner)

    shown = page.get_by_role("region", name="By model").locator("tfoot data").first
    total = Decimal(shown.get_attribute("value") or "")
    told = visitor.context.request.get(f"{visitor.address}/api/v1/usage/total?days=30").json()
    assert Decimal(told["total"]["cost_usd"]) == total
    files = page.locator("section[aria-labelledby=latest] form.files")
    with page.expect_download() as download:
        files.get_by_role("button", name="CSV").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    place = lines[0].split(",").index("cost_usd")
    assert sum(Decimal(line.split(",")[place]) for line in lines[1:]) == total


def test_keeps_itself_fresh_without_losing_what_the_reader_did(address: str, visit: Visit) -> None:
    world = _world(days=20)
    visitor = visit(height=700)
    page = visitor.open("/spending/?period=last-7-days", signed_in=world.owner)
    page.get_by_text("Show as a table").click()
    region = page.get_by_role("region", name="By model")
    before = Decimal(region.locator("tfoot data").first.get_attribute("value") or "")
    page.locator("a", has_text="Provider").focus()
    page.evaluate("window.scrollTo(0, 900); document.querySelector('svg.bars').mark = 'same'")
    scrolled = page.evaluate("window.scrollY")
    _, cost = make.call(key=world.key, at=clock.now(), used=Used(input_tokens=123_457))

    page.evaluate(REFRESH)
    expect(region.locator("tfoot data").first).to_have_attribute(
        "value", usd_text(before + cost), timeout=20_000
    )

    assert page.evaluate("document.querySelector('svg.bars').mark") == "same"
    assert page.evaluate("window.scrollY") == scrolled
    assert page.evaluate("document.activeElement.textContent.trim()") == "Provider"
    expect(page.get_by_role("group", name="Spend by day")).to_be_visible()
    assert visitor.complaints == []


def test_says_that_it_cannot_be_refreshed(world: World, visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/spending/?period=last-30-days", signed_in=world.owner)
    page.route("**/spending/**", lambda route: route.abort())

    page.evaluate(REFRESH)

    expect(page.locator("#stale")).to_contain_text("Cannot be refreshed")
    expect(page.get_by_role("region", name="By model")).to_be_visible()


def test_goes_to_the_sign_in_page_once_signed_out(world: World, visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/spending/", signed_in=world.owner)
    visitor.context.clear_cookies()

    page.evaluate(REFRESH)

    page.wait_for_url("**/login/**")


def test_prints_a_statement_on_its_sheet(world: World, visit: Visit) -> None:
    visitor = visit(width=794)
    page = visitor.open(world.address("/spending/statement/?month={month}"), signed_in=world.owner)
    page.emulate_media(media="print")

    assert visitor.overflow_px == 0
    too_wide = page.locator(".card table").evaluate_all(
        "tables => tables.filter(t => t.offsetWidth > t.closest('.card').clientWidth).length"
    )
    assert too_wide == 0
    expect(page.get_by_role("navigation", name="Month")).not_to_be_visible()

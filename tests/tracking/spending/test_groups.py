"""The page's figures told apart, compared, forecast, saved and wasted."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.test import Client

from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tests.tracking.spending.pages import amounts, get, text
from tracking.pricing.usage import Usage as Used

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]


@pytest.mark.parametrize(
    ("group", "title", "names"),
    [
        ("user", "By person", {"Alice", "Bob"}),
        ("project", "By project", {"Default"}),
        ("key", "By api key", {"Laptop", "Notebook"}),
        ("provider", "By provider", {"openai"}),
        ("endpoint", "By endpoint", {"chat/completions"}),
    ],
)
def test_tells_figures_apart_by_what_is_chosen(
    alice: ApiKey, bob: ApiKey, group: str, title: str, names: set[str]
) -> None:
    make.call(key=alice)
    make.call(key=bob)

    page = text(get(alice.user, "/spending/", group=group))

    assert title in page
    for name in names:
        assert name in page


def test_gives_the_same_table_as_the_api(alice: ApiKey, bob: ApiKey) -> None:
    make.call(key=alice, model="a", used=Used(input_tokens=1000))
    make.call(key=bob, model="b", used=Used(input_tokens=7))
    client = Client()
    client.force_login(alice.user)

    page = client.get("/spending/?group=user").content.decode()
    found = re.search(r'href="(/api/v1/usage/by-user[^"]*)">API', page)
    assert found
    told = client.get(html.unescape(found[1])).json()

    costs = [row["cost_usd"] for row in told["results"]]
    assert len(costs) == 2
    for cost in costs:
        assert f'value="{cost}"' in page


def test_compares_with_as_many_days_before(alice: ApiKey) -> None:
    _, before = make.call(key=alice, at=make.NOW - timedelta(days=31), used=Used(input_tokens=10))
    _, now = make.call(key=alice, used=Used(input_tokens=1000))

    plain = text(get(alice.user, "/spending/"))
    beside = get(alice.user, "/spending/", compare="previous")

    assert "Change" not in plain
    assert now - before in amounts(beside)
    assert before in amounts(beside)
    assert "Without the days before" in text(beside)


def test_forecasts_the_budget_that_binds_first_or_says_why_not(
    acme: Organization, alice: ApiKey
) -> None:
    make.budget(organization=acme, limit="1", name="Small")
    make.call(key=alice)
    early = text(get(alice.user, "/spending/"))

    for day in range(1, 31):
        make.call(key=alice, at=make.NOW - timedelta(days=day), used=Used(input_tokens=100))
    page = text(get(alice.user, "/spending/"))

    assert "No forecast:" in early
    assert "Forecast for 31 Mar: likely" in page


def test_shows_what_was_wasted(alice: ApiKey) -> None:
    make.call(key=alice)

    page = text(get(alice.user, "/spending/"))

    assert "Saved and wasted" in page
    assert "Answered from the cache $0.00 saved, 0 calls" in page


def test_shows_leads_the_calls_of_their_project_and_their_receipts(
    acme: Organization, alice: ApiKey, bob: ApiKey
) -> None:
    side = make.project(of=acme, slug="side")
    other, _ = make.key(of=acme, user=alice.user, in_project=side, name="Side")
    lead = make.member(of=acme, name="erin", role="lead")
    side.leads.add(lead.memberships.get())
    seen, cost = make.call(key=other, model="in-the-project")
    hidden, _ = make.call(key=bob, model="elsewhere")

    page = get(lead, "/spending/")

    assert "your calls and those of projects you lead" in text(page)
    assert cost in amounts(page)
    assert "elsewhere" not in page.content.decode()
    assert get(lead, f"/spending/calls/{seen}/").status_code == 200
    assert get(lead, f"/spending/calls/{hidden}/").status_code == 404


def names_in_order(visitor: ApiKey, **params: str) -> list[str]:
    page = get(visitor.user, "/spending/", **params).content.decode()
    table = page[page.index('aria-labelledby="groups"') :]
    return re.findall(r'<th scope="row">\s*<a href="[^"]*">([^<]+)</a>', table)[:3]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("cost", "acb"),
        ("-cost", "bca"),
        ("name", "abc"),
        ("-name", "cba"),
        ("calls", "bac"),
        ("input", "acb"),
        ("output", "cab"),
        ("-output", "abc"),
        ("change", "acb"),
    ],
)
def test_sorts_the_table_as_the_address_says(alice: ApiKey, sort: str, order: str) -> None:
    make.call(key=alice, model="a", used=Used(input_tokens=9_000))
    make.call(key=alice, model="b", used=Used(input_tokens=2))
    make.call(key=alice, model="b", used=Used(input_tokens=3))
    make.call(key=alice, model="c", used=Used(input_tokens=1_000, output_tokens=1))

    assert "".join(names_in_order(alice, sort=sort, compare="previous")) == order


def test_says_which_column_is_sorted_and_turns_it_around(alice: ApiKey) -> None:
    make.call(key=alice)

    plain = get(alice.user, "/spending/").content.decode()
    assert re.search(r'aria-sort="descending"[^>]*>\s*<a href="\?sort=-cost">Cost', plain)
    turned = get(alice.user, "/spending/", sort="-calls").content.decode()
    assert re.search(r'aria-sort="ascending"[^>]*>\s*<a href="\?sort=calls">Calls', turned)
    assert get(alice.user, "/spending/", sort="beauty").status_code == 400


def test_draws_the_days_by_the_chosen_group(alice: ApiKey, bob: ApiKey) -> None:
    _, dear = make.call(key=alice, used=Used(input_tokens=1000))
    _, cheap = make.call(key=bob, used=Used(input_tokens=7))

    page = get(alice.user, "/spending/", group="user").content.decode()
    legend = page[page.index('aria-label="Groups') :]
    assert [*re.findall(r"</svg>\s*(\w+)\s*<span", legend)][:2] == ["Alice", "Bob"]
    assert {dear, cheap, dear + cheap} <= set(amounts(get(alice.user, "/spending/", group="user")))


def test_offers_what_can_be_filtered_by(acme: Organization, alice: ApiKey, bob: ApiKey) -> None:
    make.call(key=alice)
    page = get(alice.user, "/spending/", model="gpt-4o-mini").content.decode()
    form = page[page.index('<form class="fields"') :].split("</form>")[0]

    assert 'name="model" maxlength="160" value="gpt-4o-mini"' in form
    for name in ("Alice", "Bob", "Laptop", "Notebook"):
        assert name in form
    own = get(bob.user, "/spending/").content.decode()
    form = own[own.index('<form class="fields"') :].split("</form>")[0]
    assert "Notebook" in form
    assert "Alice" not in form
    assert "Laptop" not in form


def test_refreshes_itself_only_where_figures_may_change(alice: ApiKey) -> None:
    make.call(key=alice)

    assert 'hx-trigger="every 15s"' in get(alice.user, "/spending/").content.decode()
    past = get(alice.user, "/spending/", period="last-month").content.decode()
    assert "hx-" not in past
    assert "htmx" not in past

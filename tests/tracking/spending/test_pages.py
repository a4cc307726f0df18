"""The pages, as a browser without scripts gets them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from budgets.core.money import usd_text
from budgets.tenancy.models import ApiKey, Organization, User
from tests import make
from tests.tracking.spending.pages import amounts, get, text
from tracking.pricing.usage import Usage as Used

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]


def test_leads_from_the_root_to_the_spending_page_and_there_to_signing_in() -> None:
    home = get(None, "/")
    spending = get(None, "/spending/")

    assert (home.status_code, home.headers["Location"]) == (302, "/spending/")
    assert (spending.status_code, spending.headers["Location"]) == (302, "/login/?next=/spending/")
    for path in ("/spending/calls/", f"/spending/calls/{uuid4()}/"):
        assert get(None, path).headers["Location"] == f"/login/?next={path}"


def test_signs_in_by_e_mail_address_and_out_again(acme: Organization) -> None:
    make.user(name="dora", password="a long password")
    client = Client()

    wrong = client.post("/login/", {"username": "dora@example.org", "password": "no"})
    right = client.post(
        "/login/?next=/spending/calls/",
        {"username": "dora@example.org", "password": "a long password", "next": "/spending/calls/"},
    )
    again = client.get("/login/")
    out = client.post("/logout/")

    assert (wrong.status_code, "correct e-mail address" in wrong.content.decode()) == (200, True)
    assert (right.status_code, right.headers["Location"]) == (302, "/spending/calls/")
    assert (again.status_code, again.headers["Location"]) == (302, "/")
    assert (out.status_code, out.headers["Location"]) == (302, "/login/")
    assert client.get("/spending/").status_code == 302


def test_does_not_lead_elsewhere_after_signing_in() -> None:
    make.user(name="dora", password="a long password")

    response = Client().post(
        "/login/",
        {
            "username": "dora@example.org",
            "password": "a long password",
            "next": "https://evil.example/",
        },
    )

    assert response.headers["Location"] == "/"


def test_shows_the_figures_of_the_ledger_to_the_last_digit(
    acme: Organization, alice: ApiKey, bob: ApiKey
) -> None:
    _, first = make.call(key=alice, used=Used(input_tokens=12_345, output_tokens=6))
    _, second = make.call(key=bob, model="claude", used=Used(input_tokens=77))

    page = get(alice.user, "/spending/")

    assert page.status_code == 200
    shown = amounts(page)
    assert {first, second, first + second} <= set(shown)
    assert usd_text(first + second) in page.content.decode()
    assert "12,345" in text(page)
    assert "12,422" in text(page)


def test_shows_how_much_is_left_and_when_it_starts_anew(acme: Organization, alice: ApiKey) -> None:
    make.budget(organization=acme, limit="50", name="Acme together")
    request = make.held_call(key=alice, usd="34.4")
    make.charge(key=alice, request=request, usd="34.4")
    make.held_call(key=alice, usd="1.9")

    page = text(get(alice.user, "/spending/"))

    assert "Acme together everyone in Acme Spent $34.40 of $50.00 per month 68.8 %" in page
    assert "In flight $1.90 Left $13.70 Resets in 13 d 11 h Wed 1 Apr, 00:00" in page
    assert "Within limit. Hard limit" in page
    assert "House allowance $63.70 left $34.40 of $100.00 per month" in page


@pytest.mark.parametrize(
    "path",
    [
        "/spending/",
        "/spending/exports/",
        "/spending/statement/",
        "/alerts/",
        "/requests/",
        "/reports/",
    ],
)
def test_leads_on_within_the_organization_that_is_looked_at(
    acme: Organization, alice: ApiKey, path: str
) -> None:
    make.organization(slug="zeta", owner=alice.user)

    page = get(alice.user, path, organization="zeta").content.decode()

    nav = page[page.index('<nav aria-label="Pages">') :].split("</nav>")[0]
    links = re.findall(r'href="(/[^"]*)"', nav)
    assert len(links) >= 5
    assert all(link.endswith("?organization=zeta") for link in links if "/admin/" not in link)


def test_says_so_when_a_budget_is_used_up_and_when_it_only_tells(
    acme: Organization, alice: ApiKey
) -> None:
    make.budget(organization=acme, limit="1", name="Cap")
    make.budget(organization=acme, limit="0.5", name="Alert", enforcement="warn")
    request = make.held_call(key=alice, usd="1")
    make.charge(key=alice, request=request, usd="1")

    page = text(get(alice.user, "/spending/"))

    assert "Spent $1.00 of $1.00 per month 100.0 %" in page
    assert "Used up. Hard limit" in page
    assert "everyone in Acme, alert only" in page


def test_tells_rate_limits_apart_from_money(acme: Organization, alice: ApiKey) -> None:
    make.budget(organization=acme, limit="60", name="Rate", unit="requests", window="minute")
    make.budget(organization=acme, limit="4", name="At once", unit="in_flight", window="total")

    page = text(get(alice.user, "/spending/"))

    assert "60 requests per minute, everyone in Acme 0 now" in page
    assert "4 requests in flight, everyone in Acme 0 now" in page


def test_says_when_no_dollar_budget_applies() -> None:
    unlimited = make.organization(on_plan=make.plan(code="unlimited"))
    key, _ = make.key(of=unlimited, user=make.user())
    make.held_call(key=key, usd="0.25")

    page = text(get(key.user, "/spending/"))

    assert "No dollar budget applies Spent $0.00 in these days In flight $0.25 1 call" in page


def test_reads_dates_and_times_off_the_organizations_clock() -> None:
    tokyo = make.organization(slug="tokyo", time_zone="Asia/Tokyo")
    key, _ = make.key(of=tokyo, user=make.user())
    make.call(key=key, at=make.NOW.replace(hour=9, minute=30))

    page = text(get(key.user, "/spending/"))

    assert "From the ledger, 18 Mar, 22:00:00 Asia/Tokyo" in page
    assert "18 Mar, 18:30:00" in page


def test_shows_members_their_own_calls_only(alice: ApiKey, bob: ApiKey) -> None:
    hidden, alices = make.call(key=alice, model="secret-model")
    shown, bobs = make.call(key=bob, used=Used(input_tokens=7))

    page = get(bob.user, "/spending/", group="user")
    calls = get(bob.user, "/spending/calls/")

    assert "your own calls" in text(page)
    assert bobs in amounts(page)
    assert alices not in amounts(page)
    for response in (page, calls):
        assert str(shown) in response.content.decode()
        for secret in (str(hidden), "secret-model", "Alice"):
            assert secret not in response.content.decode()


@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_shows_everyone_to_admins_and_viewers(
    acme: Organization, alice: ApiKey, bob: ApiKey, role: str
) -> None:
    make.call(key=alice)
    make.call(key=bob)

    dora = make.member(of=acme, name="dora", role=role)
    page = text(get(dora, "/spending/", group="user"))

    assert "By person" in page
    assert "Alice alice@example.org" in page
    assert "Bob bob@example.org" in page


def test_shows_strangers_nothing(alice: ApiKey, carol: User) -> None:
    request, _ = make.call(key=alice)

    for path, params in (
        ("/spending/", {"organization": "acme"}),
        ("/spending/calls/", {"organization": "acme"}),
        (f"/spending/calls/{request}/", {}),
        (f"/spending/calls/{request}/", {"organization": "acme"}),
    ):
        assert get(carol, path, **params).status_code == 404
    own = get(carol, "/spending/")
    assert (own.status_code, "Acme" in text(own)) == (200, False)


def test_refuses_filters_of_others_like_those_that_do_not_exist(
    acme: Organization, alice: ApiKey, bob: ApiKey, carol: User
) -> None:
    make.call(key=alice)
    project = make.project(of=acme)
    answers = {
        (name, number): get(user, "/spending/", **{name: number})
        for user, name, numbers in (
            (carol, "user", [alice.user_id, 10**9]),
            (carol, "project", [project.pk, 10**9]),
            (carol, "key", [alice.pk, 10**9]),
            (bob.user, "user", [alice.user_id, 10**9 + 1]),
            (bob.user, "key", [alice.pk, 10**9 + 1]),
        )
        for number in numbers
    }

    for response in answers.values():
        assert response.status_code == 400
        assert "whose spend you may see. Shown is this month." in text(response)
        assert "alice" not in text(response).lower()
        assert "Laptop" not in text(response)


def test_filters_by_person_project_key_and_model(
    acme: Organization, alice: ApiKey, bob: ApiKey
) -> None:
    side = make.project(of=acme, slug="side")
    sidekick, _ = make.key(of=acme, user=bob.user, in_project=side, name="Sidekick")
    _, one = make.call(key=alice, model="a", used=Used(input_tokens=1))
    _, two = make.call(key=bob, model="b", used=Used(input_tokens=20))
    _, three = make.call(key=sidekick, model="b", used=Used(input_tokens=300))

    def total(**params: str | int) -> tuple[Decimal, str]:
        page = get(alice.user, "/spending/", **params)
        shown = text(page)
        found = re.search(r'<dt>Spent</dt>\s*<dd><data value="([^"]+)"', page.content.decode())
        assert found
        return Decimal(found[1]), shown

    assert total()[0] == one + two + three
    for params, expected, chip in (
        ({"user": bob.user_id}, two + three, "Person: Bob"),
        ({"project": side.pk}, three, "Project: Side"),
        ({"key": bob.pk}, two, "API key: Notebook"),
        ({"model": "b"}, two + three, "Model: b"),
        ({"user": bob.user_id, "model": "a"}, Decimal(0), "Model: a"),
    ):
        if expected:
            spent, shown = total(**params)
            assert (spent, chip in shown) == (expected, True)
        else:
            assert "No such call in these days" in text(get(alice.user, "/spending/", **params))


def test_shows_the_selected_days_only(alice: ApiKey) -> None:
    make.call(key=alice, model="march")
    make.call(key=alice, model="february", at=make.NOW - timedelta(days=20))

    this_month = text(get(alice.user, "/spending/"))
    last_month = text(get(alice.user, "/spending/", period="last-month"))
    own = text(get(alice.user, "/spending/", from_="2026-02-26", to="2026-02-26"))

    assert ("march" in this_month, "february" in this_month) == (True, False)
    assert ("march" in last_month, "february" in last_month) == (False, True)
    assert "february" in own
    assert "26 Feb 2026 " in own


def test_carries_the_selection_on_in_every_address(acme: Organization, alice: ApiKey) -> None:
    make.call(key=alice, model="a", at=make.NOW - timedelta(days=20))

    page = get(alice.user, "/spending/", period="last-month", model="a").content.decode()

    assert 'href="/spending/calls/?period=last-month&amp;model=a"' in page
    assert 'href="?period=last-month&amp;model=a&amp;group=user"' in page
    assert 'href="?period=last-month"' in page  # the filter, taken off


def test_offers_each_of_several_organizations(acme: Organization, alice: ApiKey) -> None:
    globex = make.organization(slug="globex", owner=make.user(name="carol"))
    make.member(of=globex, name="alice")
    request, _ = make.call(key=alice)

    page = get(alice.user, "/spending/", organization="globex").content.decode()
    first = get(alice.user, "/spending/", organization="acme").content.decode()

    assert "Globex · your own calls" in " ".join(page.split())
    assert 'href="?organization=acme"' in page
    assert f'href="/spending/calls/{request}/?organization=acme"' in first


@pytest.mark.parametrize("path", ["/spending/", "/spending/calls/"])
@pytest.mark.parametrize(
    "params",
    [
        {"period": "decade"},
        {"from_": "tomorrow"},
        {"from_": "2026-03-02", "to": "2026-03-01"},
        {"user": "alice"},
        {"project": "99999999999999999999"},
        {"before": "-"},
        {"model": "\x00"},
    ],
)
def test_says_what_makes_no_sense_and_shows_this_month(
    alice: ApiKey, path: str, params: dict[str, str]
) -> None:
    make.call(key=alice)

    page = get(alice.user, path, **params)

    assert page.status_code == 400
    assert "Shown is this month." in text(page)
    assert "gpt-4o-mini" in text(page)


def test_shows_how_to_make_the_first_call(alice: ApiKey) -> None:
    page = text(get(alice.user, "/spending/"))

    assert "curl http://testserver/v1/chat/completions" in page
    assert f"is your key “Laptop”, {alice.masked}" in page


def test_offers_no_key_that_opens_nothing(acme: Organization) -> None:
    owner = make.user()
    make.key(of=acme, user=owner, name="Old", expires_at=make.NOW)

    assert "“Old”" not in text(get(owner, "/spending/"))


def test_tells_who_belongs_nowhere_what_to_do(acme: Organization) -> None:
    carol = make.user(name="carol", is_staff=True, is_superuser=True)

    for path in ("/spending/", "/spending/calls/", f"/spending/calls/{uuid4()}/"):
        page = get(carol, path)
        assert (page.status_code, "Acme" in text(page)) == (200, False)
        assert "not a member of an organization yet" in text(page)


def test_leads_only_staff_to_the_admin(acme: Organization) -> None:
    dora = make.member(of=acme, name="dora", is_staff=True)

    assert 'href="/admin/"' in get(dora, "/spending/").content.decode()
    assert 'href="/admin/"' not in get(make.member(of=acme), "/spending/").content.decode()


def test_says_when_the_organization_is_suspended(acme: Organization) -> None:
    Organization.objects.filter(pk=acme.pk).update(status=Organization.Status.SUSPENDED)

    assert "Acme is suspended: its calls are refused." in text(get(make.user(), "/spending/"))


def test_lists_calls_page_by_page(alice: ApiKey) -> None:
    for n in range(51):
        make.call(key=alice, at=make.NOW - timedelta(seconds=n), used=Used(input_tokens=n + 1))

    first = get(alice.user, "/spending/calls/")
    older = re.search(r'href="(\?[^"]*before=[^"]+)"', first.content.decode())
    assert older
    second = get(alice.user, "/spending/calls/" + unescape(older[1]))

    assert first.content.decode().count('<th scope="row">') == 50
    assert second.content.decode().count('<th scope="row">') == 1
    assert 'rel="next"' not in second.content.decode()
    assert "Newest" in text(second)


def test_writes_a_receipt_whose_lines_add_up(alice: ApiKey) -> None:
    used = Used(input_tokens=1000, cached_input_tokens=400, output_tokens=20)
    request, cost_usd = make.call(key=alice, used=used)

    page = get(alice.user, f"/spending/calls/{request}/")

    shown = text(page)
    assert page.status_code == 200
    assert f"Cost ${usd_text(cost_usd)}" in shown
    assert "Input 600 $0.15 / M $0.000090000000" in shown
    assert "Cached input 400 $0.075 / M $0.000030000000" in shown
    assert "Output 20 $0.60 / M $0.000012000000" in shown
    assert "Version 1 stated here" in shown
    assert "House allowance for each user, in US dollars" in shown


def test_explains_an_estimate_that_nobody_has_confirmed(alice: ApiKey) -> None:
    request = make.held_call(key=alice, usd="0.5")
    make.charge(key=alice, request=request, usd="0.5", kind="estimate")

    shown = text(get(alice.user, f"/spending/calls/{request}/"))

    assert "unconfirmed estimate" in shown
    assert "No attempt was recorded" in shown


def test_a_receipt_leads_to_the_call_that_it_was_made_in_place_of(alice: ApiKey) -> None:
    failed, _ = make.call(key=alice)
    request, _ = make.call(key=alice, origin_request_id=failed)

    page = get(alice.user, f"/spending/calls/{request}/").content.decode()

    assert f'href="/spending/calls/{failed}/' in page
    assert "Made in place of" in page


def test_writes_no_receipt_of_a_colleagues_call_for_a_member(alice: ApiKey, bob: ApiKey) -> None:
    alices, _ = make.call(key=alice)
    bobs, _ = make.call(key=bob)

    assert get(bob.user, f"/spending/calls/{bobs}/").status_code == 200
    assert get(bob.user, f"/spending/calls/{alices}/").status_code == 404
    assert get(bob.user, f"/spending/calls/{uuid4()}/").status_code == 404


def test_has_no_inline_style_or_script_and_is_kept_by_nobody(alice: ApiKey) -> None:
    request, _ = make.call(key=alice)

    for path in ("/spending/", "/spending/calls/", f"/spending/calls/{request}/", "/login/"):
        page = get(None if path == "/login/" else alice.user, path)
        written = page.content.decode()
        assert not re.search(r"\sstyle=|<style|<script(?! src=\"/static/)|\son\w+=", written)
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert "no-store" in page.headers["Cache-Control"]


def test_takes_no_other_method(alice: ApiKey) -> None:
    client = Client()
    client.force_login(alice.user)

    assert client.post("/spending/").status_code == 405


def test_answers_an_unknown_address_with_a_page() -> None:
    page = get(None, "/nowhere")

    assert (page.status_code, "There is nothing here" in text(page)) == (404, True)


def test_asks_the_database_a_fixed_number_of_times(
    acme: Organization,
    alice: ApiKey,
    bob: ApiKey,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for n in range(12):
        make.call(key=(alice, bob)[n % 2], model=f"m{n % 4}")
    client = Client()
    client.force_login(alice.user)
    client.get("/spending/")

    # Session, user, memberships; projects, people and keys to choose from; how far rollups go, figures
    # by day and by person, people; budgets, calls, in flight; for the forecasts the budgets and their
    # past, and the month and its past; the groups; waste in all, by kind, and what was repeated; what
    # the cache saved; what was unusual. Each set of figures asks how far the rollups go.
    with django_assert_num_queries(29):
        client.get("/spending/")


def test_shows_a_day_that_began_while_the_clock_was_changed() -> None:
    berlin = make.organization(slug="berlin", time_zone="Europe/Berlin")
    key, _ = make.key(of=berlin, user=make.user())
    at = datetime.fromisoformat("2026-03-29T00:30:00+01:00")
    make.call(key=key, at=at)

    page = text(get(key.user, "/spending/", from_="2026-03-29", to="2026-03-29"))

    assert "29 Mar, 00:30:00" in page

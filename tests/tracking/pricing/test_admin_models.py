"""Models and prices in the admin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from budgets.core.clock import now
from tests import make
from tracking.pricing.models import CatalogModel, Price
from tracking.pricing.queries import price_at

pytestmark = pytest.mark.django_db

LIST = "admin:tracking_catalogmodel_changelist"
CHANGE = "admin:tracking_catalogmodel_change"


@pytest.fixture
def operator(client: Client) -> Client:
    """A browser in which an operator of the site is signed in."""
    client.force_login(make.user(name="alice", is_staff=True, is_superuser=True))
    return client


def form(model: CatalogModel, **fields: str) -> dict[str, str]:
    """What a browser sends back for a model's page, with some fields changed."""
    shown = {
        "name": model.name,
        "provider": model.provider,
        "mode": model.mode,
        "context_window": "",
        "max_output_tokens": "",
        "capabilities": "",
        "active": "on",
        "price": "",
        "valid_from_0": "",
        "valid_from_1": "",
        "note": "",
        "prices-TOTAL_FORMS": "0",
        "prices-INITIAL_FORMS": "0",
    }
    return shown | fields


def save(operator: Client, model: CatalogModel, **fields: str) -> Any:
    return operator.post(reverse(CHANGE, args=[model.pk]), form(model, **fields), follow=True)


def page(operator: Client, address: str, **query: str) -> str:
    answer = operator.get(address, query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_lists_models_with_their_price_by_the_million(operator: Client) -> None:
    make.price(model="priced", input_usd="0.00000015", output_usd="0.0000006")
    CatalogModel.objects.create(name="unpriced", provider="lab", listed_at=make.NOW)
    shown = page(operator, reverse(LIST))
    assert "$0.15" in shown
    assert "$0.6" in shown
    assert "not priced" in shown


def test_filters_models_whose_price_does_not_price_their_calls(operator: Client) -> None:
    pictures = make.price(model="pictures").model
    pictures.mode = CatalogModel.Mode.IMAGE_GENERATION
    pictures.save()
    assert ">pictures</a>" in page(operator, reverse(LIST), priced="no")
    assert ">pictures</a>" not in page(operator, reverse(LIST), priced="yes")


@pytest.mark.parametrize(
    ("priced", "kept", "left"), [("yes", "here", "gone"), ("no", "gone", "here")]
)
def test_filters_models_that_nobody_priced(
    operator: Client, priced: str, kept: str, left: str
) -> None:
    make.price(model="here")
    CatalogModel.objects.create(name="gone", provider="lab", listed_at=make.NOW)
    shown = page(operator, reverse(LIST), priced=priced)
    assert f">{kept}</a>" in shown
    assert f">{left}</a>" not in shown


def test_reads_the_list_in_a_fixed_number_of_queries(
    operator: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        make.price(model=f"model-{number}")
    with django_assert_max_num_queries(14):
        page(operator, reverse(LIST))


def test_publishes_changed_lines_as_a_new_version(operator: Client) -> None:
    price = make.price(model="mini", input_usd="0.000001", output_usd="0.000002")
    save(
        operator,
        price.model,
        price="input = 3\r\noutput = 4\r\ninput>200000 = 6\r\n",
        note="New contract",
    )
    latest = price_at(name="mini", at=now())
    published = Price.objects.get(pk=latest.price_id)
    assert latest.price_version == 2
    assert latest.rates.per_unit == {
        "input": Decimal("0.000003"),
        "output": Decimal("0.000004"),
        "input>200000": Decimal("0.000006"),
    }
    assert (published.note, str(published.published_by)) == ("New contract", "alice@example.org")
    assert published.source == Price.Source.STATED


def test_publishes_nothing_when_the_lines_are_as_shown(operator: Client) -> None:
    price = make.price(
        model="mini", input_usd="0.000001", cached_input_usd="0.000001", output_usd="0.000002"
    )
    save(operator, price.model, price="input = 1\r\ncached_input = 1\r\noutput = 2", active="")
    price.model.refresh_from_db()
    assert not price.model.active
    assert price.model.prices.count() == 1


@pytest.mark.parametrize("lines", ["input 3", "input = -1", "input = 0.00000001", "input = NaN"])
def test_refuses_lines_that_are_no_price(operator: Client, lines: str) -> None:
    price = make.price(model="mini")
    answer = save(operator, price.model, price=lines)
    assert "errorlist" in answer.content.decode()
    assert price.model.prices.count() == 1


@pytest.mark.parametrize("day", ["2020-01-01", "2099-01-01"])
def test_says_why_a_price_cannot_start_in_the_past_or_before_a_planned_one(
    operator: Client, day: str
) -> None:
    model = make.price(model="mini").model
    planned = {
        "price": "input = 3\noutput = 3",
        "valid_from_0": "2099-12-31",
        "valid_from_1": "00:00:00",
    }
    save(operator, model, **planned)
    starting = {"price": "input = 4\noutput = 4", "valid_from_0": day, "valid_from_1": "00:00:00"}
    assert "A price starts now or later" in save(operator, model, **starting).content.decode()
    assert model.prices.count() == 2


def test_adds_a_model_of_ones_own_with_its_price(operator: Client) -> None:
    own = CatalogModel(name="lab/llama", provider="lab", mode="chat")
    operator.post(
        reverse("admin:tracking_catalogmodel_add"), form(own, price="input = 0.2\noutput = 0.4")
    )
    added = price_at(name="lab/llama", at=now())
    assert added.rates.per_unit["input"] == Decimal("0.0000002")
    assert CatalogModel.objects.get(name="lab/llama").origin == CatalogModel.Origin.OWN


def test_states_a_price_of_zero_for_chosen_models(operator: Client) -> None:
    free = CatalogModel.objects.create(name="free", provider="lab", listed_at=make.NOW)
    operator.post(reverse(LIST), {"action": "state_free", "_selected_action": [free.pk]})
    assert price_at(name="free", at=now()).rates.per_unit["output"] == 0


@pytest.mark.parametrize(("action", "active"), [("stop_calls", False), ("allow_calls", True)])
def test_switches_chosen_models(operator: Client, action: str, *, active: bool) -> None:
    model = make.price(model="mini").model
    CatalogModel.objects.update(active=not active)
    operator.post(reverse(LIST), {"action": action, "_selected_action": [model.pk]})
    model.refresh_from_db()
    assert model.active is active


def test_shows_the_history_of_a_price_and_lets_nobody_edit_it(operator: Client) -> None:
    price = make.price(model="mini")
    assert "$0.15" in page(operator, reverse(CHANGE, args=[price.model_id]))
    assert "mini" in page(operator, reverse("admin:tracking_price_changelist"))
    detail = reverse("admin:tracking_price_change", args=[price.pk])
    assert 'name="_save"' not in page(operator, detail)
    assert operator.post(detail, {"version": "9"}).status_code == 403
    assert operator.post(reverse("admin:tracking_price_delete", args=[price.pk])).status_code == 403
    assert operator.get(reverse("admin:tracking_price_add")).status_code == 403


def test_does_not_let_a_model_be_deleted(operator: Client) -> None:
    price = make.price(model="mini")
    gone = operator.post(
        reverse("admin:tracking_catalogmodel_delete", args=[price.model_id]), {"post": "yes"}
    )
    assert gone.status_code == 403


def test_refuses_a_price_that_does_not_price_the_calls_of_the_model(operator: Client) -> None:
    pictures = CatalogModel.objects.create(
        name="pictures", provider="lab", mode="image_generation", listed_at=make.NOW
    )
    answer = save(operator, pictures, price="input = 1\noutput = 2")
    assert "Calls for image_generation need rates of output_per_image or" in answer.content.decode()
    assert not Price.objects.exists()
    save(operator, pictures, price="output_per_image:hd/1024x1024 = 0.08")
    assert Price.objects.get().rates == {"per_unit": {"output_per_image:hd/1024x1024": "0.08"}}

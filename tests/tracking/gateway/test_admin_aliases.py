"""Aliases, keys and their health in the admin: what is refused is said, and nothing is half saved."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from django.contrib.messages import get_messages
from django.core.management import CommandError, call_command
from django.test import Client

from budgets.core.sealing import unseal
from budgets.history.queries import changes
from tests import make
from tests.admin_pages import act, fields_in, list_of, new, page_of, superuser, text_of
from tests.fakes.upstream import running_upstream
from tracking.gateway.connections import connect_provider
from tracking.gateway.models import Alias, Provider, RouteHealth
from tracking.gateway.routes import owner_text
from tracking.gateway.trials import try_provider
from tracking.pricing.models import CatalogModel

pytestmark = pytest.mark.django_db


def models() -> list[CatalogModel]:
    return [
        make.price(model=name, provider=name.partition("/")[0]).model
        for name in ("dear/one", "cheap/one")
    ]


def send(client: Client, address: str, *targets: dict[str, Any], **fields: Any) -> Any:
    """Fill in the page of an alias, with its targets as rows."""
    filled = {name: value for name, value in fields_in(text_of(client, address)).items() if value}
    rows = {
        f"targets-{place}-{name}": value
        for place, target in enumerate(targets)
        for name, value in ({"position": place + 1, "weight": 1} | target).items()
    }
    return client.post(address, filled | rows | {"targets-TOTAL_FORMS": len(targets)} | fields)


def test_makes_an_alias_of_several_models_and_changes_it() -> None:
    client, (dear, cheap) = superuser(), models()

    send(client, new(Alias), {"model": dear.pk}, {"model": cheap.pk}, name="smart")

    alias = Alias.objects.get(name="smart")
    assert [t.model.name for t in alias.targets.order_by("position")] == ["dear/one", "cheap/one"]
    assert "dear/one &gt; cheap/one" in text_of(client, list_of(Alias))
    first, second = alias.targets.order_by("position")
    send(
        client,
        page_of(alias),
        {"id": first.pk, "alias": alias.pk, "model": dear.pk, "DELETE": "on"},
        {"id": second.pk, "alias": alias.pk, "model": cheap.pk, "weight": 7},
    )
    (left,) = alias.targets.all()
    assert (left.model, left.weight) == (cheap, 7)
    assert changes().filter(pgh_obj_model="tracking.AliasTarget", pgh_label="delete").exists()


def test_refuses_a_strangers_key_and_an_alias_of_nothing() -> None:
    client, (dear, _) = superuser(), models()
    acme = connect_provider(name="dear", organization=make.organization(), key="sk-acme")

    stolen = send(client, new(Alias), {"model": dear.pk, "provider": acme.pk}, name="smart")
    nothing = send(client, new(Alias), name="smart")
    renamed = send(client, new(Alias), {"model": dear.pk, "name_at_provider": "x"}, name="smart")

    assert "belongs to Acme, and the alias to the site" in stolen.content.decode()
    assert "at least one model" in nothing.content.decode()
    assert "needs the key of that provider" in renamed.content.decode()
    assert not Alias.objects.exists()


def test_refuses_a_second_alias_of_the_same_name_and_owner() -> None:
    client, (dear, _) = superuser(), models()

    send(client, new(Alias), {"model": dear.pk}, name="smart")
    again = send(client, new(Alias), {"model": dear.pk}, name="smart")

    assert "already exists" in again.content.decode()
    assert Alias.objects.count() == 1


def test_refuses_an_address_of_our_own_network_unless_it_is_allowed(settings: Any) -> None:
    settings.COSTSITE_PROVIDER_NETWORKS = []
    client = superuser()
    fields = fields_in(text_of(client, new(Provider))) | {
        "name": "ours",
        "kind": "openai_compatible",
    }
    filled = {name: value for name, value in fields.items() if value is not None}

    for address in ("http://169.254.169.254/v1", "https://127.0.0.1/v1", "https://10.0.0.1"):
        said = client.post(new(Provider), filled | {"base_url": address}).content.decode()
        assert "COSTSITE_PROVIDER_NETWORKS" in said or "must begin with https" in said
    assert not Provider.objects.filter(name="ours").exists()


def test_tells_of_each_key_whether_it_works() -> None:
    client = superuser()
    with running_upstream() as upstream:
        provider = connect_provider(
            name="ours", kind=Provider.Kind.OPENAI_COMPATIBLE, base_url=upstream.url, key="sk-1"
        )
        gone = connect_provider(
            name="gone",
            kind=Provider.Kind.OPENAI_COMPATIBLE,
            base_url="http://127.0.0.1:9/v1",
        )
        asked = act(client, "test", provider, gone)
        assert "a few tokens" in asked.content.decode()
        assert not upstream.requests

        done = act(client, "test", provider, gone, confirmed="yes")

    said = [str(message) for message in get_messages(done.wsgi_request)]
    assert said == [
        "gone: It cannot be reached: ConnectError.",
        "ours: It answers, though it does not list its models.",
    ]


def test_a_trial_never_repeats_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = connect_provider(
        name="ours",
        kind=Provider.Kind.OPENAI_COMPATIBLE,
        base_url="http://127.0.0.1:9/v1",
        key="sk-secret",
    )

    async def refuse(_: Any, address: str, headers: dict[str, str]) -> httpx.Response:
        assert address == "http://127.0.0.1:9/v1/models"
        return httpx.Response(401, text=f"no such key: {headers['Authorization']}")

    monkeypatch.setattr(httpx.AsyncClient, "get", refuse)
    trial = try_provider(provider=provider, now=make.NOW)

    assert not trial.works
    assert trial.seen == "It answers 401: no such key: Bearer ***"


def test_shows_the_health_of_each_key() -> None:
    client = superuser()
    well, failing = connect_provider(name="well"), connect_provider(name="failing")
    RouteHealth.objects.create(
        provider=failing, model="gpt-x", failures=4, code="provider_error", failed_at=make.NOW
    )

    listed = text_of(client, list_of(Provider))
    assert "failed <time" in listed
    assert ">well<" in listed
    assert "gpt-x" in text_of(client, page_of(failing))
    assert "gpt-x" not in text_of(client, page_of(well))
    assert "gpt-x" in text_of(client, list_of(RouteHealth))


def test_seals_every_secret_with_the_newest_key(settings: Any) -> None:
    old, newest = settings.COSTSITE_CREDENTIAL_KEYS[0], Fernet.generate_key().decode()
    connect_provider(name="openai", key="sk-kept")
    connect_provider(name="keyless")
    before = bytes(Provider.objects.get(name="openai").sealed_key)
    settings.COSTSITE_CREDENTIAL_KEYS = [newest, old]

    call_command("rotate_secrets")
    once = bytes(Provider.objects.get(name="openai").sealed_key)
    call_command("rotate_secrets")
    twice = bytes(Provider.objects.get(name="openai").sealed_key)

    assert before != once == twice
    opened = unseal(sealed=once, owner=owner_text("openai", None), secrets=[newest])
    assert opened == "sk-kept"
    assert bytes(Provider.objects.get(name="keyless").sealed_key) == b""

    settings.COSTSITE_CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="stay as they are"):
        call_command("rotate_secrets")
    assert bytes(Provider.objects.get(name="openai").sealed_key) == once

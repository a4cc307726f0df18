"""Providers in the admin: their keys go in and never come out."""

from __future__ import annotations

import pytest
from django.conf import settings

from budgets.core.sealing import unseal
from tests import make
from tests.admin_pages import act, list_of, new, page_of, submit, superuser, text_of
from tracking.gateway.connections import connect_provider
from tracking.gateway.models import Provider
from tracking.gateway.routes import owner_text

pytestmark = pytest.mark.django_db

KEY = "sk-test-0123456789"


def key_of(provider: Provider) -> str:
    provider = Provider.objects.get(pk=provider.pk)
    owner = owner_text(provider.name, provider.organization_id)
    sealed = bytes(provider.sealed_key)
    return unseal(sealed=sealed, owner=owner, secrets=settings.COSTSITE_CREDENTIAL_KEYS)


def test_connects_a_provider_with_its_key_for_the_site_or_for_one_organization() -> None:
    client, acme = superuser(), make.organization()

    submit(client, new(Provider), name="openai", kind="litellm", key=KEY)
    submit(
        client,
        new(Provider),
        name="openai",
        organization=str(acme.pk),
        kind="openai_compatible",
        base_url="llm.example.org/v1",
        key="sk-acme",
    )

    of_site = Provider.objects.get(organization=None)
    of_acme = Provider.objects.get(organization=acme)
    assert key_of(of_site) == KEY
    assert key_of(of_acme) == "sk-acme"
    assert of_acme.base_url == "https://llm.example.org/v1"


def test_never_shows_a_key_or_its_cipher() -> None:
    provider = connect_provider(name="openai", key=KEY)
    sealed = bytes(Provider.objects.get(pk=provider.pk).sealed_key).decode()
    client = superuser()

    for address in (list_of(Provider), page_of(provider)):
        html = text_of(client, address)
        assert KEY not in html
        assert sealed not in html
        assert ">set<" in html

    refused = submit(client, page_of(provider), key="sk-another", kind="openai_compatible")
    assert refused.status_code == 200
    assert "needs a base URL" in refused.content.decode()
    assert "sk-another" not in refused.content.decode()
    submit(client, page_of(provider), key="sk-another")
    assert "sk-another" not in text_of(client, page_of(provider).replace("change", "history"))


def test_keeps_the_stored_key_unless_it_is_told_otherwise() -> None:
    provider = connect_provider(name="openai", key=KEY)
    client = superuser()

    submit(client, page_of(provider), active=None)
    assert key_of(provider) == KEY
    assert not Provider.objects.get().active

    submit(client, page_of(provider), active="on", key="sk-new")
    assert key_of(provider) == "sk-new"
    assert Provider.objects.get().active

    both = submit(client, page_of(provider), key="sk-newer", removes_key="on")
    assert "Either give a new key or remove the stored one." in both.content.decode()

    submit(client, page_of(provider), removes_key="on")
    assert key_of(provider) == ""
    assert ">none<" in text_of(client, page_of(provider))


def test_keeps_the_name_and_the_owner_that_the_key_opens_for() -> None:
    acme = make.organization()
    provider = connect_provider(name="openai", key=KEY, organization=acme)

    superuser().post(
        page_of(provider), {"name": "other", "organization": "", "kind": "litellm", "active": "on"}
    )

    provider.refresh_from_db()
    assert (provider.name, provider.organization) == ("openai", acme)


def test_refuses_a_second_provider_of_the_same_name_and_owner() -> None:
    connect_provider(name="openai", key=KEY)

    answer = submit(superuser(), new(Provider), name="openai", key="sk-other")

    assert answer.status_code == 200
    assert "already exists" in answer.content.decode()


def test_switches_providers_on_and_off() -> None:
    provider = connect_provider(name="openai", key=KEY)
    client = superuser()

    act(client, "switch_off", provider)
    assert Provider.objects.get().active
    act(client, "switch_off", provider, confirmed="yes")
    assert not Provider.objects.get().active
    act(client, "switch_on", provider)
    assert Provider.objects.get().active
    assert key_of(provider) == KEY


def test_lists_the_sites_own_providers_apart() -> None:
    connect_provider(name="openai")
    connect_provider(name="anthropic", organization=make.organization())
    client = superuser()

    own = client.get(f"{list_of(Provider)}?organization=:site").context["cl"].result_list
    assert [row.name for row in own] == ["openai"]
    rows = client.get(f"{list_of(Provider)}?organization=acme").context["cl"].result_list
    assert [row.name for row in rows] == ["anthropic"]

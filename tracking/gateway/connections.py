"""Connect the site, or one organization, to providers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.db import transaction

from budgets.core.sealing import seal
from budgets.http.outbound import check_url
from budgets.tenancy.models import Organization
from tracking.gateway.models import CachedAnswer, Provider, StoredAnswer
from tracking.gateway.routes import owner_text
from tracking.pricing.models import CatalogModel
from tracking.pricing.operations import import_catalog

# The environment variables that hold a provider's key by custom, and the catalogue's name for it.
CUSTOMARY_KEYS = {
    "OPENAI_API_KEY": "openai",
    "ANTHROPIC_API_KEY": "anthropic",
    "GEMINI_API_KEY": "gemini",
    "MISTRAL_API_KEY": "mistral",
    "GROQ_API_KEY": "groq",
    "DEEPSEEK_API_KEY": "deepseek",
    "XAI_API_KEY": "xai",
    "OPENROUTER_API_KEY": "openrouter",
}


def connect_provider(
    *,
    name: str,
    label: str = "",
    kind: str = Provider.Kind.LITELLM,
    key: str = "",
    base_url: str = "",
    organization: Organization | None = None,
) -> Provider:
    """Add a provider, or change the one of that name, label and owner; the key is stored encrypted.

    :raises ValidationError: if a field is not valid, e.g. an address where the kind takes none
    :raises AddressRefused: if the address is not public, and the operator has not allowed it
    """
    with transaction.atomic():
        provider = (
            Provider.objects.select_for_update()
            .filter(name=name, label=label, organization=organization)
            .first()
        ) or Provider(name=name, label=label, organization=organization)
        provider.kind, provider.base_url, provider.active = kind, base_url, True
        put_provider(provider=provider, key=key)
    return provider


def put_provider(*, provider: Provider, key: str = "") -> None:
    """Save a new or changed provider; an empty key leaves the stored one as it is.

    :raises ValidationError: if a field is not valid
    :raises AddressRefused: if its address is not public, and the operator has not allowed it
    """
    provider.full_clean(exclude=["sealed_key"])
    check_address(provider.base_url)
    with transaction.atomic():
        provider.save()
        if key:
            set_provider_key(provider=provider, key=key)


def check_address(base_url: str) -> None:
    """Refuse an address in a network of our own, unless the operator lists it for providers.

    :raises AddressRefused: saying which setting allows it
    """
    if base_url:
        check_url(base_url, listed="COSTSITE_PROVIDER_NETWORKS")


def set_provider_key(*, provider: Provider, key: str) -> None:
    """Store a provider's key, encrypted and bound to the provider and its owner; "" removes it."""
    owner = owner_text(provider.name, provider.organization_id)
    secrets = settings.COSTSITE_CREDENTIAL_KEYS
    provider.sealed_key = seal(key=key, owner=owner, secrets=secrets) if key else b""
    Provider.objects.filter(pk=provider.pk).update(sealed_key=provider.sealed_key)


def set_provider_active(*, provider: Provider, active: bool) -> None:
    """Send calls to a provider, or none; running processes see it within a second."""
    Provider.objects.filter(pk=provider.pk).update(active=active)
    provider.active = active


def sweep_answers(*, now: datetime) -> int:
    """Delete kept answers whose time is over, those of the cache too; give their number."""
    stored, _ = StoredAnswer.objects.filter(expires_at__lte=now).delete()
    cached, _ = CachedAnswer.objects.filter(expires_at__lte=now).delete()
    return stored + cached


def prepare_site(*, environment: Mapping[str, str], now: datetime) -> list[str]:
    """Make an empty site able to answer calls; give what was done, one line each.

    Lists the catalogue's models and prices, connects the built-in demo provider, and connects
    the providers whose customary key is in the environment. Repeating it changes nothing.
    """
    done = []
    if not CatalogModel.objects.exists():
        import_catalog(now=now)
        done.append("Imported the catalogue of models and prices")
    if not Provider.objects.filter(name="demo", organization=None).exists():
        connect_provider(name="demo", kind=Provider.Kind.DEMO)
        done.append("Connected the built-in demo provider")
    for variable, name in CUSTOMARY_KEYS.items():
        key = environment.get(variable, "")
        if key and not Provider.objects.filter(name=name, organization=None).exists():
            connect_provider(name=name, key=key)
            done.append(f"Connected {name} with {variable}")
    return done

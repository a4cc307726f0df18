"""Connect the site, or one organization, to providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from budgets.core.sealing import seal
from budgets.http.outbound import check_url
from budgets.tenancy.models import Organization
from tracking.gateway.models import Alias, AliasTarget, CachedAnswer, Provider, StoredAnswer
from tracking.gateway.routes import owner_text
from tracking.pricing.models import CatalogModel
from tracking.pricing.operations import import_catalog

# The setting that lists the networks of our own in which providers may be.
PROVIDER_NETWORKS = "COSTSITE_PROVIDER_NETWORKS"
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
        check_url(base_url, listed=PROVIDER_NETWORKS)


def put_alias(*, alias: Alias, targets: Sequence[AliasTarget]) -> None:
    """Save a new or changed alias with all that it stands for, in place of what it stood for before.

    :raises ValidationError: if a field is not valid, or a target is not for the alias's owner
    """
    alias.full_clean()
    check_targets(alias=alias, targets=targets)
    with transaction.atomic():
        alias.save()
        alias.targets.exclude(pk__in=[target.pk for target in targets if target.pk]).delete()
        for target in targets:
            target.alias = alias
            target.full_clean()
            target.save()


def check_targets(*, alias: Alias, targets: Sequence[AliasTarget]) -> None:
    """Refuse an alias that stands for nothing, or whose calls could go out with a stranger's key.

    :raises ValidationError: saying which target is wrong, and why
    """
    if not targets:
        raise ValidationError("An alias stands for at least one model.", code="required")
    for target in targets:
        provider = target.provider
        if provider and provider.organization_id not in (None, alias.organization_id):
            raise ValidationError(
                f"{target.model}: the key {provider} belongs to {provider.organization}, "
                f"and the alias to {alias.organization or 'the site'}.",
                code="invalid",
            )
        if not target.model.active:
            raise ValidationError(f"{target.model} is switched off.", code="invalid")
        if target.name_at_provider and not provider:
            raise ValidationError(
                f"{target.model}: a name at the provider needs the key of that provider.",
                code="invalid",
            )


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

"""Who holds an API key, for edges that stand on Django's own connection."""

from __future__ import annotations

from datetime import datetime

from budgets.tenancy import keys
from budgets.tenancy.callers import NOBODY, InvalidApiKey, Proof
from budgets.tenancy.models import ApiKey


def key_of(*, authorization: str, pepper: bytes, now: datetime) -> ApiKey:
    """Find the API key of an Authorization header, with its user and organization.

    :raises InvalidApiKey: for whatever reason the key does not open anything; one answer
    """
    text = keys.split(authorization.removeprefix("Bearer ").strip())
    if text is None:
        raise InvalidApiKey
    key = (
        ApiKey.objects.filter(lookup_id=text.lookup_id)
        .select_related("user", "organization")
        .first()
    )
    proof = (
        Proof(bytes(key.secret_digest), bytes(key.previous_digest), key.previous_expires_at)
        if key
        else NOBODY
    )
    is_proved = proof.holds(secret=text.secret, pepper=pepper, now=now)
    if key is None or not is_proved or not _opens(key, now):
        raise InvalidApiKey
    return key


def _opens(key: ApiKey, now: datetime) -> bool:
    return (
        key.status == ApiKey.Status.ACTIVE
        and key.user.is_active
        and (key.expires_at is None or now < key.expires_at)
        and key.user.memberships.filter(organization=key.organization).exists()
    )

"""Secrets at rest: encrypted with the site's credential keys, bound to what they belong to."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from budgets.core.errors import DomainError


class CredentialUnreadable(DomainError):
    """A stored secret cannot be decrypted: COSTSITE_CREDENTIAL_KEYS is not what sealed it."""

    code = "provider_not_configured"


def seal(*, key: str, owner: str, secrets: Sequence[str]) -> bytes:
    """Encrypt a secret for its owner; the first of the site's keys encrypts."""
    return _box(secrets).encrypt(f"{owner}\n{key}".encode())


def unseal(*, sealed: bytes, owner: str, secrets: Sequence[str]) -> str:
    """Decrypt a secret; an empty one stays empty.

    :raises CredentialUnreadable: if no site key opens it, or it was sealed for another owner
    """
    if not sealed:
        return ""
    try:
        sealed_for, _, key = _box(secrets).decrypt(sealed).decode().partition("\n")
    except InvalidToken as error:
        raise CredentialUnreadable from error
    if sealed_for != owner:
        raise CredentialUnreadable
    return key


def reseal(*, sealed: bytes, secrets: Sequence[str]) -> bytes | None:
    """Encrypt a secret anew with the first of the site's keys, for the same owner; None if it is so
    already, or empty.

    :raises CredentialUnreadable: if no site key opens it
    """
    if not sealed:
        return None
    try:
        _box(secrets[:1]).decrypt(sealed)
    except InvalidToken:
        pass
    else:
        return None
    try:
        return _box(secrets).rotate(sealed)
    except InvalidToken as error:
        raise CredentialUnreadable from error


def _box(secrets: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(secret) for secret in secrets])

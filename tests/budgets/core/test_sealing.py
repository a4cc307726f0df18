"""Secrets at rest."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from budgets.core.sealing import CredentialUnreadable, seal, unseal

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_opens_for_its_owner() -> None:
    sealed = seal(key="sk-secret", owner="openai@7", secrets=[OLD])

    assert b"sk-secret" not in sealed
    assert unseal(sealed=sealed, owner="openai@7", secrets=[OLD]) == "sk-secret"


def test_opens_for_nobody_else() -> None:
    """A row that is copied to another tenant, or renamed, is worth nothing there."""
    sealed = seal(key="sk-secret", owner="openai@7", secrets=[OLD])

    for owner in ("openai@8", "openai@site", "azure@7", ""):
        with pytest.raises(CredentialUnreadable):
            unseal(sealed=sealed, owner=owner, secrets=[OLD])


def test_survives_a_change_of_the_sites_keys() -> None:
    sealed = seal(key="sk-secret", owner="openai@7", secrets=[OLD])

    assert unseal(sealed=sealed, owner="openai@7", secrets=[NEW, OLD]) == "sk-secret"
    with pytest.raises(CredentialUnreadable):
        unseal(sealed=sealed, owner="openai@7", secrets=[NEW])


def test_keeps_any_text_and_none() -> None:
    for key in ("two\nlines", "ключ ☂", " "):
        sealed = seal(key=key, owner="a@1", secrets=[OLD])
        assert unseal(sealed=sealed, owner="a@1", secrets=[OLD]) == key
    assert unseal(sealed=b"", owner="a@1", secrets=[OLD]) == ""

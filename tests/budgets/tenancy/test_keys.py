"""The text of an API key."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.tenancy import keys


def test_reads_back_what_it_wrote() -> None:
    minted = keys.mint()

    assert keys.split(str(minted)) == minted
    assert re.fullmatch(r"cs_live_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9a-f]{8}", str(minted))


def test_every_key_is_new() -> None:
    assert len({str(keys.mint()) for _ in range(1000)}) == 1000


@given(place=st.integers(0, 68), sign=st.sampled_from("aZ0_é \x00"))
def test_refuses_a_key_with_a_changed_sign(place: int, sign: str) -> None:
    text = str(keys.KeyText(lookup_id="abcdefgh", secret="s" * keys.SECRET_LENGTH))
    changed = text[:place] + sign + text[place + 1 :]

    assert keys.split(changed) is None or changed == text


@given(text=st.text(max_size=90))
def test_refuses_anything_else(text: str) -> None:
    assert keys.split(text) is None


def test_stores_a_hash_that_needs_the_pepper() -> None:
    stored = keys.digest(secret="secret", pepper=b"one")

    assert keys.digest(secret="secret", pepper=b"one") == stored
    assert keys.digest(secret="secret", pepper=b"two") != stored
    assert keys.digest(secret="Secret", pepper=b"one") != stored
    assert b"secret" not in stored


@pytest.mark.django_db
def test_a_key_is_for_members_only() -> None:
    from budgets.tenancy.models import Membership
    from tests import make

    organization = make.organization()
    carol = make.user(name="carol")

    with pytest.raises(Membership.DoesNotExist):
        make.key(of=organization, user=carol)

"""The text of an API key: ``cs_live_<id>_<secret>_<crc>``.

The id finds the row, the secret proves the caller, the checksum lets scanners and typists tell
a real key from a broken one without asking a database. Pure: knows no model and no clock.
"""

from __future__ import annotations

import hmac
import secrets
import zlib
from dataclasses import dataclass

PREFIX = "cs_live"
ID_LENGTH = 8
SECRET_LENGTH = 43
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as its holder writes it, taken apart."""

    lookup_id: str
    secret: str

    def __str__(self) -> str:
        """Write the key out in full, checksum included."""
        body = f"{PREFIX}_{self.lookup_id}_{self.secret}"
        return f"{body}_{_checksum(body)}"


def mint() -> KeyText:
    """Make a new key from the system's randomness: 8 characters of id, 43 of secret."""
    return KeyText(lookup_id=_random_text(ID_LENGTH), secret=_random_text(SECRET_LENGTH))


def split(text: str) -> KeyText | None:
    """Take a key apart, or give None when it is not well-formed or its checksum is wrong."""
    head, _, checksum = text.rpartition("_")
    prefix, _, rest = head.rpartition(f"{PREFIX}_")
    lookup_id, _, secret = rest.partition("_")
    well_formed = (
        not prefix
        and len(lookup_id) == ID_LENGTH
        and len(secret) == SECRET_LENGTH
        and lookup_id.isascii()
        and secret.isascii()
        and lookup_id.isalnum()
        and secret.isalnum()
        and checksum == _checksum(head)
    )
    return KeyText(lookup_id=lookup_id, secret=secret) if well_formed else None


def id_in(text: str) -> str:
    """Find the id in what people paste of a key: all of it, its masked form, or the id alone."""
    return text.strip().removeprefix(f"{PREFIX}_").partition("_")[0]


def digest(*, secret: str, pepper: bytes) -> bytes:
    """Hash a secret for storage: HMAC-SHA256 with the site's pepper, 32 bytes."""
    return hmac.digest(pepper, secret.encode(), "sha256")


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"

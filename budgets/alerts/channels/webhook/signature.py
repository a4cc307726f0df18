"""Signatures of Standard Webhooks (standardwebhooks.com, version 1.0.0). Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 24


def write_secret(random: bytes) -> str:
    """Write random bytes as a secret."""
    return PREFIX + base64.b64encode(random).decode()


def signature_of(*, secrets: Sequence[str], id: str, timestamp_s: int, body: bytes) -> str:  # noqa: A002  the specification's word
    """Sign a message with each secret, the newest first: ``v1,<base64> v1,<base64>``.

    :raises ValueError: if a secret is not base64 behind its prefix
    """
    signed = f"{id}.{timestamp_s}.".encode() + body
    return " ".join(f"v1,{_sign(secret, signed)}" for secret in secrets)


def _sign(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()

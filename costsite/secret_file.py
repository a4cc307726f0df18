"""The secrets of an embedded installation: made once, kept in the data folder for its owner only."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

NAMES = ("SECRET_KEY", "COSTSITE_KEY_PEPPER", "COSTSITE_CREDENTIAL_KEYS")


def read_or_make(path: Path) -> dict[str, str]:
    """Read the secrets, or make them on the first start; two first starts agree on one set.

    Raises ImproperlyConfigured when the file cannot be made or read, is not whole, or others could
    read it.
    """
    try:
        if not path.exists():
            _make(path)
        found = json.loads(path.read_text(encoding="utf-8"))
    except PermissionError as error:
        raise ImproperlyConfigured(
            f"{path} is not this user's. Start as its owner, or give COSTSITE_DATA another folder."
        ) from error
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path} cannot be made: {error.strerror}. Set COSTSITE_DATA."
        ) from error
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{path} is not whole: {error}. Restore it from a backup."
        ) from error
    missing = [name for name in NAMES if not isinstance(found, dict) or not found.get(name)]
    if missing:
        raise ImproperlyConfigured(f"{path} lacks {', '.join(missing)}. Restore it from a backup.")
    if path.stat().st_mode & 0o077:
        raise ImproperlyConfigured(f"{path} is open to other users. Run: chmod 600 {path}")
    return {name: str(found[name]) for name in NAMES}


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "COSTSITE_KEY_PEPPER": secrets.token_urlsafe(32),
        "COSTSITE_CREDENTIAL_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
    half = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(made, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        # A link appears whole or not at all and never replaces what another start has just made.
        path.hardlink_to(half)
    except FileExistsError:
        pass
    finally:
        half.unlink()

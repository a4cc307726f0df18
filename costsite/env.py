"""Typed readers of the environment: a value that cannot be read is refused by name, never guessed."""

from __future__ import annotations

import os
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})

EMAIL_BACKENDS = {
    "console": "django.core.mail.backends.console.EmailBackend",
    "dummy": "django.core.mail.backends.dummy.EmailBackend",
    "file": "django.core.mail.backends.filebased.EmailBackend",
    "memory": "django.core.mail.backends.locmem.EmailBackend",
    "smtp": "django.core.mail.backends.smtp.EmailBackend",
    "smtp+ssl": "django.core.mail.backends.smtp.EmailBackend",
    "smtp+tls": "django.core.mail.backends.smtp.EmailBackend",
}


def load_file(path: Path) -> None:
    """Add the ``NAME=value`` lines of a file to the environment; what is already set stays."""
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.removeprefix("export ").partition("=")
        if not equals or not name.strip().isidentifier():
            raise ImproperlyConfigured(f"{path}, line {number}: expected NAME=value.")
        os.environ.setdefault(name.strip(), _unquoted(value.strip()))


def text(name: str, default: str = "") -> str:
    """Read a text; ``NAME_FILE`` may name a file that holds it instead (Docker and k8s secrets)."""
    path = os.environ.get(f"{name}_FILE", "")
    if not path:
        return os.environ.get(name, "").strip() or default
    if os.environ.get(name):
        raise ImproperlyConfigured(f"Set either {name} or {name}_FILE, not both.")
    try:
        return Path(path).read_text(encoding="utf-8").strip() or default
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error.strerror}.") from error


def truth(name: str, *, default: bool) -> bool:
    """Read yes or no: 1/0, true/false, yes/no, on/off."""
    value = text(name).lower()
    if not value:
        return default
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no; use 1 or 0.")
    return value in TRUE


def whole(name: str, default: int, *, least: int = 0) -> int:
    """Read a whole number that is not below ``least``."""
    value = text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number.") from error
    if number < least:
        raise ImproperlyConfigured(f"{name}={number} is below {least}.")
    return number


def decimal(name: str, default: str, *, least: str = "0") -> Decimal:
    """Read an exact decimal number that is not below ``least``."""
    value = text(name, default)
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise ImproperlyConfigured(f"{name}={value!r} is not a number.") from error
    if not number.is_finite() or number < Decimal(least):
        raise ImproperlyConfigured(f"{name}={value!r} must be a number of at least {least}.")
    return number


def listing(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """Read a comma-separated list; blanks around and between items are dropped."""
    items = [item.strip() for item in text(name).split(",") if item.strip()]
    return items or list(default)


def networks(name: str) -> list[str]:
    """Read a comma-separated list of networks such as ``10.1.0.0/16``; one address is a network too."""
    try:
        return [str(ip_network(item)) for item in listing(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


def choice(name: str, default: str, *, among: tuple[str, ...]) -> str:
    """Read one of a few words."""
    value = text(name, default)
    if value not in among:
        raise ImproperlyConfigured(f"{name}={value!r} is not one of {', '.join(among)}.")
    return value


def path(name: str, default: Path) -> Path:
    """Read a path; a relative one counts from the current folder, ``~`` is the home folder."""
    value = text(name)
    return (Path(value).expanduser() if value else default).resolve()


def web_address(name: str, default: str) -> str:
    """Read an http(s) address with a host; a closing slash is dropped."""
    value = text(name, default).rstrip("/")
    parts = _split(name, value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ImproperlyConfigured(f"{name}={value!r} is not an http:// or https:// address.")
    return value


def postgres(name: str) -> dict[str, str]:
    """Read a PostgreSQL address into libpq's own keywords; the empty dict when it is not set.

    libpq itself parses it, so whatever ``psql`` accepts is accepted: sockets, several hosts, TLS.
    """
    value = text(name)
    if not value:
        return {}
    # Imported here because the commands that never see a real database need not load the driver.
    from psycopg import Error
    from psycopg.conninfo import conninfo_to_dict

    if not value.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured(
            f"{name} must begin with postgresql:// (nothing else is spoken)."
        )
    try:
        known = {
            key: str(part) for key, part in conninfo_to_dict(value).items() if part is not None
        }
    except Error as error:
        raise ImproperlyConfigured(f"{name} is not a PostgreSQL address: {error}") from error
    if not known.get("dbname"):
        raise ImproperlyConfigured(f"{name} names no database.")
    return known


def conninfo(keywords: dict[str, str]) -> str:
    """Write libpq's keywords as one connection string in ``key=value`` form."""
    from psycopg.conninfo import make_conninfo

    return make_conninfo(**keywords)


def email(name: str, default: str) -> dict[str, Any]:
    """Read where mail goes: ``smtp+tls://user:password@host:587``, ``file:///folder``, ``console:``."""
    parts = _split(name, text(name, default))
    if parts.scheme not in EMAIL_BACKENDS:
        raise ImproperlyConfigured(f"{name} must begin with one of {', '.join(EMAIL_BACKENDS)}.")
    timeout = parse_qs(parts.query).get("timeout", ["10"])[0]
    if not timeout.isdigit():
        raise ImproperlyConfigured(f"{name}: timeout={timeout!r} is not a number of seconds.")
    found: dict[str, Any] = {
        "EMAIL_BACKEND": EMAIL_BACKENDS[parts.scheme],
        "EMAIL_TIMEOUT": int(timeout),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtp+ssl",
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": _port(name, parts)
        or {"smtp+tls": 587, "smtp+ssl": 465}.get(parts.scheme, 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
    }
    if parts.scheme == "file":
        found["EMAIL_FILE_PATH"] = unquote(parts.path)
    return found


def _split(name: str, value: str) -> SplitResult:
    try:
        return urlsplit(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not an address: {error}.") from error


def _port(name: str, parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.split(" #", 1)[0].rstrip()

"""System checks of the wiring: each has an id, says what is wrong, and hints at what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's
from django.db import connections

SECRET_CHARACTERS_MIN = 32
POSTGRES_MIN = 15
LASTING_BROKERS = ("pgmq:", "redis:", "rediss:", "amqp:", "amqps:", "sqs:")
MAKE_KEY = (
    'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
)

Check = Callable[[], Iterator[CheckMessage]]


def utc() -> Iterator[CheckMessage]:
    """Refuse any zone but UTC: windows are computed in each tenant's own, from UTC."""
    if settings.TIME_ZONE != "UTC" or not settings.USE_TZ:
        yield Error(
            "Times must be stored in UTC.",
            hint='Set TIME_ZONE = "UTC" and USE_TZ = True; organizations have zones of their own.',
            id="costsite.E001",
        )


def postgresql() -> Iterator[CheckMessage]:
    """Refuse any database but PostgreSQL: budgets are kept by its locks and constraints."""
    for alias in connections:
        if connections[alias].vendor != "postgresql":
            yield Error(
                f"The database {alias!r} is not PostgreSQL.",
                hint="Set DATABASE_URL to postgresql://..., or unset it for the embedded server.",
                id="costsite.E002",
            )


def credential_keys() -> Iterator[CheckMessage]:
    """Refuse keys that cannot encrypt provider credentials."""
    for number, key in enumerate(settings.COSTSITE_CREDENTIAL_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            yield Error(
                f"Key {number} of COSTSITE_CREDENTIAL_KEYS is no Fernet key.",
                hint=f"Make one with: {MAKE_KEY}",
                id="costsite.E003",
            )


def tasks_end_before_they_return() -> Iterator[CheckMessage]:
    """Refuse a task limit that lets the queue hand out a task that still runs."""
    visible_after_s = settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]
    if visible_after_s <= settings.CELERY_TASK_TIME_LIMIT:
        yield Error(
            "The queue would give a running task to a second worker.",
            hint="Keep CELERY_TASK_TIME_LIMIT below the broker's visibility_timeout.",
            id="costsite.E004",
        )


def secrets_are_strong() -> Iterator[CheckMessage]:
    """Warn of a pepper that can be guessed or that leaks with another secret."""
    pepper = settings.COSTSITE_KEY_PEPPER
    if len(pepper) < SECRET_CHARACTERS_MIN or pepper == settings.SECRET_KEY:
        yield Warning(
            "COSTSITE_KEY_PEPPER is short, or the same as SECRET_KEY.",
            hint="Give it at least 32 random characters of its own. Changing it voids every API key.",
            id="costsite.W005",
        )


def not_embedded() -> Iterator[CheckMessage]:
    """Warn of the embedded database: it is for one machine, and nobody backs it up."""
    if settings.COSTSITE_EMBEDDED:
        yield Warning(
            "The embedded PostgreSQL is used.",
            hint="Set DATABASE_URL to a server that is backed up: docs/operations.md.",
            id="costsite.W006",
        )


def embedded_data_left() -> Iterator[CheckMessage]:
    """Warn of an embedded database that DATABASE_URL has put out of use."""
    if not settings.COSTSITE_EMBEDDED and (settings.COSTSITE_DATA / "postgres").exists():
        yield Warning(
            f"DATABASE_URL is set, and the embedded database in {settings.COSTSITE_DATA} is unused.",
            hint="Move its rows with pg_dump (docs/operations.md), then remove it.",
            id="costsite.W007",
        )


def queue_lasts() -> Iterator[CheckMessage]:
    """Warn of a broker that forgets its tasks or is not known to work."""
    if not settings.CELERY_BROKER_URL.startswith(LASTING_BROKERS):
        yield Warning(
            "CELERY_BROKER_URL names no broker that keeps tasks.",
            hint="Unset it for the queue in PostgreSQL, or use redis:// or amqp://.",
            id="costsite.W008",
        )


def mail_leaves() -> Iterator[CheckMessage]:
    """Warn of mail that is only printed: alerts would reach nobody."""
    if not settings.EMAIL_BACKEND.endswith(("smtp.EmailBackend", "filebased.EmailBackend")):
        yield Warning(
            "Mail is not sent.",
            hint="Set EMAIL_URL, e.g. smtp+tls://user:password@mail.example.com:587",
            id="costsite.W009",
        )


def hosts_are_named() -> Iterator[CheckMessage]:
    """Warn of a site that answers to every name."""
    if "*" in settings.ALLOWED_HOSTS:
        yield Warning(
            "ALLOWED_HOSTS lets every host name in.",
            hint="Name the hosts; probes of /healthz and /readyz need none.",
            id="costsite.W010",
        )


def durable_server(*, alias: str) -> Iterator[CheckMessage]:
    """Ask the server whether it is new enough and keeps what it has promised to keep."""
    connection: Any = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('synchronous_commit')")
        (durability,) = cursor.fetchone()
    major = connection.pg_version // 10_000
    if major < POSTGRES_MIN:
        yield Error(
            f"The database {alias!r} is PostgreSQL {major}.",
            hint=f"Use {POSTGRES_MIN} or newer.",
            id="costsite.E011",
        )
    if durability in {"off", "local"}:
        yield Warning(
            f"synchronous_commit is {durability}: a crash loses charges that callers were told of.",
            hint="Set synchronous_commit = on for this database and its users.",
            id="costsite.W012",
        )


ALWAYS: tuple[Check, ...] = (
    utc,
    postgresql,
    credential_keys,
    tasks_end_before_they_return,
    embedded_data_left,
)
IN_PRODUCTION: tuple[Check, ...] = (
    secrets_are_strong,
    not_embedded,
    queue_lasts,
    mail_leaves,
    hosts_are_named,
)


@register()
def wiring(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Check what must hold everywhere."""
    return [message for check in ALWAYS for message in check()]


@register(Tags.security, deploy=True)
def production(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Check what must hold where others depend on it: ``check --deploy``."""
    return [message for check in IN_PRODUCTION for message in check()]


@register(Tags.database)
def server(app_configs: Any, databases: Sequence[str] | None, **_: Any) -> list[CheckMessage]:
    """Check the server itself: before each migrate, and with ``check --database default``."""
    return [message for alias in databases or () for message in durable_server(alias=alias)]

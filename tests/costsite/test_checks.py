from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import checks as django_checks
from django.db import connection, connections

from costsite import checks

Settings = Any


def ids(check: checks.Check) -> list[str | None]:
    return [message.id for message in check()]


@pytest.mark.parametrize(
    ("check", "name", "value", "expected"),
    [
        (checks.utc, "TIME_ZONE", "Europe/Berlin", "costsite.E001"),
        (checks.utc, "USE_TZ", False, "costsite.E001"),
        (checks.credential_keys, "COSTSITE_CREDENTIAL_KEYS", ["short"], "costsite.E003"),
        (checks.credential_keys, "COSTSITE_CREDENTIAL_KEYS", [""], "costsite.E003"),
        (checks.tasks_end_before_they_return, "CELERY_TASK_TIME_LIMIT", 300, "costsite.E004"),
        (checks.secrets_are_strong, "COSTSITE_KEY_PEPPER", "short", "costsite.W005"),
        (checks.not_embedded, "COSTSITE_EMBEDDED", True, "costsite.W006"),
        (checks.queue_lasts, "CELERY_BROKER_URL", "filesystem://", "costsite.W008"),
        (checks.mail_leaves, "EMAIL_BACKEND", "x.console.EmailBackend", "costsite.W009"),
        (checks.hosts_are_named, "ALLOWED_HOSTS", ["a.example", "*"], "costsite.W010"),
    ],
)
def test_finds_a_bad_setting(
    settings: Settings, check: checks.Check, name: str, value: object, expected: str
) -> None:
    setattr(settings, name, value)

    assert ids(check) == [expected]


@pytest.fixture
def good(settings: Settings, tmp_path: Path) -> Settings:
    """Settings that a deployment could have."""
    settings.COSTSITE_DATA = tmp_path
    settings.COSTSITE_KEY_PEPPER = "p" * 32
    settings.CELERY_BROKER_URL = "redis://cache.example/0"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300}
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.ALLOWED_HOSTS = ["costs.example.com"]
    return settings


def test_finds_nothing_wrong_in_good_settings(good: Settings) -> None:
    assert [ids(check) for check in (*checks.ALWAYS, *checks.IN_PRODUCTION)] == [[]] * 10


def test_warns_of_one_secret_used_twice(good: Settings) -> None:
    good.SECRET_KEY = good.COSTSITE_KEY_PEPPER

    assert ids(checks.secrets_are_strong) == ["costsite.W005"]


def test_warns_of_an_embedded_database_that_is_out_of_use(good: Settings, tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()

    assert ids(checks.embedded_data_left) == ["costsite.W007"]


def test_refuses_another_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "sqlite")

    assert ids(checks.postgresql) == ["costsite.E002"]


def test_runs_production_checks_only_when_asked_to_deploy(good: Settings) -> None:
    good.COSTSITE_EMBEDDED = True

    def found(*, deploy: bool) -> list[str | None]:
        messages = django_checks.run_checks(
            tags=[django_checks.Tags.security], include_deployment_checks=deploy
        )
        return [message.id for message in messages]

    assert "costsite.W006" not in found(deploy=False)
    assert "costsite.W006" in found(deploy=True)


@pytest.mark.django_db
def test_finds_nothing_wrong_with_the_embedded_server() -> None:
    assert checks.server(None, databases=["default"]) == []


@pytest.mark.django_db
def test_asks_no_server_that_it_was_not_told_to(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    with django_assert_num_queries(0):
        assert checks.server(None, databases=None) == []


@pytest.mark.django_db
@pytest.mark.parametrize("durability", ["off", "local"])
def test_warns_of_a_server_that_forgets_what_it_promised(durability: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('synchronous_commit', %s, true)", [durability])

    assert [m.id for m in checks.durable_server(alias="default")] == ["costsite.W012"]


@pytest.mark.django_db
def test_refuses_a_server_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections["default"].__dict__, "pg_version", 140_009)

    assert [m.id for m in checks.durable_server(alias="default")] == ["costsite.E011"]


def test_gives_every_message_an_id_of_its_own_and_a_hint(
    good: Settings, settings: Settings
) -> None:
    settings.COSTSITE_EMBEDDED = True
    settings.TIME_ZONE = "Asia/Tokyo"

    for message in (*checks.utc(), *checks.not_embedded()):
        assert message.hint
        assert message.id
        assert message.id.startswith("costsite.")

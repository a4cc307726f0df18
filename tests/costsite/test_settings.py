from __future__ import annotations

import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from costsite import settings as module

Settings = dict[str, Any]
Read = Callable[..., Settings]

PRODUCTION = {
    "DATABASE_URL": "postgresql://ann:pw@db.example/costs?sslmode=verify-full",
    "SECRET_KEY": "k" * 60,
    "COSTSITE_KEY_PEPPER": "p" * 40,
    "COSTSITE_CREDENTIAL_KEYS": "one,two",
    "ALLOWED_HOSTS": "costs.example.com",
}
OURS = ("COSTSITE_", "CELERY_", "EMAIL_", "SECURE_")
OTHERS = ("DATABASE_URL", "SECRET_KEY", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "DEBUG")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Read:
    """Read the settings as a process with nothing but these variables would."""
    for name in list(os.environ):
        if name.startswith(OURS) or name in OTHERS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("COSTSITE_ENV_FILE", os.devnull)
    monkeypatch.setenv("COSTSITE_DATA", str(tmp_path / "data"))

    def read_with(**variables: str) -> Settings:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(module.__file__))

    return read_with


def test_needs_nothing_at_all_on_one_machine(read: Read, tmp_path: Path) -> None:
    found = read()

    assert found["COSTSITE_EMBEDDED"] is True
    assert found["DATABASES"]["default"]["ENGINE"] == "costsite.postgres"
    assert found["DATABASES"]["default"]["HOST"].startswith((str(tmp_path), "/tmp/", "/var/"))
    assert found["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert found["SESSION_COOKIE_SECURE"] is False
    assert found["DEBUG"] is False
    assert (tmp_path / "data" / "secrets.json").exists()


def test_keeps_its_secrets_from_start_to_start(read: Read) -> None:
    assert read()["SECRET_KEY"] == read()["SECRET_KEY"]


def test_assumes_https_and_makes_nothing_up_in_a_deployment(read: Read, tmp_path: Path) -> None:
    found = read(**PRODUCTION)

    assert found["COSTSITE_EMBEDDED"] is False
    assert found["COSTSITE_BASE_URL"] == "https://costs.example.com"
    assert found["SESSION_COOKIE_SECURE"] is True
    assert found["CSRF_COOKIE_SECURE"] is True
    assert found["SECURE_SSL_REDIRECT"] is True
    assert found["SECURE_HSTS_SECONDS"] > 0
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://costs.example.com"]
    assert found["COSTSITE_CREDENTIAL_KEYS"] == ["one", "two"]
    assert not (tmp_path / "data").exists()


def test_hands_the_rest_of_the_database_address_to_the_driver(read: Read) -> None:
    database = read(**PRODUCTION)["DATABASES"]["default"]

    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["NAME"], database["USER"]) == ("db.example", "costs", "ann")
    assert database["OPTIONS"]["sslmode"] == "verify-full"
    assert database["CONN_MAX_AGE"] == 0


@pytest.mark.parametrize("name", ["SECRET_KEY", "COSTSITE_KEY_PEPPER", "COSTSITE_CREDENTIAL_KEYS"])
def test_refuses_a_deployment_without_a_secret(read: Read, name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{name} must be set"):
        read(**PRODUCTION | {name: ""})


def test_always_tells_the_queue_its_database(read: Read) -> None:
    options = read(**PRODUCTION)["CELERY_BROKER_TRANSPORT_OPTIONS"]

    assert "host=db.example" in options["conn_string"]
    assert options["wait_time_seconds"] == 0
    assert options["init_extension"] is False


def test_gives_another_broker_no_options_of_the_queue_in_postgres(read: Read) -> None:
    found = read(CELERY_BROKER_URL="redis://cache.example/0")

    assert found["CELERY_BROKER_URL"] == "redis://cache.example/0"
    assert set(found["CELERY_BROKER_TRANSPORT_OPTIONS"]) == {"visibility_timeout"}


def test_answers_to_the_host_of_its_own_address(read: Read) -> None:
    found = read(COSTSITE_BASE_URL="http://192.0.2.7:8000")

    assert "192.0.2.7" in found["ALLOWED_HOSTS"]
    assert found["CSRF_TRUSTED_ORIGINS"] == ["http://192.0.2.7:8000"]


def test_believes_a_proxy_only_when_told_to(read: Read) -> None:
    assert read(**PRODUCTION)["SECURE_PROXY_SSL_HEADER"] is None
    assert read(COSTSITE_TRUST_PROXY="1")["SECURE_PROXY_SSL_HEADER"] is not None


def test_can_do_without_the_pool(read: Read) -> None:
    assert "pool" in read()["DATABASES"]["default"]["OPTIONS"]
    assert "pool" not in read(COSTSITE_DB_POOL_SIZE="0")["DATABASES"]["default"]["OPTIONS"]


def test_allows_no_inline_script_or_style(read: Read) -> None:
    directives = read()["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]

    assert directives["default-src"] == ["'self'"]
    assert "unsafe" not in str(directives)

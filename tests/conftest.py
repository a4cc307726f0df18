"""One throw-away PostgreSQL for the whole run, and settings that no machine's environment changes.

It stands before Django is loaded, which is why the settings module is named here and not in
pyproject.toml. pytest's own process starts the server; xdist's workers get its address.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as property_settings

from costsite import placement
from costsite.embedded import Postgres
from costsite.processes import alive

# The machine may be busy with other tests: time says nothing about a property.
property_settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
property_settings.load_profile("untimed")

WORKER = "PYTEST_XDIST_WORKER" in os.environ
FOLDER_PREFIX = "costsite-test-"


def _sweep() -> None:
    """Delete what runs left behind that were killed; the kernel has stopped their servers."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        pid = folder.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if pid.isdigit() and not alive(int(pid)):
            placement.remove(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _start_server() -> Postgres:
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-"))
    # PostgreSQL's account must pass through when the tests run as root.
    folder.chmod(0o755)
    server = Postgres(data=folder, throwaway=True, options={"max_connections": "300"})
    # Registered first: a server that does not start must leave nothing behind either.
    atexit.register(server.destroy)
    server.start(die_with_parent=True)
    return server


if not WORKER:
    _server = _start_server()
    for name in [
        name
        for name in os.environ
        if name.startswith(("COSTSITE_", "CELERY_", "EMAIL_")) and name != "COSTSITE_CHROMIUM"
    ]:
        del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "costsite.settings",
        "DATABASE_URL": _server.url,
        "COSTSITE_DATA": str(_server.data),
        "COSTSITE_ENV_FILE": str(_server.data / "no.env"),
        "COSTSITE_BASE_URL": "http://testserver",
        "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
        "CELERY_BROKER_URL": "memory://",
        "EMAIL_URL": "memory:",
        "SECRET_KEY": "only-for-tests-0123456789-0123456789-0123456789-0123456789",
        "COSTSITE_KEY_PEPPER": "only-for-tests-pepper-0123456789",
        "COSTSITE_PROVIDER_NETWORKS": "127.0.0.0/8",
        "COSTSITE_CREDENTIAL_KEYS": "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtMDA=",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        # One attempt a call, unless a test is about several.
        "COSTSITE_PROVIDER_ATTEMPTS": "1",
    }

import django  # noqa: E402  only now is there something to set up
from django.test.utils import setup_databases  # noqa: E402

from tests import databases  # noqa: E402
from tests.databases import copy_database, name_of_copy, on_database  # noqa: E402

django.setup()


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: Any,
) -> None:
    """Make the test database and its copy, two a process, whatever the tests ask of them.

    The plugin's own makes it only for tests that run in a transaction. The server is thrown away
    at the end, so nothing is torn down here.
    """
    with django_db_blocker.unblock():
        setup_databases(verbosity=0, interactive=False, aliases={"default": None})
        databases.keep_pristine()
        copy_database()


@pytest.fixture(scope="session")
def committed_database(django_db_setup: None) -> str:
    """The name of the database for tests that commit."""
    return name_of_copy()


@pytest.fixture
def committed_db(committed_database: str, django_db_blocker: Any) -> Iterator[None]:
    """Open the copy without a transaction around the test, and leave its rows behind.

    Nothing can be swept up afterwards: a test that commits works on an organization of its own.
    """
    with django_db_blocker.unblock(), on_database(committed_database):
        yield

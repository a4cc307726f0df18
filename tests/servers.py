"""A durable PostgreSQL and a Django on it, for programs that kill, race and measure them.

The test run's own server forgets what a crash leaves unwritten, and its tests share it. These
programs need one that keeps its word, and that nobody else uses.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from costsite.embedded import Postgres

# The test run sweeps up folders of this name whose process is gone.
_FOLDER_PREFIX = "costsite-test-"


@contextmanager
def own_site(*, options: dict[str, str] | None = None) -> Iterator[Postgres]:
    """Start a server that flushes every commit, set Django up on it and migrate.

    Once in a process: Django reads its settings once.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{os.getpid()}-"))
    folder.chmod(0o755)
    server = Postgres(data=folder, options={"max_connections": "300"} | (options or {}))
    try:
        server.start(die_with_parent=True)
        _set_up_django(server)
        yield server
    finally:
        _close_connections()
        server.destroy()


def forked(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start work in a copy of this process; call it while no connection is open here.

    A copy costs milliseconds where a new interpreter costs seconds, so that thousands can die.
    """
    _close_connections()
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def _set_up_django(server: Postgres) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "costsite.settings",
        "DATABASE_URL": server.url,
        "COSTSITE_DB_POOL_SIZE": "0",
        "COSTSITE_DATA": str(server.data),
        "COSTSITE_ENV_FILE": str(server.data / "no.env"),
        "ALLOWED_HOSTS": "testserver",
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
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    _close_connections()


def _close_connections() -> None:
    from django.db import connections

    connections.close_all()

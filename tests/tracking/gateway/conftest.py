"""The site and a provider, served on loopback, and a database in which calls are committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests import tenants
from tests.databases import on_database
from tests.fakes.upstream import Script, Upstream, running_upstream
from tests.serving import Site, serving

# How long the impatient site waits for a provider, and reads on when a client has left.
PATIENCE_S = 4
DRAIN_S = 1


@pytest.fixture(scope="session")
def running() -> Iterator[Upstream]:
    with running_upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(running: Upstream) -> Upstream:
    """The provider, with its script and its memory fresh."""
    running.script = Script()
    running.forget()
    return running


@pytest.fixture(scope="session")
def models_listed(committed_database: str, django_db_blocker: Any, running: Upstream) -> str:
    """The database for tests that commit, with the models that they call; its name."""
    with django_db_blocker.unblock(), on_database(committed_database):
        tenants.list_models(upstream_url=running.url)
    return committed_database


@pytest.fixture(scope="session")
def running_site(models_listed: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    log = tmp_path_factory.mktemp("site") / "web.log"
    with serving(database=models_listed, log=log) as site:
        yield site


@pytest.fixture(scope="session")
def running_impatient_site(
    models_listed: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    log = tmp_path_factory.mktemp("site") / "impatient.log"
    patience = {
        "COSTSITE_PROVIDER_TIMEOUT_S": str(PATIENCE_S),
        "COSTSITE_DRAIN_S": str(DRAIN_S),
    }
    with serving(database=models_listed, log=log, **patience) as site:
        yield site


@pytest.fixture(scope="session")
def running_persistent_site(
    models_listed: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    log = tmp_path_factory.mktemp("site") / "persistent.log"
    persistence = {
        "COSTSITE_PROVIDER_ATTEMPTS": "3",
        "COSTSITE_RETRY_WAIT_S": "3",
        "COSTSITE_COOL_DOWN_AFTER": "3",
        "COSTSITE_COOL_DOWN_S": "1",
    }
    with serving(database=models_listed, log=log, **persistence) as site:
        yield site


@pytest.fixture
def site(running_site: Site, committed_db: None) -> Site:
    """The site, and its database."""
    return running_site


@pytest.fixture
def impatient_site(running_impatient_site: Site, committed_db: None) -> Site:
    """A site that gives providers PATIENCE_S seconds, and its database."""
    return running_impatient_site


@pytest.fixture
def persistent_site(running_persistent_site: Site, committed_db: None) -> Site:
    """A site that makes up to three attempts, and lets a failing route cool for a second."""
    return running_persistent_site


@pytest.fixture
def upstreams() -> Iterator[list[Upstream]]:
    """Two providers."""
    with ExitStack() as stack:
        yield [stack.enter_context(running_upstream()) for _ in range(2)]

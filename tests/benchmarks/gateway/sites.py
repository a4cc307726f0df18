"""The servers that are measured: the gateway and its two floors, each in processes of its own."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing import SimpleQueue
from pathlib import Path

from costsite.embedded import Postgres
from costsite.processes import spawn
from tests.benchmarks.gateway import upstream
from tests.servers import forked, own_site

ROOT = Path(__file__).resolve().parents[3]
PLENTY = "100000000"
GATEWAY = "costsite.asgi:application"
RELAY, BARE = "tests.benchmarks.gateway.floors:relay", "tests.benchmarks.gateway.floors:bare"
# By which door a model is called: what its provider is named here.
WIRED, BY_LIBRARY = "wired", "library"
_READY_S = 300.0


@dataclass(frozen=True)
class Served:
    """A server that runs: its address and the first of its processes."""

    url: str
    pid: int


@dataclass(frozen=True)
class Bench:
    """What every measurement needs: the ledger's server, the provider, and a key that may call."""

    postgres_pid: int
    upstream_url: str
    key: str
    environment: dict[str, str]

    @contextmanager
    def serving(self, application: str, *, workers: int = 1, **more: str) -> Iterator[Served]:
        """Serve an application as ``up`` does, until the end."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", application, "--host=127.0.0.1"]
        command += [f"--port={port}", "--ws=none", "--loop=uvloop", "--http=httptools"]
        command += ["--no-access-log", "--log-level=warning", f"--workers={workers}"]
        command += ["--lifespan=on" if application == GATEWAY else "--lifespan=off"]
        with tempfile.TemporaryFile() as log:
            process = spawn(
                command,
                output=log.fileno(),
                environment={**os.environ, **self.environment, **more},
                folder=ROOT,
                last_signal=signal.SIGKILL,
            )
            served = Served(f"http://127.0.0.1:{port}", process.pid)
            try:
                _await_ready(served.url, application)
                yield served
            finally:
                process.terminate()
                process.wait(60)

    def served_upstream(self) -> int:
        """Ask the provider how many calls it has served."""
        with urllib.request.urlopen(f"{self.upstream_url}/count") as told:  # noqa: S310  our own
            return int(told.read())


@contextmanager
def bench() -> Iterator[Bench]:
    """Start the ledger's server and the provider, and make one tenant with budgets of four scopes."""
    with own_site(options={"max_wal_size": "4GB", "shared_buffers": "512MB"}) as server:
        port: SimpleQueue[int] = SimpleQueue()
        provider = forked(upstream.serve, port)
        try:
            yield _prepared(server, f"http://127.0.0.1:{port.get()}")
        finally:
            provider.kill()
            provider.join()


def _prepared(server: Postgres, upstream_url: str) -> Bench:
    from django.db import connections

    from tests import make
    from tracking.gateway.connections import put_provider
    from tracking.gateway.models import Provider

    organization = make.organization(slug="bench", on_plan=make.plan(code="bench"))
    key, text = make.key(of=organization, user=make.user())
    for scope, target in (
        ("organization", ""),
        ("project", str(key.project_id)),
        ("user", str(key.user_id)),
        ("api_key", str(key.pk)),
    ):
        make.budget(organization=organization, limit=PLENTY, scope=scope, target=target)
    for name, door in ((WIRED, Provider.Door.WIRE), (BY_LIBRARY, Provider.Door.LIBRARY)):
        provider = Provider(
            name=name, kind="openai_compatible", base_url=f"{upstream_url}/v1", door=door
        )
        put_provider(provider=provider, key="sk-upstream")
        for model in ("plain", "apart", "idle"):
            _list(f"{name}/x-{model}", name)
    connections.close_all()
    pid = server.pid()
    assert pid is not None
    environment = {
        "BENCH_UPSTREAM": upstream_url,
        "BENCH_ORGANIZATION": str(organization.pk),
        "BENCH_KEY": str(key.pk),
        "ALLOWED_HOSTS": "127.0.0.1",
        "COSTSITE_PROVIDER_NETWORKS": "127.0.0.0/8",
        "COSTSITE_LOG_LEVEL": "WARNING",
    }
    return Bench(pid, upstream_url, text, environment)


def _list(name: str, provider: str) -> None:
    from tests import make
    from tracking.pricing.models import CatalogModel, Price
    from tracking.pricing.operations import Publication, publish_price
    from tracking.pricing.rates import Rates

    model = CatalogModel.objects.create(
        name=name, provider=provider, listed_at=make.NOW, max_output_tokens=16_384
    )
    rates = Rates(per_unit={"input": Decimal("0.00000015"), "output": Decimal("0.0000006")})
    publish_price(
        model=model,
        rates=rates,
        publication=Publication(source=Price.Source.STATED, at=make.NOW),
    )


def _await_ready(url: str, application: str) -> None:
    """Wait until a server takes calls; the gateway says so itself, once its library is loaded."""
    path = "/readyz" if application == GATEWAY else ""
    until = time.monotonic() + _READY_S
    while time.monotonic() < until:
        try:
            if not path:
                with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))):
                    return
            with urllib.request.urlopen(url + path, timeout=60):  # noqa: S310  our own address
                return
        except OSError:
            # Not more often: the answer costs the server time in which it could become ready.
            time.sleep(2)
    raise SystemExit(f"{application} was not ready within {_READY_S:.0f} s")

"""Alerts under fire: ``python3 -m tests.crash.alerts --seconds 300 --crossings 300 --seed 1``.

Real Celery workers, each with a beat of its own, on a durable server and the queue in it that the
product uses. Spend crosses a threshold here and there while workers, and the server with its queue,
are killed. At the end every crossing must have one alert, one message, and that message must have
come to a receiver on the loopback: under one id, however often. ``--as-product`` kills nothing, keeps
the product's own schedule, and tells how long it took from the crossing to the receiver.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costsite.processes import alive, spawn
from tests.fakes.receiver import Receiver
from tests.servers import own_site

if TYPE_CHECKING:
    from budgets.tenancy.models import ApiKey
    from costsite.embedded import Postgres

ROOT = Path(__file__).resolve().parents[2]
ORGANIZATIONS = 5
# After the last crossing: a tick, the time after which a dead worker's message is taken back, a try.
DRAINED_WITHIN_S = 150.0
# Due again a second after it was looked at: the tick's own allowance for coming early is twenty.
CHECK_EVERY_S = 21


@dataclass(slots=True)
class Counts:
    """What was done, and how often a promise did not hold."""

    crossings: int = 0
    worker_kills: int = 0
    server_kills: int = 0
    alerts: int = 0
    came: int = 0
    repeated: int = 0
    MISSED: int = 0
    TWICE: int = 0
    ALIEN: int = 0
    UNSENT: int = 0
    delays_s: list[float] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """How often a promise did not hold."""
        return self.MISSED + self.TWICE + self.ALIEN + self.UNSENT

    def __str__(self) -> str:
        told = {name: value for name, value in asdict(self).items() if name != "delays_s"}
        return " ".join(f"{name}={value}" for name, value in told.items())


class Siege:
    """One run: the server, the receiver, the workers, and who is killed when."""

    def __init__(
        self, *, options: argparse.Namespace, server: Postgres, receiver: Receiver
    ) -> None:
        self.options = options
        self.server = server
        self.receiver = receiver
        self.dice = random.Random(f"alerts/{options.seed}")  # noqa: S311  The same every time.
        self.counts = Counts(crossings=options.crossings)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.keys: list[ApiKey] = []
        self.crossed_at: dict[str, float] = {}
        self.log = server.data / "workers.log"

    def run(self) -> Counts:
        """Cross and kill until the time is over, wait until all is sent, and count."""
        self.keys = _populate(
            self.receiver.url,
            crossings=self.options.crossings,
            every_s=60 if self.options.as_product else CHECK_EVERY_S,
        )
        self.workers = [self._worker() for _ in range(self.options.workers)]
        try:
            self._cross_and_kill()
            self._drain()
        finally:
            for worker in self.workers:
                _kill(worker)
        return self._count()

    def _cross_and_kill(self) -> None:
        began = time.monotonic()
        seconds = self.options.seconds
        crossings = sorted(self.dice.uniform(0, seconds) for _ in range(self.options.crossings))
        kills = [] if self.options.as_product else self._kills()
        events = [(at, f"model-{n}") for n, at in enumerate(crossings)] + kills
        for at, what in sorted(events):
            time.sleep(max(began + at - time.monotonic(), 0))
            if what == "worker":
                self._kill_worker(self.dice.randrange(len(self.workers)))
            elif what == "server":
                self._kill_server()
            else:
                self._cross(what)

    def _kills(self) -> list[tuple[float, str]]:
        seconds = self.options.seconds
        kills = []
        for what, every_s in (
            ("worker", self.options.kill_every),
            ("server", self.options.server_every),
        ):
            kills += [(every_s * n, what) for n in range(1, int(seconds / every_s) + 1)]
        return kills

    def _cross(self, model: str) -> None:
        from tests import make

        key = self.keys[int(model.removeprefix("model-")) % len(self.keys)]
        now = _now()
        request = make.held_call(key=key, usd="2", model=model, at=now)
        make.charge(key=key, request=request, usd="2", at=now)
        self.crossed_at[model] = time.monotonic()

    def _kill_worker(self, place: int) -> None:
        _kill(self.workers[place])
        self.counts.worker_kills += 1
        self.workers[place] = self._worker()

    def _kill_server(self) -> None:
        from django.db import connection

        connection.close()
        pid = self.server.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while alive(pid):
            time.sleep(0.01)
        # The queue is away with it for a while.
        time.sleep(self.dice.uniform(0, 4))
        self.server.start(die_with_parent=True)
        self.counts.server_kills += 1

    def _worker(self) -> subprocess.Popen[bytes]:
        app = "costsite" if self.options.as_product else "tests.crash.hurried"
        command = [sys.executable, "-m", "celery", f"--app={app}", "--quiet", "worker", "--beat"]
        # As ``up`` starts it.
        command += ["--scheduler=celery.beat:Scheduler", "--pool=threads", "--concurrency=4"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        del environment["CELERY_BROKER_URL"]
        with self.log.open("ab") as log:
            return spawn(
                command,
                output=log,
                environment=environment,
                folder=ROOT,
                last_signal=signal.SIGKILL,
            )

    def _drain(self) -> None:
        from budgets.alerts.models import Delivery

        until = time.monotonic() + DRAINED_WITHIN_S
        while time.monotonic() < until:
            if Delivery.objects.filter(state="sent").count() >= self.options.crossings:
                # What would be sent twice gets the time to be.
                time.sleep(3)
                return
            time.sleep(0.5)

    def _count(self) -> Counts:
        from budgets.alerts.models import Alert, AlertRule, Delivery

        counts = self.counts
        ids: dict[str, list[str]] = defaultdict(list)
        first_s: dict[str, float] = {}
        for one in self.receiver.requests:
            alert = json.loads(one.body)["data"]
            ids[str(alert["rule"])].append(one.headers["webhook-id"])
            first_s.setdefault(str(alert["rule"]), one.at_s)
            counts.came += 1
        counts.repeated = counts.came - sum(len(set(of_rule)) for of_rule in ids.values())
        for rule in AlertRule.objects.filter(ready_made=""):
            alerts = Alert.objects.filter(rule=rule).count()
            messages = {
                f"msg_{pk.hex}"
                for pk in Delivery.objects.filter(alert__rule=rule).values_list("pk", flat=True)
            }
            came = set(ids.get(str(rule.pk), ()))
            counts.alerts += alerts
            counts.MISSED += not came
            counts.TWICE += alerts > 1 or len(came) > 1 or len(messages) > 1
            counts.ALIEN += len(came - messages)
            if came:
                counts.delays_s.append(first_s[str(rule.pk)] - self.crossed_at[rule.target])
        counts.UNSENT = Delivery.objects.exclude(state="sent").count()
        return counts


def _kill(worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker with its beat, which is a process beside it."""
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def _populate(url: str, *, crossings: int, every_s: int) -> list[ApiKey]:
    """Make organizations with a webhook each, and a rule for each crossing; give the keys."""
    from budgets.alerts.models import AlertRule, Channel
    from budgets.alerts.operations import put_channel, put_rule
    from budgets.alerts.ready_made import prepare_organizations
    from tests import make

    keys = []
    for number in range(ORGANIZATIONS):
        plan = make.plan(code="many")
        organization = make.organization(slug=f"org-{number}", on_plan=plan)
        keys.append(make.key(of=organization, user=make.user())[0])
    # The ready-made rules have messages of their own; here only crossings are counted.
    prepare_organizations(now=_now())
    AlertRule.objects.update(active=False)
    Channel.objects.update(active=False)
    for key in keys:
        put_channel(
            channel=Channel(organization=key.organization, name="Hook", kind="webhook"),
            given={"url": url},
        )
    for n in range(crossings):
        rule = AlertRule(
            organization=keys[n % len(keys)].organization,
            name=f"Crossing {n}",
            kind=AlertRule.Kind.SPEND,
            window=AlertRule.Window.YEAR,
            scope=AlertRule.Scope.MODEL,
            target=f"model-{n}",
            warning_at=[Decimal(1)],
        )
        put_rule(rule=rule, now=_now())
    AlertRule.objects.update(check_every_s=every_s)
    return keys


def _now() -> Any:
    from budgets.core import clock

    return clock.now()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--crossings", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill-every", type=float, default=9, help="seconds")
    parser.add_argument("--server-every", type=float, default=41, help="seconds")
    parser.add_argument("--as-product", action="store_true")
    return parser.parse_args()


def main() -> int:
    """Run once and say what was found."""
    options = _options()
    with Receiver() as receiver:
        os.environ["COSTSITE_OUTBOUND_NETWORKS"] = "127.0.0.0/8"
        with own_site() as server:
            siege = Siege(options=options, server=server, receiver=receiver)
            counts = siege.run()
            if counts.violations:
                sys.stderr.write(siege.log.read_text(errors="replace")[-6000:])
    sys.stdout.write(f"seed={options.seed} seconds={options.seconds:g} {counts}\n")
    delays_s = sorted(counts.delays_s)
    if delays_s:
        told = [delays_s[int(len(delays_s) * part)] for part in (0.5, 0.99)]
        sys.stdout.write(
            f"delay: median {told[0]:.1f} s, p99 {told[1]:.1f} s, most {delays_s[-1]:.1f} s\n"
        )
    return 1 if counts.violations else 0


if __name__ == "__main__":
    sys.exit(main())

"""Celery's queue in PostgreSQL, as the migration makes it and the settings use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from celery import Celery
from django.conf import settings
from django.db import connection
from kombu import Consumer

from costsite import env
from costsite.celery import own_queues

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def address(committed_db: None) -> str:
    """The tests' own database, as libpq takes it."""
    return env.conninfo(settings.COSTSITE_POSTGRES | {"dbname": connection.settings_dict["NAME"]})


@pytest.fixture
def app(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    """An app like ours, on the tests' own database; it gives up on a lock after two seconds."""
    # Celery prefers this variable to every setting.
    monkeypatch.delenv("CELERY_BROKER_URL")
    patience = f"{address} options='-c lock_timeout=2000'"
    made = Celery("tests", set_as_current=False)
    made.conf.update(
        broker_url="pgmq://postgresql",
        broker_transport_options=settings.COSTSITE_QUEUE_OPTIONS | {"conn_string": patience},
        task_queues=own_queues(),
        task_ignore_result=True,
    )
    yield made
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.purge_queue('celery')")
    made.close()


def queued() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT queue_length FROM pgmq.metrics('celery')")
        (length,) = cursor.fetchone()
    return int(length)


def test_keeps_a_task_in_the_queue_that_the_migration_made(app: Celery) -> None:
    app.send_task("some.task", kwargs={"id": 1})

    assert queued() == 1


def test_sends_while_somebody_reads_the_queue(app: Celery, address: str) -> None:
    with psycopg.connect(address) as reader:
        reader.execute("SELECT FROM pgmq.q_celery")
        app.send_task("some.task")

    assert queued() == 1


def test_wakes_whoever_waits_for_a_task(app: Celery) -> None:
    got: list[Any] = []
    with app.connection_for_read() as link, link.channel() as channel:
        queue = own_queues()[0].bind(channel)
        consumer = Consumer(channel, [queue], accept=["json"], on_message=got.append)
        with consumer:
            app.send_task("some.task", kwargs={"id": 7})
            link.drain_events(timeout=10)
            got[0].ack()

    assert got[0].headers["task"] == "some.task"
    assert queued() == 0


def test_hands_a_task_out_again_when_it_was_never_finished(app: Celery) -> None:
    app.send_task("some.task")
    with connection.cursor() as cursor:
        read = "SELECT count(*) FROM pgmq.read('celery', %s, 10)"
        cursor.execute(read, [0])
        (first,) = cursor.fetchone()
        cursor.execute(read, [300])
        (again,) = cursor.fetchone()
        cursor.execute(read, [300])
        (while_hidden,) = cursor.fetchone()

    assert (first, again, while_hidden) == (1, 1, 0)

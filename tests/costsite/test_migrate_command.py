from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import connection

from costsite.management.commands import migrate

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when a migrate has found the lock taken and waits."""
    waiting = threading.Event()

    class Clock:
        @staticmethod
        def sleep(_seconds: float) -> None:
            waiting.set()
            released.wait(0.01)

    released = threading.Event()
    monkeypatch.setattr(migrate, "time", Clock)
    return waiting


def run(function: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def test_waits_while_another_one_migrates(waiting: threading.Event) -> None:
    inside = threading.Event()

    def second() -> None:
        with migrate.one_at_a_time("default"):
            inside.set()

    with migrate.one_at_a_time("default"):
        thread = run(second)
        assert waiting.wait(10)
        assert not inside.is_set()

    thread.join(10)
    assert inside.is_set()


def test_lets_an_index_be_built_concurrently_while_another_one_waits(
    waiting: threading.Event,
) -> None:
    def second() -> None:
        with migrate.one_at_a_time("default"):
            pass

    with migrate.one_at_a_time("default"), connection.cursor() as cursor:
        thread = run(second)
        assert waiting.wait(10)
        cursor.execute("SET lock_timeout = '10s'; SET statement_timeout = '10s'")
        cursor.execute("CREATE TABLE tried (number int)")
        cursor.execute("CREATE INDEX CONCURRENTLY ON tried (number)")
        cursor.execute("DROP TABLE tried")
        cursor.execute("RESET lock_timeout; RESET statement_timeout")

    thread.join(10)


def test_frees_the_lock_when_migrating_fails() -> None:
    class Failed(Exception):
        pass

    with pytest.raises(Failed), migrate.one_at_a_time("default"):
        raise Failed

    with migrate.one_at_a_time("default"):
        pass


def test_is_the_command_that_everyone_runs(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("migrate", verbosity=1)

    assert "No migrations to apply" in capsys.readouterr().out

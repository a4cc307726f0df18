from __future__ import annotations

from celery import current_app
from celery.beat import Scheduler

from costsite.celery import SCHEDULE, app


def test_schedules_only_tasks_that_exist() -> None:
    app.loader.import_default_modules()

    assert set(SCHEDULE) <= set(app.tasks)


def test_drops_a_run_that_missed_its_slot() -> None:
    for entry in app.conf.beat_schedule.values():
        assert entry["options"]["expires"] == entry["schedule"]


def test_runs_everything_at_once_after_a_start() -> None:
    beat = Scheduler(app, lazy=True)
    beat.setup_schedule()

    for name in SCHEDULE:
        is_due, _ = beat.schedule[name].is_due()
        assert is_due


def test_is_the_app_that_tasks_register_with() -> None:
    assert current_app.main == app.main

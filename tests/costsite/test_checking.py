from __future__ import annotations

import sys
from pathlib import Path

import pytest

from costsite import checking
from costsite.checking import Step

FAILS = (sys.executable, "-c", "print('what is wrong'); raise SystemExit(3)")
PASSES = (sys.executable, "-c", "print('nothing to see')")


def test_runs_every_step_although_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (
        Step("first", FAILS),
        Step("second", function=lambda: ["it is late"]),
        Step("third", PASSES),
    )
    monkeypatch.setattr(checking, "STEPS", steps)
    said: list[str] = []

    assert checking.run_all(say=said.append) is False

    marks = [line[:4] for line in said if line[:4] in {"ok  ", "FAIL"}]
    assert marks == ["FAIL", "FAIL", "ok  "]
    assert "what is wrong" in said
    assert "it is late" in said
    assert "nothing to see" not in "".join(said)


def test_passes_when_all_steps_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "STEPS", (Step("only", PASSES),))

    assert checking.run_all(say=lambda _: None) is True


def test_counts_a_tool_that_is_not_installed_as_a_failure() -> None:
    passed, said = Step("gone", ("/nonexistent/tool",)).run()

    assert not passed
    assert "/nonexistent/tool" in said


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four files that agree with each other."""
    monkeypatch.setattr(checking, "BASE_DIR", tmp_path)
    (tmp_path / "requirements.in").write_text("Django>=5.2  # why\npsycopg[binary,pool]>=3.3\n")
    (tmp_path / "requirements.txt").write_text(
        "django==5.2.1 \\\n    --hash=sha256:0\npsycopg==3.3.1\n"
    )
    (tmp_path / "requirements-dev.in").write_text("-r requirements.in\npytest_django\n")
    (tmp_path / "requirements-dev.txt").write_text(
        "django==5.2.1\npsycopg[binary]==3.3.1\npytest-django==4\n"
    )
    return tmp_path


def test_finds_locks_that_hold_what_is_asked(locks: Path) -> None:
    assert checking.stale_locks() == []


def test_names_what_a_lock_lacks(locks: Path) -> None:
    with (locks / "requirements.in").open("a") as file:
        file.write("celery\n")

    assert checking.stale_locks() == [
        "celery of requirements.in is not in requirements.txt: compile it again",
        "celery of requirements.in is not in requirements-dev.txt: compile it again",
    ]


def test_names_what_two_locks_pin_differently(locks: Path) -> None:
    (locks / "requirements.txt").write_text("django==5.2.2\npsycopg==3.3.1\n")

    assert checking.stale_locks() == [
        "django: requirements-dev.txt pins 5.2.1, requirements.txt 5.2.2"
    ]


def test_finds_the_projects_own_locks_fresh() -> None:
    assert checking.stale_locks() == []

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest

from costsite import browser


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The programs that this machine has; at first none."""
    programs: dict[str, str] = {}
    monkeypatch.delenv("COSTSITE_CHROMIUM", raising=False)
    monkeypatch.setattr(shutil, "which", programs.get)
    return programs


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run, instead of running it; a step named "broken" fails."""
    ran: list[str] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(" ".join(command))
        return subprocess.CompletedProcess(command, int("broken" in command[0]), "", "no network")

    monkeypatch.setattr(subprocess, "run", run)
    return ran


def test_prefers_the_browser_that_is_named(
    machine: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine["chromium"] = "/usr/bin/chromium"
    assert browser.found() == "/usr/bin/chromium"

    monkeypatch.setenv("COSTSITE_CHROMIUM", "/opt/other")
    assert browser.found() == "/opt/other"


def test_installs_nothing_where_there_is_one(machine: dict[str, str], ran: list[str]) -> None:
    machine |= {"chromium": "/usr/bin/chromium", "apt-get": "/usr/bin/apt-get"}

    browser.make_available(say=pytest.fail)

    assert ran == []


@pytest.mark.parametrize(("apt", "uid"), [("", 0), ("/usr/bin/apt-get", 1000)])
def test_says_how_to_get_one_where_it_may_not_install(
    machine: dict[str, str], ran: list[str], monkeypatch: pytest.MonkeyPatch, apt: str, uid: int
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)
    if apt:
        machine["apt-get"] = apt
    said: list[str] = []

    browser.make_available(say=said.append)

    assert said == [browser.HOW_TO]
    assert ran == []


def test_installs_debians_as_root(
    machine: dict[str, str], ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    machine["apt-get"] = "apt-get"

    browser.make_available(say=lambda _: None)

    assert ran == [
        "apt-get -qq update",
        "apt-get -qq install --yes --no-install-recommends chromium",
    ]


def test_says_why_it_could_not_install(
    machine: dict[str, str], ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    machine["apt-get"] = "broken-apt-get"
    said: list[str] = []

    browser.make_available(say=said.append)

    assert len(ran) == 1
    assert "no network" in said[-1]
    assert browser.HOW_TO in said[-1]

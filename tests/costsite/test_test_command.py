from __future__ import annotations

import os
import sys

import pytest
from django.core.management import load_command_class

from costsite.management.commands.test import with_processes


@pytest.mark.parametrize(
    "arguments",
    [["-n0"], ["-n", "4"], ["--numprocesses=1"], ["-p", "no:xdist"], ["x.py", "--pdb"]],
)
def test_leaves_the_number_of_processes_to_whoever_says_it(arguments: list[str]) -> None:
    assert with_processes(arguments) == arguments


@pytest.mark.parametrize("arguments", [[], ["tests/costsite", "-k", "window"], ["-x", "-q"]])
def test_uses_both_processors_otherwise(arguments: list[str]) -> None:
    assert with_processes(arguments) == ["-n", "2", *arguments]


def test_becomes_pytest_with_all_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _program, arguments: became.append(arguments))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "costsite.settings")

    load_command_class("costsite", "test").run_from_argv(["manage.py", "test", "-k", "x", "-n0"])

    assert became == [[sys.executable, "-m", "pytest", "-k", "x", "-n0"]]
    # The plugin would load it before the tests' own server runs, and test on this site's database.
    assert "DJANGO_SETTINGS_MODULE" not in os.environ

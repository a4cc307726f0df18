"""Run the tests: ``python3 manage.py test``, with pytest's own arguments after it."""

from __future__ import annotations

import importlib.util
import os
import sys

from django.core.management.base import BaseCommand

from costsite import browser
from costsite.settings import BASE_DIR

PROCESSES = "2"


class Command(BaseCommand):
    """Becomes pytest: two processes, random order, on a throw-away PostgreSQL of the run's own."""

    help = "Run the tests with pytest; its arguments follow, e.g. test tests/budgets -k window -n0"

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand everything after ``test`` to pytest and become it; its closing line is the last."""
        if importlib.util.find_spec("pytest") is None:
            sys.exit("pytest is not installed here: pip install -r requirements-dev.txt")
        if any((BASE_DIR / "tests" / "browser").glob("test_*.py")):
            browser.make_available(say=self.stderr.write)
        os.chdir(BASE_DIR)
        # Settings that pytest's plugin loads at once would be those of this machine, database and all;
        # the tests name them once their own server runs.
        os.environ.pop("DJANGO_SETTINGS_MODULE", None)
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *with_processes(argv[2:])])


def with_processes(arguments: list[str]) -> list[str]:
    """Add how many processes, unless the arguments say it or ask for a debugger."""
    own = ("-n", "--numprocesses", "--pdb", "--trace", "-p=no:xdist")
    if any(argument.startswith(own) for argument in arguments) or "no:xdist" in arguments:
        return arguments
    return ["-n", PROCESSES, *arguments]

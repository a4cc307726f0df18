"""Everything that a machine can hold, in one table: ``manage.py check_all``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from costsite.settings import BASE_DIR

_PROGRAMS = Path(sys.executable).parent

# No server listens there. Commands that only compare files must not need a database.
_NO_DATABASE = {
    "DATABASE_URL": "postgresql:///none?host=/nonexistent",
    "COSTSITE_DB_POOL_SIZE": "0",
    "COSTSITE_ENV_FILE": os.devnull,
    "COSTSITE_DATA": "/nonexistent",
    "SECRET_KEY": "checked-with-this-key-only-5f0c9be2d17a4c63b8e1-0d94f7a6",
    "COSTSITE_KEY_PEPPER": "checked-with-this-pepper-only-7be1",
    "COSTSITE_CREDENTIAL_KEYS": "Y2hlY2tlZC13aXRoLXRoaXMta2V5LW9ubHktMDAwMDA=",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}
_PRODUCTION = _NO_DATABASE | {
    "DEBUG": "0",
    "ALLOWED_HOSTS": "costs.example.com",
    "COSTSITE_BASE_URL": "https://costs.example.com",
    "EMAIL_URL": "smtp+tls://mail.example.com:587",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One check: a command, or a function that gives what is wrong."""

    name: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    function: Callable[[], list[str]] | None = None

    def run(self) -> tuple[bool, str]:
        """Run it; tell whether it passed, and what it said."""
        if self.function is not None:
            wrong = self.function()
            return not wrong, "\n".join(wrong)
        try:
            done = subprocess.run(
                self.command,
                cwd=BASE_DIR,
                env=os.environ | dict(self.environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            return False, f"{self.command[0]} is not installed here."
        return done.returncode == 0, done.stdout + done.stderr


def _tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(_PROGRAMS / name), *arguments)


def _manage(*arguments: str) -> tuple[str, ...]:
    quiet = "-Wignore::RuntimeWarning"
    return (sys.executable, quiet, str(BASE_DIR / "manage.py"), *arguments)


def stale_locks() -> list[str]:
    """Name what requirements*.in ask for and the locks do not hold, and pins that differ."""
    runtime = _pins("requirements.txt")
    dev = _pins("requirements-dev.txt")
    wrong = [
        f"{name} of {source} is not in {lock}: compile it again"
        for source, lock, pins in (
            ("requirements.in", "requirements.txt", runtime),
            ("requirements.in", "requirements-dev.txt", dev),
            ("requirements-dev.in", "requirements-dev.txt", dev),
        )
        for name in _asked(source)
        if name not in pins
    ]
    wrong += [
        f"{name}: requirements-dev.txt pins {dev[name]}, requirements.txt {version}"
        for name, version in runtime.items()
        if dev.get(name, version) != version
    ]
    return wrong


STEPS = (
    Step("ruff check", _tool("ruff", "check", ".")),
    Step("ruff format", _tool("ruff", "format", "--check", ".")),
    Step("types (mypy)", _tool("mypy"), _NO_DATABASE),
    Step("imports (import-linter)", _tool("lint-imports", "--no-logo")),
    Step("templates (djlint)", _tool("djlint", "templates", "--lint", "--quiet")),
    Step("migrations", _manage("makemigrations", "--check", "--dry-run"), _NO_DATABASE),
    Step("deployment", _manage("check", "--deploy", "--fail-level", "WARNING"), _PRODUCTION),
    Step("locks", function=stale_locks),
)


def run_all(*, say: Callable[[str], object]) -> bool:
    """Run every step even when one fails; say a line for each, and all of what a failed one said."""
    passed = True
    for step in STEPS:
        began = time.monotonic()
        is_fine, said = step.run()
        passed = passed and is_fine
        say(f"{'ok  ' if is_fine else 'FAIL'}  {step.name:<24} {time.monotonic() - began:5.1f} s")
        if not is_fine:
            say(said.rstrip())
    return passed


def _asked(source: str) -> list[str]:
    lines = (BASE_DIR / source).read_text(encoding="utf-8").splitlines()
    names = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines if not line.startswith("-"))
    return [_normal(name.group()) for name in names if name]


def _pins(lock: str) -> dict[str, str]:
    text = (BASE_DIR / lock).read_text(encoding="utf-8")
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE)
    return {_normal(name): version for name, version in found}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

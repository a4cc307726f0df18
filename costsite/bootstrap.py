"""The project sets itself up: any Python 3.11 with nothing installed becomes the locked environment.

Standard library only, and nothing newer than the oldest Python that should still get a clear answer.
One line per step goes to stderr. ``COSTSITE_BOOTSTRAP=off`` leaves the environment to its operator.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)

RUNTIME_LOCK = ROOT / "requirements.txt"
DEV_LOCK = ROOT / "requirements-dev.txt"
# These commands need the tools of the developer's lock, which contains the runtime's.
DEV_COMMANDS = frozenset({"test", "check_all"})

# pip's settings and the variables in which uv takes the same, so that a mirror is configured once.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}


def ensure(argv: list[str]) -> None:
    """Return inside the project's own environment, made or brought up to date where needed.

    Elsewhere it does not return: the process continues as the environment's Python with the same
    arguments. Exits with a clear line when this Python is too old or packages cannot be installed.
    """
    if os.environ.get("COSTSITE_BOOTSTRAP", "").lower() == "off":
        return
    _refuse_strangers()
    environment = Environment(
        folder=Path(os.environ.get("COSTSITE_VENV") or ROOT / ".venv").expanduser().absolute(),
        dev=len(argv) > 1 and argv[1] in DEV_COMMANDS,
    )
    if environment.managed_elsewhere() or (environment.current() and environment.inside()):
        return
    try:
        environment.make()
    except SetUpError as error:
        sys.exit(f"costsite: {error}")
    except OSError as error:
        sys.exit(f"costsite: {environment.folder} cannot be written: {error}. Set COSTSITE_VENV.")
    sys.stdout.flush()
    os.execv(environment.python, [str(environment.python), *sys.orig_argv[1:]])


def _refuse_strangers() -> None:
    if sys.version_info < OLDEST:
        sys.exit(f"costsite needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {_version()}.")
    if os.name == "nt":
        sys.exit("costsite runs on Linux and macOS; on Windows use WSL or the container image.")


def data_option(argv: list[str]) -> str | None:
    """Give the folder that ``up --data`` names: the settings need it before Django reads options."""
    if argv[1:2] == ["up"]:
        for option, following in zip(argv, [*argv[1:], ""], strict=True):
            if option == "--data" and following:
                return following
            if option.startswith("--data="):
                return option.removeprefix("--data=")
    return None


class SetUpError(Exception):
    """A step of the set-up failed; the message says what to do."""


class Environment:
    """The project's virtual environment and the lock it was made from."""

    def __init__(self, *, folder: Path, dev: bool) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.stamp = folder / ".costsite-stamp"
        # Present while an installation runs: found by a later start, it tells of a killed one.
        self.unfinished = folder / ".costsite-unfinished"
        # Once made for developers it stays so, or `up` after `test` would take their tools away.
        self.dev = dev or "dev" in (_text(self.stamp) + _text(self.unfinished)).split()

    @property
    def kind(self) -> str:
        """Whom the environment is for."""
        return "dev" if self.dev else "runtime"

    @property
    def lock(self) -> Path:
        """The lock that this environment is made from."""
        return DEV_LOCK if self.dev else RUNTIME_LOCK

    def inside(self) -> bool:
        """Tell whether this very process runs in the environment."""
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def managed_elsewhere(self) -> bool:
        """Tell whether somebody made the environment by hand and runs us in it: then it is theirs."""
        return self.inside() and not self.stamp.exists() and not self.unfinished.exists()

    def current(self) -> bool:
        """Tell whether the environment is whole and of today's lock."""
        is_whole = self.python.exists() and not self.unfinished.exists()
        return is_whole and _text(self.stamp) == self._wanted()

    def make(self) -> None:
        """Make the environment or bring it up to date; one process at a time, the others wait."""
        if self.current():
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(self.folder.with_name(self.folder.name + ".lock")):
            if self.current():
                return
            began = time.monotonic()
            if self.unfinished.exists() or not self._usable():
                self._create()
            self._install()
            self.stamp.write_text(self._wanted(), encoding="utf-8")
            self.unfinished.unlink()
            _say(f"ready after {time.monotonic() - began:.0f} s")

    def _wanted(self) -> str:
        digest = hashlib.sha256(sys.version.encode())
        for lock in (RUNTIME_LOCK, self.lock):
            digest.update(hashlib.sha256(lock.read_bytes()).digest())
        return f"{self.kind} {digest.hexdigest()}"

    def _usable(self) -> bool:
        """Tell whether the environment runs and is of this Python."""
        with contextlib.suppress(OSError):
            done = subprocess.run(
                [self.python, "-c", "import sys; print(sys.version)"],
                capture_output=True,
                text=True,
                check=False,
            )
            return done.stdout.strip() == sys.version.strip()
        return False

    def _create(self) -> None:
        _say(f"making {self._shown()} with Python {_version()}")
        if self.folder.exists():
            ours = self.unfinished.exists() or (self.folder / "pyvenv.cfg").exists()
            if not ours and any(self.folder.iterdir()):
                raise SetUpError(f"{self.folder} is no virtual environment; it is left as it is.")
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.unfinished.write_text(self.kind, encoding="utf-8")
        base = getattr(sys, "_base_executable", sys.executable)
        # The pip that is already here can install into it, without seconds spent on a second one.
        # Debian keeps ensurepip in a package of its own anyway.
        flags = ["--without-pip"] if _own_pip_reaches_others() else []
        if _run([base, "-m", "venv", *flags, str(self.folder)]):
            raise SetUpError(
                "Python could not make a virtual environment. Install python3-venv or python3-pip."
            )

    def _install(self) -> None:
        self.unfinished.write_text(self.kind, encoding="utf-8")
        pip = self._pip()
        _say(f"installing {self.lock.name}")
        if self._install_with_uv(pip) == 0:
            return
        _say("uv could not; pip does it, more slowly")
        if _run([*pip, "install", "--require-hashes", "-r", str(self.lock)]) == 0:
            return
        if self.stamp.exists():
            # Both fetch everything before they change anything: what was whole still is.
            self.unfinished.unlink()
        raise SetUpError(
            f"the packages of {self.lock.name} could not be installed. Is the package index "
            f"reachable? pip's and uv's own settings are honoured. If {self._shown()} is damaged, "
            "remove it."
        )

    def _install_with_uv(self, pip: list[str]) -> int:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
            pinned.write(_pinned_uv())
            pinned.flush()
            if _run([*pip, "install", "--require-hashes", "-r", pinned.name]):
                return 1
        uv = [str(self.folder / "bin" / "uv"), "pip", "sync", "--quiet", "--require-hashes"]
        # Nothing is compiled here: ten thousand files take 20 s, the ones in use 4 s at their first.
        uv += ["--python", str(self.python), str(self.lock)]
        return _run(uv, environment=_uv_environment(pip))

    def _pip(self) -> list[str]:
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        if _own_pip_reaches_others():
            return [sys.executable, "-m", "pip", "--python", str(self.python), *quiet]
        return [str(self.python), "-m", "pip", *quiet]

    def _shown(self) -> str:
        with contextlib.suppress(ValueError):
            return str(self.folder.relative_to(Path.cwd()))
        return str(self.folder)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    import fcntl

    with lock.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another start is setting up; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _own_pip_reaches_others() -> bool:
    """Tell whether the pip of this Python is here and knows ``--python`` (since 22.3)."""
    try:
        return tuple(map(int, importlib.metadata.version("pip").split(".")[:2])) >= (22, 3)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return False


def _pinned_uv() -> str:
    """Take uv's pin and hashes from the developer's lock, the one place that names its version."""
    text = DEV_LOCK.read_text(encoding="utf-8")
    found = re.search(r"^uv==(?:.*\\\n)*.*\n", text, re.MULTILINE)
    if found is None:
        raise SetUpError(f"{DEV_LOCK.name} does not pin uv.")
    return found.group()


def _uv_environment(pip: list[str]) -> dict[str, str]:
    """Tell uv what pip has been told about indexes; what uv itself has been told comes first."""
    environment = dict(os.environ)
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        target = PIP_TO_UV.get(name.rpartition(".")[2])
        if target and name.startswith((":env:", "global.", "install.")):
            environment.setdefault(target, " ".join(value.strip("'\"").split()))
    # With hashes in the lock it does not matter which index a file comes from.
    environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return environment


def _run(command: list[str], *, environment: dict[str, str] | None = None) -> int:
    try:
        return subprocess.run(command, stdout=sys.stderr, env=environment, check=False).returncode
    except FileNotFoundError:
        return 127


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _version() -> str:
    return ".".join(str(part) for part in sys.version_info[:3])


def _say(step: str) -> None:
    print(f"costsite: {step}", file=sys.stderr, flush=True)

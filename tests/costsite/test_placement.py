from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from costsite import placement
from costsite.placement import PlacementError, home_of, place, remove, sockets_of

AS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0,
    reason="only root's data is placed for another user; a plain user's stays where it is",
)


@pytest.fixture
def open_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that every user can walk to: pytest's own are for one user only."""
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_lies_inside_the_data_folder_where_its_user_can_walk_there(open_path: Path) -> None:
    placed = place(open_path / "data")

    assert placed.home == open_path / "data" / "postgres"
    assert mode(placed.cluster) == 0o700
    assert mode(placed.sockets) == 0o700
    assert placed.cluster.stat().st_uid == (
        placed.account.pw_uid if placed.account else os.getuid()
    )


@AS_ROOT
def test_lies_elsewhere_when_the_data_folder_is_closed_and_opens_nothing(open_path: Path) -> None:
    closed = open_path / "closed"
    closed.mkdir(mode=0o700)
    data = closed / "data"
    foretold = home_of(data)

    placed = place(data)

    assert placed.home == foretold == home_of(data)
    assert placed.home.parent == Path("/var/lib/costsite")
    assert (data / "postgres").readlink() == placed.home
    assert mode(closed) == 0o700
    remove(data)
    assert not placed.home.exists()


@AS_ROOT
def test_keeps_an_earlier_database_when_the_data_folder_was_removed(open_path: Path) -> None:
    closed = open_path / "closed"
    closed.mkdir(mode=0o700)
    data = closed / "data"
    earlier = place(data)
    (earlier.cluster / "row").touch()
    (data / "postgres").unlink()

    placed = place(data)

    assert not (placed.cluster / "row").exists()
    (kept,) = placed.home.parent.glob(f"{placed.home.name}.*")
    assert (kept / "cluster" / "row").exists()
    remove(data)
    (kept / "cluster" / "row").unlink()
    subprocess.run(["/bin/rm", "-r", str(kept)], check=True)


@AS_ROOT
def test_refuses_a_link_to_a_database_that_is_gone(open_path: Path) -> None:
    data = open_path / "data"
    data.mkdir()
    (data / "postgres").symlink_to(open_path / "lost")

    with pytest.raises(PlacementError, match="and the database with it"):
        place(data)


@AS_ROOT
def test_copies_the_programs_where_their_user_cannot_run_them(
    open_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = open_path / "venv"
    closed.mkdir(mode=0o700)
    real = placement.found_binaries().parent
    package = closed / real.parent.name
    package.mkdir()
    (package / real.name).symlink_to(real)
    (closed / f"{package.name}.libs").symlink_to(real.parent.with_name(f"{package.name}.libs"))
    monkeypatch.setenv("COSTSITE_PG_BIN", str(package / real.name / "bin"))

    placed = place(open_path / "data")

    assert placed.binaries.is_relative_to(placed.home)
    assert placed.account is not None
    assert placement._runs([str(placed.binaries / "initdb"), "--version"], placed.account)
    assert place(open_path / "data").binaries == placed.binaries


def test_refuses_folders_that_others_could_open(open_path: Path) -> None:
    data = open_path / "data"
    place(data)
    home_of(data).joinpath("cluster").chmod(0o755)

    with pytest.raises(PlacementError, match="nobody else can open"):
        place(data)


def test_finds_a_short_place_for_the_socket(tmp_path: Path) -> None:
    short, long = tmp_path / "a", tmp_path / ("a" * 100)

    assert sockets_of(short) == short / "run"
    assert sockets_of(long).parent == Path("/tmp")
    assert sockets_of(long) == sockets_of(long) != sockets_of(long / "b")


def test_says_how_to_get_the_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COSTSITE_PG_BIN", str(tmp_path))

    with pytest.raises(PlacementError, match="no program 'postgres'"):
        placement.found_binaries()

"""The set-up, tried in projects of its own that need one tiny package and no network."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from costsite import bootstrap
from costsite.bootstrap import Environment, SetUpError

PROGRAM = """
import sys
from costsite import bootstrap

bootstrap.ensure(sys.argv)
import tiny

print(tiny.VERSION, sys.prefix, *sys.argv[1:])
"""


class Project:
    """A folder with our set-up, a lock of one package, and a Python to start it with."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.venv = root / ".venv"
        (root / "costsite").mkdir()
        (root / "costsite" / "__init__.py").touch()
        shutil.copy(bootstrap.__file__, root / "costsite")
        (root / "manage.py").write_text(PROGRAM)
        self.lock(version="1.0")

    def lock(self, *, version: str) -> None:
        """Ask for this version of the package, and for one thing more in the developer's lock."""
        line = _wheel(self.root, "tiny", version)
        tool = _wheel(self.root, "tool", "1.0")
        # A uv that installs but has no program: so pip does the work, and nothing needs a network.
        uv = _wheel(self.root, "uv", "0.0.1")
        (self.root / "requirements.txt").write_text(line)
        (self.root / "requirements-dev.txt").write_text(f"{line}{tool}{uv}")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the program with the Python that everything began with, outside any environment."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COSTSITE_")}
        environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.root), "UV_OFFLINE": "1"}
        environment["PIP_CONFIG_FILE"] = os.devnull
        return subprocess.Popen(
            [sys._base_executable, "manage.py", *arguments],  # type: ignore[attr-defined]
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[str, str]:
        """Run the program to its end; give what it printed and what it said on the way."""
        running = self.start(*arguments)
        printed, said = running.communicate(timeout=120)
        assert running.returncode == 0, said
        return printed, said

    def has(self, package: str) -> bool:
        """Tell whether the environment holds the package."""
        return any(self.venv.glob(f"lib/python*/site-packages/{package}.py"))


def _wheel(folder: Path, name: str, version: str) -> str:
    """Make a wheel by hand; give its line of a lock."""
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = '{version}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        rows = []
        for path, content in files.items():
            archive.writestr(path, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest())
            rows.append(f"{path},sha256={digest.decode().rstrip('=')},{len(content)}")
        archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_makes_one_environment_when_two_start_at_once(project: Project) -> None:
    starts = [project.start("up"), project.start("up")]

    ended = [one.communicate(timeout=120) for one in starts]

    assert [one.returncode for one in starts] == [0, 0], ended
    for printed, _ in ended:
        assert printed == f"1.0 {project.venv} up\n"
    assert sum(said.count("making .venv") for _, said in ended) == 1
    assert not (project.venv / ".costsite-unfinished").exists()


def test_follows_the_lock_and_keeps_a_developers_tools(project: Project) -> None:
    project.run("up")
    assert not project.has("tool")

    _, said_by_the_next = project.run("up")
    assert said_by_the_next == ""

    project.run("test")
    assert project.has("tool")

    project.lock(version="2.0")
    printed, said = project.run("up")
    assert printed.startswith("2.0 ")
    assert "installing requirements-dev.txt" in said
    assert "making" not in said


def test_heals_an_environment_that_was_killed_half_made(project: Project) -> None:
    site = project.venv / "lib" / "python" / "site-packages"
    site.mkdir(parents=True)
    (site / "tiny.py").write_text("VERSION = 'half'")
    (project.venv / ".costsite-unfinished").write_text("dev")

    printed, said = project.run("up")

    assert printed.startswith("1.0 ")
    assert "making .venv" in said
    assert project.has("tool")


def test_keeps_a_whole_environment_when_an_update_cannot_be_fetched(project: Project) -> None:
    project.run("up")
    old_lock = (project.root / "requirements.txt").read_text()
    (project.root / "requirements.txt").write_text("tiny==9 --hash=sha256:" + "0" * 64 + "\n")

    running = project.start("up")
    running.communicate(timeout=120)
    assert running.returncode == 1

    (project.root / "requirements.txt").write_text(old_lock)
    assert project.run("up") == (f"1.0 {project.venv} up\n", "")


def test_refuses_a_package_that_is_not_what_the_lock_says(project: Project) -> None:
    (project.root / "requirements.txt").write_text("tiny==1.0 --hash=sha256:" + "0" * 64 + "\n")

    running = project.start("up")
    printed, said = running.communicate(timeout=120)

    assert running.returncode == 1
    assert printed == ""
    assert "costsite: the packages of requirements.txt could not be installed" in said
    assert "Traceback" not in said


def test_leaves_a_folder_alone_that_is_no_environment(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    environment = Environment(folder=tmp_path, dev=False)

    with pytest.raises(SetUpError, match="is no virtual environment"):
        environment.make()

    assert (tmp_path / "thesis.txt").exists()


def test_says_so_when_python_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COSTSITE_BOOTSTRAP", raising=False)
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))

    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; this is 3\.9\.2"):
        bootstrap.ensure(["manage.py", "up"])


def test_leaves_the_environment_to_its_operator_when_told_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COSTSITE_BOOTSTRAP", "off")
    monkeypatch.setenv("COSTSITE_VENV", str(tmp_path / "none"))

    bootstrap.ensure(["manage.py", "up"])

    assert not (tmp_path / "none").exists()


def test_wants_the_same_stamp_in_every_process(tmp_path: Path) -> None:
    code = (
        "from costsite.bootstrap import Environment; from pathlib import Path;"
        f"print(Environment(folder=Path({str(tmp_path)!r}), dev=True)._wanted())"
    )
    stamps = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=bootstrap.ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "1234"
    }

    assert len(stamps) == 1


def test_takes_uv_with_its_hashes_from_the_developers_lock() -> None:
    pinned = bootstrap._pinned_uv()

    assert pinned.startswith("uv==")
    assert pinned.count("--hash=sha256:") > 5
    assert "\n    #" not in pinned


def test_tells_uv_of_pips_indexes_unless_uv_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "global.index-url='https://mirror.example/simple'\nglobal.extra-index-url='a\\nb'\n"
    pip = ["/bin/sh", "-c", f'printf "%b" "{listed}"']
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX"):
        monkeypatch.delenv(name, raising=False)

    assert bootstrap._uv_environment(pip)["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"

    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.example/simple")
    assert bootstrap._uv_environment(pip)["UV_DEFAULT_INDEX"] == "https://own.example/simple"


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        (["up", "--data", "here"], "here"),
        (["up", "--data=here", "--port", "1"], "here"),
        (["up"], None),
        (["up", "--data"], None),
        (["shell", "--data", "here"], None),
    ],
)
def test_knows_the_data_folder_before_the_settings_do(
    arguments: list[str], folder: str | None
) -> None:
    assert bootstrap.data_option(["manage.py", *arguments]) == folder

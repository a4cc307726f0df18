"""The arrows of docs/architecture.md: each contract is shown to break."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from costsite.settings import BASE_DIR

PYPROJECT = (BASE_DIR / "pyproject.toml").read_text(encoding="utf-8")
CONFIGURATION: dict[str, Any] = tomllib.loads(PYPROJECT)["tool"]["importlinter"]
LINTER = Path(sys.executable).with_name("lint-imports")

ARROWS = [
    ("costsite wires tracking", "budgets.core.money", "import tracking.ledger"),
    ("costsite wires tracking", "tracking.ledger.models", "import costsite.settings"),
    ("people and money", "budgets.core.money", "import budgets.holds.operations"),
    ("people and money", "budgets.plans.models", "import budgets.tenancy.models"),
    ("people and money", "budgets.tenancy.views", "import budgets.limits.models"),
    ("people and money", "budgets.surprise", ""),
    ("models and tokens", "tracking.pricing.cost", "import tracking.ledger.models"),
    ("models and tokens", "tracking.ledger.models", "import tracking.gateway.views"),
    ("models and tokens", "tracking.surprise", ""),
    ("every package has the same floors", "budgets.holds.models", "import budgets.holds.queries"),
    ("every package has the same floors", "budgets.holds.operations", "import budgets.holds.tasks"),
    ("every package has the same floors", "tracking.usage.tasks", "import tracking.usage.views"),
    ("arithmetic is pure", "budgets.core.money", "import django.conf"),
    ("arithmetic is pure", "tracking.pricing.cost", "import litellm"),
    ("the domain knows neither", "budgets.limits.operations", "import celery"),
    ("the domain knows neither", "tracking.usage.queries", "import rest_framework"),
    ("litellm has two doors", "tracking.gateway.views", "import litellm"),
    ("litellm has two doors", "costsite.settings", "import litellm"),
]


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """A project with our contracts, every package they name, and nothing in its modules."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    names = {"costsite.settings", *_named_modules()}
    floors = ("models", "queries", "operations", "tasks", "views", "urls")
    for contract in CONFIGURATION["contracts"]:
        for container in contract.get("containers", []):
            if "*" not in container:
                packages = _packages(contract["layers"])
                names |= {f"{container}.{p}.{floor}" for p in packages for floor in floors}
    for name in names:
        write(tmp_path, name, "")
    return tmp_path


def _named_modules() -> set[str]:
    """Give the modules that contracts name one by one."""
    listed = (contract.get("source_modules", []) for contract in CONFIGURATION["contracts"])
    return {name for names in listed for name in names if "*" not in name and "." in name}


def _packages(layers: list[str]) -> list[str]:
    return [part.strip(" ()") for layer in layers for part in layer.split("|")]


def write(root: Path, module: str, source: str) -> None:
    path = root.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    for package in path.parents[: len(module.split(".")) - 1]:
        (package / "__init__.py").touch()
    path.write_text(f"{source}\n")


def linted(root: Path) -> str:
    done = subprocess.run(
        [str(LINTER), "--no-logo", "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_is_kept_by_an_empty_skeleton(skeleton: Path) -> None:
    said = linted(skeleton)

    assert f"{len(CONFIGURATION['contracts'])} kept, 0 broken" in said, said


@pytest.mark.parametrize(("contract", "module", "source"), ARROWS)
def test_breaks_at_a_wrong_import(skeleton: Path, contract: str, module: str, source: str) -> None:
    write(skeleton, module, source)

    said = linted(skeleton)

    broken = [line for line in said.splitlines() if line.endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), said


def test_breaks_every_contract_at_least_once() -> None:
    shown = {contract for contract, _, _ in ARROWS}

    for contract in CONFIGURATION["contracts"]:
        assert any(contract["name"].startswith(name) for name in shown), contract["name"]

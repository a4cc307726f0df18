"""Every variable that is read is explained, and every one that is explained is read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from costsite.settings import BASE_DIR
from tests.architecture.rules import Module, modules_of
from tracking.gateway import connections

# Read before .env is, or set by the product for itself: no line of .env could set them.
NOT_IN_ENV_FILE = {
    "COSTSITE_BOOTSTRAP",
    "COSTSITE_CHROMIUM",
    "COSTSITE_ENV_FILE",
    "COSTSITE_PG_BIN",
    "COSTSITE_SUPERVISED",
    "COSTSITE_VENV",
}
# litellm's own, which the gateway sets before it is loaded; Django's; pip's, uv's and apt's.
NOT_OURS = re.compile(r"LITELLM_|DJANGO_SETTINGS_MODULE|UV_|PIP_|DEBIAN_|C_FORCE")


def variables_of(module: Module) -> set[str]:
    """Name the variables that a module reads: env.text("NAME"), os.environ.get("NAME") ..."""
    found = set()
    for node in ast.walk(module.tree):
        name: ast.AST | None = None
        if isinstance(node, ast.Call) and node.args:
            reader = ast.unparse(node.func)
            if reader.startswith(("env.", "os.environ.")) or reader == "_secret":
                name = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            name = node.slice
        if isinstance(name, ast.Constant) and re.fullmatch(r"[A-Z][A-Z_]+", str(name.value)):
            found.add(str(name.value))
    return {name for name in found if not NOT_OURS.match(name)}


@pytest.fixture(scope="module")
def read() -> set[str]:
    modules = modules_of(BASE_DIR, "costsite", "budgets", "tracking")
    by_custom = set(connections.CUSTOMARY_KEYS)
    return {name for module in modules for name in variables_of(module)} | by_custom


def documented(file: Path) -> set[str]:
    rows = [line for line in file.read_text().splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([A-Z_]{4,})`", row.split("|")[1])}


def exemplified(file: Path) -> set[str]:
    return set(re.findall(r"^#?([A-Z_]{4,})=", file.read_text(), re.MULTILINE))


def test_explains_every_variable_and_no_other(read: set[str]) -> None:
    assert documented(BASE_DIR / "docs" / "settings.md") == read


def test_shows_every_variable_that_an_env_file_can_set(read: set[str]) -> None:
    assert exemplified(BASE_DIR / ".env.example") == read - NOT_IN_ENV_FILE


@pytest.mark.parametrize(
    "source",
    ["x = env.whole('A_NEW_ONE', 3)", "x = os.environ['A_NEW_ONE']", "x = _secret('A_NEW_ONE')"],
)
def test_notices_a_new_variable(source: str) -> None:
    assert variables_of(Module("costsite.x", source)) == {"A_NEW_ONE"}

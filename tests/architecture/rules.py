"""The house rules as functions: each reads one module and gives its findings."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 500
MONEY_PACKAGES = (
    "budgets.core",
    "budgets.plans",
    "budgets.limits",
    "budgets.holds",
    "tracking.pricing",
    "tracking.ledger",
    "tracking.usage",
    "tracking.exports",
    "tracking.reports",
    "tracking.spending",
)
WEB = ("django.http", "django.shortcuts", "django.views")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of source, by its dotted name."""

    name: str
    source: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed source."""
        return ast.parse(self.source)

    @property
    def floor(self) -> str:
        """The last part of the name: models, queries, operations, views ..."""
        return self.name.rpartition(".")[2]

    @property
    def functions(self) -> Iterator[Function]:
        """Every function and method."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    @property
    def public(self) -> Iterator[Function | ast.ClassDef]:
        """What others may call or make: the module's own functions and classes, no underscore."""
        for node in self.tree.body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                yield node


Rule = Callable[[Module], Iterator[str]]


def packages_are_described(module: Module) -> Iterator[str]:
    """An ``__init__.py`` holds a docstring and nothing else."""
    body = module.tree.body
    if module.is_package and not (len(body) == 1 and ast.get_docstring(module.tree)):
        yield f"{module.name}: only a docstring belongs into __init__.py"


def operations_and_queries_are_described(module: Module) -> Iterator[str]:
    """Public operations and queries have a docstring."""
    if module.floor in {"operations", "queries"}:
        yield from undescribed(module)


def undescribed(module: Module) -> Iterator[str]:
    """Name the public functions and classes without a docstring."""
    for node in module.public:
        if not ast.get_docstring(node):
            yield f"{module.name}.{node.name}: no docstring"


def operations_and_queries_take_keywords(module: Module) -> Iterator[str]:
    """Public operations and queries take keywords; only what they work on may stand first."""
    if module.floor in {"operations", "queries"}:
        for node in module.public:
            if isinstance(node, Function) and len(node.args.posonlyargs + node.args.args) > 1:
                yield f"{module.name}.{node.name}: takes several positional arguments"


def functions_are_short(module: Module) -> Iterator[str]:
    """No function is longer than a screen."""
    for node in module.functions:
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield f"{module.name}.{node.name}: {lines} lines"


def files_are_short(module: Module) -> Iterator[str]:
    """No file is longer than can be kept in mind."""
    lines = module.source.count("\n")
    if lines > FILE_LINES_MAX:
        yield f"{module.name}: {lines} lines"


def money_is_no_float(module: Module) -> Iterator[str]:
    """No float near money: neither made nor named as the type of an amount."""
    if not module.name.startswith(MONEY_PACKAGES):
        return
    for node in ast.walk(module.tree):
        if _makes_float(node):
            yield f"{module.name}: float(...) in line {node.lineno}"  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign | ast.arg) and _is_float_amount(node):
            yield f"{module.name}: an amount is a float in line {node.lineno}"


def _makes_float(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return False
    # float("inf") is how Python writes "no deadline".
    is_no_deadline = [ast.unparse(argument) for argument in node.args] == ["'inf'"]
    return node.func.id == "float" and not is_no_deadline


def _is_float_amount(node: ast.AnnAssign | ast.arg) -> bool:
    name = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
    annotation = ast.unparse(node.annotation) if node.annotation else ""
    return name.endswith("_usd") and "float" in annotation


def edges_read_one_tenant(*, tenant_models: Collection[str]) -> Rule:
    """Views read tenants' tables through ``for_organization`` or a query, never bare."""

    def rule(module: Module) -> Iterator[str]:
        if not re.fullmatch(r"(api|views|pages)(_\w+)?", module.floor):
            return
        for node in ast.walk(module.tree):
            if (
                isinstance(node, ast.Attribute)
                and node.attr != "for_organization"
                and isinstance(node.value, ast.Attribute)
                and node.value.attr == "objects"
                and ast.unparse(node.value.value).rpartition(".")[2] in tenant_models
            ):
                yield f"{module.name}: {ast.unparse(node)} in line {node.lineno}"

    return rule


def models_only_hold(module: Module) -> Iterator[str]:
    """Models override no ``save`` or ``delete`` and have no default order."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and any(
            ast.unparse(base).endswith("Model") for base in node.bases
        ):
            for part in node.body:
                if isinstance(part, Function) and part.name in {"save", "delete"}:
                    yield f"{module.name}.{node.name}: overrides {part.name}()"
                if isinstance(part, ast.ClassDef) and "ordering =" in ast.unparse(part):
                    yield f"{module.name}.{node.name}: Meta.ordering"


def domain_knows_no_web(module: Module) -> Iterator[str]:
    """Models, queries and operations import nothing of Django's web."""
    if module.floor not in {"models", "queries", "operations"}:
        return
    for node in ast.walk(module.tree):
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith(WEB):
                yield f"{module.name}: imports {name}"


def nothing_is_left_for_later(module: Module) -> Iterator[str]:
    """What is not done is not promised in a comment."""
    for number, line in enumerate(module.source.splitlines(), start=1):
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b|\bfor now\b|NotImplementedError", line):
            yield f"{module.name}: line {number}: {line.strip()}"


def modules_of(root: Path, *packages: str) -> Iterator[Module]:
    """Read all modules of some packages, but for migrations, which are written once."""
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if "migrations" in parts and path.name != "__init__.py":
                continue
            is_package = path.name == "__init__.py"
            name = ".".join(parts[:-1] if is_package else parts)
            yield Module(name=name, source=path.read_text(encoding="utf-8"), is_package=is_package)

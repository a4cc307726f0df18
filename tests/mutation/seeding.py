"""Installs a fault: in the database by creating its functions again, in Python by its code."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from django.db import connection

STEP, RECOUNT, ADJUST, SEALS = (
    f"budgets/holds/sql/{name}.sql" for name in ("step", "recount", "adjust", "seals")
)
WINDOWS = "budgets/limits/sql/windows.sql"
OPERATIONS, LANE = "budgets/holds/operations.py", "budgets/holds/lane.py"


def killed_by(module: str, test: str) -> tuple[str, ...]:
    """Name the test that notices a fault."""
    return (f"budgets.holds.{module}:test_{test}",)


FUNCTION = re.compile(r"^create (?:or replace )?function .*?^\$\$;$", re.DOTALL | re.MULTILINE)
ROOT = Path(__file__).resolve().parents[2]


class NotInstalled(Exception):
    """The fault's text is not found once in a function, so nothing would be tested."""


@dataclass(frozen=True)
class Fault:
    """A rule that is broken by replacing one text of one file, and who should notice."""

    name: str
    file: str
    old: str
    new: str
    killers: tuple[str, ...]


def install_sql(fault: Fault) -> None:
    """Create the functions of a file again, with the fault; types and triggers stay."""
    original = functions((ROOT / fault.file).read_text(encoding="utf-8"))
    broken = [text.replace(fault.old, fault.new) for text in original]
    if sum(text.count(fault.old) for text in original) != 1 or broken == original:
        raise NotInstalled(fault.name)
    create(broken)


def functions(source: str) -> list[str]:
    """Cut the functions out of a file of SQL."""
    return FUNCTION.findall(source)


def create(texts: list[str]) -> None:
    """Create functions, in the place of those that are there."""
    with connection.cursor() as cursor:
        for text in texts:
            cursor.execute(re.sub("^create function", "create or replace function", text))


@contextmanager
def broken_python(fault: Fault) -> Iterator[None]:
    """Give the functions of a module the code they would have with the fault, for a while."""
    source = (ROOT / fault.file).read_text(encoding="utf-8")
    if source.count(fault.old) != 1:
        raise NotInstalled(fault.name)
    name = fault.file.removesuffix(".py").replace("/", ".")
    module = importlib.import_module(name)
    broken = _codes(compile(source.replace(fault.old, fault.new), str(module.__file__), "exec"))
    before = {function: function.__code__ for function in _functions(module)}
    try:
        for function in before:
            function.__code__ = broken[function.__code__.co_qualname]
        yield
    finally:
        for function, code in before.items():
            function.__code__ = code


def _codes(code: CodeType) -> dict[str, CodeType]:
    found = {code.co_qualname: code}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _codes(constant)
    return found


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    """Find the functions and methods that the module's own text makes."""
    owners = [module, *(x for x in vars(module).values() if inspect.isclass(x))]
    for owner in owners:
        for member in vars(owner).values():
            if isinstance(member, FunctionType) and (
                member.__code__.co_filename == module.__file__ and member.__closure__ is None
            ):
                yield member

"""Runs the tests that should notice a fault, outside pytest's own order of things."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from budgets.core.errors import DomainError
from tests.budgets.holds.test_ledger_model import LedgerAgreesWithOracle, in_world
from tests.mutation.seeding import Fault

MODEL = "any history ends as the oracle says"
# More in a long run by hand: MUTATION_EXAMPLES=500 python3 manage.py test -n0 tests/mutation.
EXAMPLES = int(os.environ.get("MUTATION_EXAMPLES", "10"))
# What a test that notices ends with. Anything else, such as a column that does not exist, says
# that the fault is no working program.
NOTICED = (
    AssertionError,
    IntegrityError,
    DomainError,
    ObjectDoesNotExist,
    pytest.fail.Exception,
)

Run = Callable[[str], None]


def killer_of(fault: Fault, *, run: Run) -> str | None:
    """Give the first of a fault's killers that notices it."""
    for killer in fault.killers:
        try:
            run(killer)
        except NOTICED:
            return killer
    return None


def run_and_roll_back(killer: str) -> None:
    """Run a test, or the model, inside the present transaction and undo what it did."""
    if killer == MODEL:
        run_model()
        return
    with transaction.atomic():
        try:
            call(killer, db=None)
        finally:
            transaction.set_rollback(True)


def run_model() -> None:
    """Run the ledger against its oracle until they differ; the same histories each time."""
    with in_world():
        run_state_machine_as_test(
            LedgerAgreesWithOracle,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )


def call(killer: str, **given: Any) -> None:
    """Call a test by its module and name, with its module's fixtures where none are given."""
    file, _, name = killer.partition(":")
    module = importlib.import_module(f"tests.{file}")
    _with_fixtures(getattr(module, name), module, given)


def _with_fixtures(function: Any, module: Any, given: dict[str, Any]) -> Any:
    plain = inspect.unwrap(function)
    for name in inspect.signature(plain).parameters:
        if name not in given:
            given[name] = _with_fixtures(getattr(module, name), module, given)
    return plain(**{name: given[name] for name in inspect.signature(plain).parameters})

"""Notices every seeded fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests import tenants
from tests.databases import on_own_copy
from tests.mutation import faults, later_faults, python_faults, seeding
from tests.mutation.killers import MODEL, call, killer_of, run_and_roll_back
from tests.mutation.seeding import (
    ROOT,
    Fault,
    NotInstalled,
    broken_python,
    create,
    functions,
    install_sql,
)

IN_SQL = [*faults.IN_SQL, *later_faults.LATER_IN_SQL]


def named(fault: Fault) -> str:
    return fault.name


@pytest.mark.django_db
@pytest.mark.parametrize("fault", IN_SQL, ids=named)
def test_notices_that(fault: Fault) -> None:
    install_sql(fault)

    assert killer_of(fault, run=run_and_roll_back), "the fault survives"


@pytest.mark.django_db
@pytest.mark.parametrize("fault", python_faults.IN_PYTHON, ids=named)
def test_notices_in_the_operations_that(fault: Fault) -> None:
    with broken_python(fault):
        assert killer_of(fault, run=run_and_roll_back), "the fault survives"


@pytest.mark.parametrize("fault", python_faults.IN_THE_LANE, ids=named)
def test_notices_in_the_lane_that(
    fault: Fault, committed_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(killer: str) -> None:
        call(killer, alice=tenants.tenant(limit="100"), monkeypatch=monkeypatch)

    with on_own_copy(), broken_python(fault):
        assert killer_of(fault, run=run), "the fault survives"


@pytest.mark.parametrize("fault", python_faults.IN_RACES, ids=named)
def test_notices_in_a_race_that(fault: Fault, committed_db: None) -> None:
    with on_own_copy(), installed(fault):
        assert killer_of(fault, run=run_on_the_copy), "the fault survives"


@contextmanager
def installed(fault: Fault) -> Iterator[None]:
    """Break the copy's functions, or Python's for a while."""
    if fault.file.endswith(".sql"):
        install_sql(fault)
        yield
    else:
        with broken_python(fault):
            yield


def run_on_the_copy(killer: str) -> None:
    call(killer, committed_db=None, size=1)


@pytest.mark.django_db
def test_finds_nothing_without_a_fault() -> None:
    for fault in IN_SQL:
        create(functions((ROOT / fault.file).read_text(encoding="utf-8")))

    for killer in {k for f in [*IN_SQL, *python_faults.IN_PYTHON] for k in f.killers} - {MODEL}:
        run_and_roll_back(killer)
    run_and_roll_back(MODEL)


@pytest.mark.django_db
def test_says_when_a_fault_is_none() -> None:
    with pytest.raises(NotInstalled):
        install_sql(Fault("absent", seeding.STEP, "no such text", "", ()))
    with (
        pytest.raises(NotInstalled),
        broken_python(Fault("absent", seeding.LANE, "no such text", "", ())),
    ):
        pass

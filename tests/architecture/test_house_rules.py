"""Every rule holds for the project, and every rule bites."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from budgets.core.errors import DomainError
from budgets.http.errors import HTTP_ANSWERS
from costsite.settings import BASE_DIR
from tests.architecture import rules
from tests.architecture.rules import Module, Rule

TENANT_MODELS = frozenset(
    model.__name__
    for model in apps.get_models()
    if hasattr(model._default_manager.all(), "for_organization")
)
SOURCES = list(rules.modules_of(BASE_DIR, "costsite", "budgets", "tracking"))
TESTS = list(rules.modules_of(BASE_DIR, "tests"))

RULES: dict[str, Rule] = {
    "packages are described": rules.packages_are_described,
    "operations and queries are described": rules.operations_and_queries_are_described,
    "operations and queries take keywords": rules.operations_and_queries_take_keywords,
    "functions are short": rules.functions_are_short,
    "files are short": rules.files_are_short,
    "money is no float": rules.money_is_no_float,
    "edges read one tenant": rules.edges_read_one_tenant(tenant_models=TENANT_MODELS),
    "models only hold": rules.models_only_hold,
    "the domain knows no web": rules.domain_knows_no_web,
    "nothing is left for later": rules.nothing_is_left_for_later,
}
FOR_TESTS_TOO = ("packages are described", "functions are short", "files are short")

LONG = "def run():\n" + "    pass\n" * 60
BAD: dict[str, list[Module]] = {
    "packages are described": [
        Module("budgets.x", "", is_package=True),
        Module("budgets.x", '"""It is."""\nfrom a import b\n', is_package=True),
    ],
    "operations and queries are described": [
        Module("budgets.x.operations", "def hold(): pass\n"),
        Module("budgets.x.queries", "async def balance(): pass\n"),
        Module("budgets.x.queries", "class Balance: pass\n"),
    ],
    "operations and queries take keywords": [
        Module("budgets.x.operations", "def hold(row, amount): pass\n"),
        Module("budgets.x.queries", "def balance(subject, /, at): pass\n"),
    ],
    "functions are short": [Module("budgets.x.views", LONG)],
    "files are short": [Module("budgets.x.views", "x = 1\n" * 501)],
    "money is no float": [
        Module("budgets.core.money", "def f(x): return float(x)\n"),
        Module("tracking.pricing.cost", "cost_usd: float = 0\n"),
        Module("tracking.usage.queries", "def f(*, cost_usd: float | None): pass\n"),
    ],
    "edges read one tenant": [
        Module("budgets.tenancy.views", "x = ApiKey.objects.filter(name='x')\n"),
        Module("budgets.tenancy.api", "x = models.ApiKey.objects.all()\n"),
        Module("budgets.tenancy.api_keys", "x = ApiKey.objects.get(pk=1)\n"),
    ],
    "models only hold": [
        Module("a.models", "class A(models.Model):\n    def save(self): pass\n"),
        Module("a.models", "class A(models.Model):\n    class Meta:\n        ordering = ['x']\n"),
    ],
    "the domain knows no web": [
        Module("a.operations", "from django.http import HttpResponse\n"),
        Module("a.models", "import django.shortcuts\n"),
    ],
    "nothing is left for later": [
        Module("a.b", "# TO" + "DO: later\n"),
        Module("a.b", "x = 1  # good enough for" + " now\n"),
        Module("a.b", "raise NotImplemented" + "Error\n"),
    ],
}
GOOD: dict[str, list[Module]] = {
    "packages are described": [Module("budgets.x", '"""It is."""\n', is_package=True)],
    "operations and queries are described": [
        Module("budgets.x.operations", "def _part(): pass\n"),
        Module("budgets.x.views", "def page(): pass\n"),
    ],
    "operations and queries take keywords": [
        Module("budgets.x.operations", "def hold(row, *, amount): pass\ndef _f(x, y): pass\n")
    ],
    "functions are short": [Module("a.b", "def run():\n" + "    pass\n" * 59)],
    "money is no float": [
        Module("budgets.holds.lane", "until = float('inf')\n"),
        Module("tracking.gateway.endpoints.bodies", "temperature: float\n"),
    ],
    "edges read one tenant": [
        Module("budgets.tenancy.views", "x = ApiKey.objects.for_organization(o).filter(a=1)\n"),
        Module("budgets.tenancy.operations", "x = ApiKey.objects.filter(a=1)\n"),
        Module("budgets.plans.views", "x = Plan.objects.all()\n"),
    ],
    "models only hold": [Module("a.admin", "class A(ModelAdmin):\n    ordering = ['x']\n")],
    "the domain knows no web": [Module("a.views", "from django.http import HttpResponse\n")],
}


def findings(rule: Rule, modules: list[Module]) -> list[str]:
    return [finding for module in modules for finding in rule(module)]


@pytest.mark.parametrize("name", RULES)
def test_holds_in_the_project(name: str) -> None:
    modules = SOURCES + (TESTS if name in FOR_TESTS_TOO else [])

    assert findings(RULES[name], modules) == []


@pytest.mark.parametrize(
    ("name", "module"), [(name, module) for name in RULES for module in BAD[name]]
)
def test_bites_on_a_bad_sample(name: str, module: Module) -> None:
    assert findings(RULES[name], [module]) != []


@pytest.mark.parametrize(
    ("name", "module"), [(name, module) for name in GOOD for module in GOOD[name]]
)
def test_spares_a_good_sample(name: str, module: Module) -> None:
    assert findings(RULES[name], [module]) == []


def test_knows_the_tenants_tables() -> None:
    assert {"ApiKey", "Budget", "CostRecord", "JournalEntry", "Project"} <= TENANT_MODELS
    assert "Plan" not in TENANT_MODELS


def test_describes_every_function_of_the_pure_modules() -> None:
    found = findings(rules.undescribed, [m for m in SOURCES if m.name in pure_modules()])

    assert found == []


def test_names_only_pure_modules_that_exist() -> None:
    assert pure_modules() <= {module.name for module in SOURCES}


def pure_modules() -> set[str]:
    """Give the modules that the import contract calls pure."""
    configuration: dict[str, Any] = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())
    contracts = configuration["tool"]["importlinter"]["contracts"]
    (contract,) = (c for c in contracts if c["name"] == "arithmetic is pure")
    return set(contract["source_modules"])


def test_gives_every_expected_failure_its_place_in_the_table_of_statuses() -> None:
    for module in SOURCES:
        if "DomainError" in module.source and module.floor != "errors":
            __import__(module.name)

    missing = {error.code for error in expected_failures()} - set(HTTP_ANSWERS)

    assert missing == set()


def expected_failures() -> Iterator[type[DomainError]]:
    waiting: list[type[DomainError]] = [DomainError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        yield error


def test_protects_every_row_with_money_behind() -> None:
    unprotected = [
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        if any(field.name.endswith("_usd") for field in model._meta.get_fields())
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey)
        and field.remote_field.on_delete is not models.PROTECT
    ]

    assert unprotected == []


def test_keeps_amounts_at_twelve_places() -> None:
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if field.name.endswith("_usd"):
                assert isinstance(field, models.DecimalField), field
                assert field.decimal_places == 12, field

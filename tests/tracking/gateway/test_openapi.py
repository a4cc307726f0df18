"""The OpenAPI document tells of all that /v1 serves, and only of that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from budgets.core.errors import DomainError
from budgets.holds import refusals
from budgets.http.errors import HTTP_ANSWERS
from costsite.openapi import with_gateway
from tests.documented import document
from tracking.gateway.endpoints import bodies
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.table import ENDPOINTS
from tracking.gateway.failures import ProviderFailure
from tracking.gateway.openapi import CALL_CODES, components, paths
from tracking.gateway.urls import urlpatterns
from tracking.gateway.views import Nowhere


def errors_of(*kinds: type[DomainError]) -> Iterator[type[DomainError]]:
    for kind in kinds:
        yield from errors_of(*kind.__subclasses__())
        yield kind


def test_is_valid_and_made_without_a_guess(tmp_path: Path) -> None:
    written = tmp_path / "openapi.json"
    options = {"file": str(written), "format": "openapi-json", "fail_on_warn": True}

    call_command("spectacular", validate=True, **options)

    assert json.loads(written.read_text())["openapi"].startswith("3.1")


def test_tells_of_every_address_that_is_served_and_of_no_other() -> None:
    served = {
        re.sub(r"<path:\w+>", "{model}", f"/{pattern.pattern}")
        for pattern in urlpatterns
        if getattr(pattern.callback, "view_class", None) is not Nowhere
    }

    assert set(paths()) == served == {p for p in document()["paths"] if p.startswith("/v1")}
    assert any(path.startswith("/api/v1/") for path in document()["paths"])


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_tells_every_parameter_that_is_taken_and_that_there_are_no_others(
    endpoint: Endpoint[Any],
) -> None:
    told = document()["components"]["schemas"][endpoint.shape.__name__]

    names = {field.alias or name for name, field in endpoint.shape.model_fields.items()}
    assert set(told["properties"]) == names
    assert told["additionalProperties"] is False


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_tells_of_events_where_there_are_any(endpoint: Endpoint[Any]) -> None:
    told = paths()[f"/v1/{endpoint.name.replace('.', '/')}"]["post"]["responses"]["200"]

    assert ("text/event-stream" in told["content"]) is ("stream" in endpoint.shape.model_fields)
    assert ("application/json" in told["content"]) is (endpoint.name != "audio.speech")


def test_tells_every_refusal_by_its_status() -> None:
    modules = (bodies.__name__, refusals.__name__)
    raised = {
        kind.code
        for kind in errors_of(DomainError)
        if kind.__module__ in modules or issubclass(kind, ProviderFailure)
    }
    assert raised <= set(CALL_CODES)

    for path, operations in paths().items():
        for operation in operations.values():
            for status, told in operation["responses"].items():
                codes = told["description"].split(", ") if status != "200" else []
                assert {HTTP_ANSWERS[code].status for code in codes} <= {int(status)}, path


def test_refers_to_nothing_that_is_not_there() -> None:
    named = set(re.findall(r"#/components/schemas/([\w.]+)", str(document())))

    assert named <= set(document()["components"]["schemas"])


def test_refuses_to_tell_two_things_under_one_name() -> None:
    taken: dict[str, Any] = {"paths": {}, "components": {"schemas": {"Error": {}}}}

    with pytest.raises(ValueError, match="told of twice: Error"):
        with_gateway(taken)
    assert "Error" in components()["schemas"]


@pytest.mark.django_db
def test_is_served_to_anybody(client: Client) -> None:
    answer = client.get("/api/schema/?format=json")

    assert answer.status_code == 200
    assert "/v1/chat/completions" in answer.json()["paths"]

"""Whatever is made from the OpenAPI document is answered as the document says, and never with a 500."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from budgets.tenancy.scopes import Scope
from tests import documented, tenants
from tests.databases import on_database
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tracking.gateway.endpoints.table import ENDPOINTS

Operation = APIOperation[Any, Any, Any, Any]
SCHEMA = schemathesis.openapi.from_dict(documented.document())
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]
ENDPOINT_AT = {f"/v1/{one.name.replace('.', '/')}": one for one in ENDPOINTS}
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
# The same every time, so that what it finds is there to be mended, and short enough for each run.
FEW = settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


# One model for each of the endpoints, so that what the document allows comes as far as a provider.
MODELS = {
    mode: name
    for name, mode in (
        (tenants.MODEL, "chat"),
        *((name, mode) for name, (mode, _) in reversed(tenants.BY_MODE.items())),
    )
}


@pytest.fixture(scope="module")
def key(models_listed: str, django_db_blocker: Any) -> str:
    """A key without limits that opens everything."""
    with django_db_blocker.unblock(), on_database(models_listed):
        return tenants.tenant(limit=None, key={"scopes": list(Scope)}).text


@FEW
@given(data=st.data())
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_answers_as_documented(
    running_site: Site, key: str, upstream: Upstream, operation: Operation, data: st.DataObject
) -> None:
    case = data.draw(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    endpoint = ENDPOINT_AT.get(operation.path)
    if endpoint and isinstance(case.body, dict) and "model" in case.body:
        case.body["model"] = MODELS[min(endpoint.modes)]

    _call(case, running_site, key)


@FEW
@given(data=st.data())
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_refuses_what_the_document_forbids(
    running_site: Site, key: str, upstream: Upstream, operation: Operation, data: st.DataObject
) -> None:
    case = data.draw(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))

    answer = _call(case, running_site, key)

    # A parameter without a value counts as not given, which the document has no word for.
    if all(case.query.values()) and answer.status_code != 413:
        case.validate_response(answer, checks=[checks.negative_data_rejection])


def _call(case: Case[Any], site: Site, key: str) -> Any:
    answer = case.call(base_url=site.url, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    assert answer.status_code != 500, answer.text
    case.validate_response(answer, checks=CHECKS)
    return answer

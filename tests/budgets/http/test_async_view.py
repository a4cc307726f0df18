"""A view that is async from end to end: what it lets through and what it makes of errors."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory

from budgets.core.errors import DomainError
from budgets.http.async_view import AsyncAPIView, json_response


class TooSad(DomainError):
    """A test is sad."""

    code = "invalid_request"


class Example(AsyncAPIView):
    """Answers, or fails as it is told."""

    failure: Exception | None = None

    async def get(self, request: HttpRequest) -> HttpResponse:
        """Answer with the path."""
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return json_response({"path": request.path}, headers={"x-kept": "yes"})


def answered(method: str = "GET", *, headers: Any = None, **initial: Any) -> HttpResponseBase:
    request = RequestFactory().generic(method, "/v1/example", headers=headers)
    view: Any = Example.as_view(**initial)
    response: HttpResponseBase = asyncio.run(view(request))
    return response


def read(response: HttpResponseBase) -> dict[str, Any]:
    assert isinstance(response, HttpResponse)
    assert response["Content-Type"] == "application/json"
    told: dict[str, Any] = json.loads(response.content)
    return told


def test_answers_on_the_servers_own_loop() -> None:
    response = answered()

    assert (response.status_code, read(response)) == (200, {"path": "/v1/example"})
    assert response["x-kept"] == "yes"


def test_tells_an_expected_error_in_the_documented_shape() -> None:
    response = answered(failure=TooSad(param="mood"))

    error = read(response)["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_request", "mood")


def test_never_tells_what_went_wrong_inside(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = answered(failure=RuntimeError("the password is swordfish"))

    assert response.status_code == 500
    assert "swordfish" not in str(read(response))
    # The log has it, under the id that the caller was given.
    (record,) = caplog.records
    assert response["x-request-id"] in record.getMessage()
    assert record.exc_info is not None
    assert "swordfish" in str(record.exc_info[1])


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "TRACE", "DISPATCH", "AS_VIEW"])
def test_refuses_methods_that_it_has_no_handler_for(method: str) -> None:
    response = answered(method)

    assert (response.status_code, read(response)["error"]["code"]) == (405, "method_not_allowed")
    assert "GET" in response["Allow"]


def test_refuses_a_compressed_body() -> None:
    assert answered(headers={"Content-Encoding": "gzip"}).status_code == 415
    assert answered(headers={"Content-Encoding": "identity"}).status_code == 200


def test_names_the_request_that_failed() -> None:
    assert AsyncAPIView().error_response(TooSad(), request_id="r-1")["x-request-id"] == "r-1"
    assert "x-request-id" not in AsyncAPIView().error_response(TooSad())

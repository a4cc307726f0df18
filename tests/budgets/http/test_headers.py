"""The headers of a request, read once."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from budgets.http.headers import Headers


def test_headers_are_found_in_whatever_case_they_are_asked_for() -> None:
    request = RequestFactory().post(
        "/v1/chat/completions",
        data=b"{}",
        content_type="application/json",
        headers={"X-Session-Id": "s1", "Idempotency-Key": "k"},
    )
    headers = Headers.of(request)
    assert headers.get("X-SESSION-ID") == headers["x-session-id"] == "s1"
    assert headers.get("Content-Type") == "application/json"
    assert headers.get("Content-Length") == "2"
    assert "idempotency-key" in headers
    assert "REMOTE_ADDR" not in headers
    assert headers.get("Absent") is None
    assert headers.get("Absent", "") == ""
    with pytest.raises(KeyError):
        headers["Absent"]


def test_all_headers_of_a_request_are_those_that_django_lets_through() -> None:
    request = RequestFactory().get("/v1/models", headers={"Accept": "*/*", "X-Tags": "a,b"})
    assert Headers.of(request) == {name.lower(): text for name, text in request.headers.items()}

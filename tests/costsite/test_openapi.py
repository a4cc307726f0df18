from __future__ import annotations

from costsite.openapi import management_only


def test_tells_of_the_management_api_only() -> None:
    endpoints = [(path, path, "GET", None) for path in ("/v1/models", "/api/v1/keys", "/readyz")]

    assert [endpoint[0] for endpoint in management_only(endpoints)] == ["/api/v1/keys"]

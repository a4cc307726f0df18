"""Holds whatever the gateway answers against the OpenAPI document."""

from __future__ import annotations

import threading
from fnmatch import fnmatch
from functools import cache
from typing import Any

import httpx

from budgets.http.errors import HTTP_ANSWERS

_TURN = threading.Lock()


def document() -> dict[str, Any]:
    """Give the OpenAPI document as the site serves it; it is made once, whoever comes first."""
    with _TURN:
        return _made()


@cache
def _made() -> dict[str, Any]:
    from drf_spectacular.generators import SchemaGenerator

    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # its own
    return made


def check(response: httpx.Response) -> None:
    """See that a response under ``/v1`` is one that the document tells of.

    What it tells nothing of (another address, another method) must be refused in the shape of errors.
    """
    path = response.request.url.path
    if not path.startswith("/v1/"):
        return
    operation = _operation(path, response.request.method)
    form = response.headers.get("content-type", "").partition(";")[0]
    if operation is None:
        assert response.status_code in (404, 405, 413), (path, response.status_code)
        codes = list(HTTP_ANSWERS)
    else:
        told = operation["responses"].get(str(response.status_code))
        assert told, f"{path} is not documented to answer {response.status_code}"
        assert any(fnmatch(form, known) for known in told["content"]), (path, form)
        unknown = {n for n in response.headers if n.startswith("x-")} - _names(told)
        assert not unknown, f"{path} answers with undocumented headers: {unknown}"
        if response.status_code == 200:
            return
        codes = told["description"].split(", ")
    assert form == "application/json", form
    if response.request.method == "HEAD":
        return
    response.read()
    assert response.json()["error"]["code"] in codes, response.text


def _names(told: dict[str, Any]) -> set[str]:
    # How long nginx is to keep an answer back is not for clients.
    return {name.lower() for name in told.get("headers", ())} | {"x-accel-buffering"}


def _operation(path: str, method: str) -> dict[str, Any] | None:
    operations = document()["paths"].get(path)
    if operations is None and path.startswith("/v1/models/"):
        operations = document()["paths"]["/v1/models/{model}"]
    found: dict[str, Any] | None = (operations or {}).get(method.lower())
    return found

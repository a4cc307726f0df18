"""The one table from codes to HTTP: complete, used, and told in one shape."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.http import Http404
from rest_framework import exceptions as drf

import budgets
import costsite
import tracking
from budgets.core.errors import DomainError
from budgets.http import errors
from budgets.http.errors import (
    HTTP_ANSWERS,
    MethodNotAllowed,
    answer_of,
    as_domain_error,
    error_body,
    error_headers,
)

# Started as programs, not imported: what is in them runs at once.
PROGRAMS = {"costsite.asgi", "costsite.wsgi"}


class TooSad(DomainError):
    """A test is
    sad."""

    code = "budget_exceeded"


def modules() -> Iterator[str]:
    for root in (budgets, tracking, costsite):
        for found in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
            if found.name not in PROGRAMS and ".migrations." not in found.name:
                yield found.name


def ours() -> list[type[DomainError]]:
    """Find every expected error of the project."""
    for name in modules():
        importlib.import_module(name)
    known: list[type[DomainError]] = []
    pending = DomainError.__subclasses__()
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if kind.__module__.partition(".")[0] in ("budgets", "tracking", "costsite"):
            known.append(kind)
    return known


def test_knows_the_code_of_every_error_of_the_project() -> None:
    unknown = {
        f"{kind.__module__}.{kind.__name__}" for kind in ours() if kind.code not in HTTP_ANSWERS
    }

    assert not unknown


def test_every_error_says_what_it_is() -> None:
    for kind in ours():
        assert kind().message.endswith((".", '".')), kind
        assert "\n" not in kind().message


def test_has_no_code_that_nothing_uses() -> None:
    """Codes are named by errors, by the framework's translation, or in a statement's verdicts."""
    named = {kind.code for kind in ours()} | set(errors._DRF_CODES.values()) | {"invalid_request"}

    assert set(HTTP_ANSWERS) - named == set()


@pytest.mark.parametrize("code", sorted(HTTP_ANSWERS))
def test_says_whether_to_try_again_wherever_a_client_would_by_itself(code: str) -> None:
    """The OpenAI SDK repeats 408, 409, 429 and every 5xx unless it is told not to."""
    answer = HTTP_ANSWERS[code]

    repeated = answer.status in (408, 409, 429) or answer.status >= 500
    assert 400 <= answer.status < 600
    assert not repeated or answer.is_retryable is not None


def test_writes_amounts_and_instants_as_text() -> None:
    error = TooSad(
        limit_usd=Decimal("1.5"),
        resets_at=datetime(2026, 3, 18, 12, 0, tzinfo=UTC),
        budget="Team",
        param="max_tokens",
        retry_after_s=5,
    )

    assert error_body(error) == {
        "error": {
            "message": "A test is sad.",
            "type": "insufficient_quota",
            "param": "max_tokens",
            "code": "budget_exceeded",
            "limit_usd": "1.500000000000",
            "resets_at": "2026-03-18T12:00:00Z",
            "budget": "Team",
        }
    }
    assert error_headers(error) == {"Retry-After": "5", "x-should-retry": "false"}


def test_takes_a_code_that_the_table_lacks_for_an_error_of_its_own() -> None:
    class Unheard(DomainError):
        """Nobody has."""

        code = "unheard"

    assert answer_of(Unheard()).status == 500


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (TooSad(), "budget_exceeded", "A test is sad."),
        (Http404("secret"), "not_found", "There is nothing at this address."),
        (drf.ParseError(), "invalid_json", "Malformed request."),
        (drf.NotAuthenticated(), "not_authenticated", None),
        (drf.AuthenticationFailed(), "invalid_api_key", None),
        (drf.PermissionDenied(), "permission_denied", None),
        (drf.MethodNotAllowed("PUT"), "method_not_allowed", None),
        (drf.Throttled(wait=5), "rate_limit_exceeded", None),
        (
            drf.ValidationError({"name": ["too long", "and odd"]}),
            "invalid_request",
            "name: too long",
        ),
        (drf.ValidationError(["first", "second"]), "invalid_request", "first"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_translates_the_frameworks_errors(error: Exception, code: str, message: str | None) -> None:
    translated = as_domain_error(error)

    assert translated is not None
    assert translated.code == code
    if message is not None:
        assert translated.message == message


def test_leaves_what_nobody_expected() -> None:
    assert as_domain_error(RuntimeError("a detail from inside")) is None
    assert MethodNotAllowed().code in HTTP_ANSWERS

"""One table from error codes to HTTP, and the one shape of an error: OpenAI's.

``{"error": {"message", "type", "param", "code"}}`` and, beside these four, what the error knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response

from budgets.core.errors import DomainError
from budgets.core.money import usd_text


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """How a code is told over HTTP. ``is_retryable`` None leaves it to the client's own rules."""

    status: int
    type: str
    is_retryable: bool | None = None


_INVALID = "invalid_request_error"

HTTP_ANSWERS: dict[str, HttpAnswer] = {
    "invalid_request": HttpAnswer(400, _INVALID),
    "invalid_json": HttpAnswer(400, _INVALID),
    "invalid_type": HttpAnswer(400, _INVALID),
    "unknown_parameter": HttpAnswer(400, _INVALID),
    "unsupported_parameter": HttpAnswer(400, _INVALID),
    "value_out_of_range": HttpAnswer(400, _INVALID),
    "max_tokens_exceeded": HttpAnswer(400, _INVALID),
    "context_length_exceeded": HttpAnswer(400, _INVALID),
    "model_not_priced": HttpAnswer(400, _INVALID),
    "tags_missing": HttpAnswer(400, _INVALID),
    "provider_refused": HttpAnswer(400, _INVALID),
    "price_line_unreadable": HttpAnswer(400, _INVALID),
    "price_starts_too_early": HttpAnswer(400, _INVALID),
    "price_rule_starts_too_early": HttpAnswer(400, _INVALID),
    "price_map_unreadable": HttpAnswer(400, _INVALID),
    "rates_invalid": HttpAnswer(400, _INVALID),
    "address_refused": HttpAnswer(400, _INVALID),
    "invalid_api_key": HttpAnswer(401, _INVALID),
    "not_authenticated": HttpAnswer(401, _INVALID),
    "permission_denied": HttpAnswer(403, "permission_error"),
    "scope_missing": HttpAnswer(403, "permission_error"),
    "model_not_allowed": HttpAnswer(403, "permission_error"),
    "organization_suspended": HttpAnswer(403, "permission_error"),
    "project_archived": HttpAnswer(403, "permission_error"),
    "not_found": HttpAnswer(404, _INVALID),
    "model_not_found": HttpAnswer(404, _INVALID),
    "method_not_allowed": HttpAnswer(405, _INVALID),
    "not_acceptable": HttpAnswer(406, _INVALID),
    "conflict": HttpAnswer(409, _INVALID, is_retryable=False),
    "idempotency_in_flight": HttpAnswer(409, "idempotency_error", is_retryable=True),
    "idempotency_result_not_stored": HttpAnswer(409, "idempotency_error", is_retryable=False),
    "idempotency_mismatch": HttpAnswer(422, "idempotency_error", is_retryable=False),
    "request_too_large": HttpAnswer(413, _INVALID),
    "unsupported_media_type": HttpAnswer(415, _INVALID),
    "unsupported_encoding": HttpAnswer(415, _INVALID),
    "budget_exceeded": HttpAnswer(429, "insufficient_quota", is_retryable=False),
    "request_exceeds_budget": HttpAnswer(429, "insufficient_quota", is_retryable=False),
    "budget_in_flight": HttpAnswer(429, "insufficient_quota", is_retryable=True),
    "rate_limit_exceeded": HttpAnswer(429, "rate_limit_error", is_retryable=True),
    "request_exceeds_rate_limit": HttpAnswer(429, "rate_limit_error", is_retryable=False),
    "provider_rate_limited": HttpAnswer(429, "provider_error", is_retryable=True),
    "rate_missing": HttpAnswer(500, "server_error", is_retryable=False),
    "usage_contradiction": HttpAnswer(502, "provider_error", is_retryable=False),
    "internal_error": HttpAnswer(500, "server_error", is_retryable=False),
    "provider_error": HttpAnswer(502, "provider_error", is_retryable=False),
    "provider_auth_failed": HttpAnswer(502, "provider_error", is_retryable=False),
    "provider_unavailable": HttpAnswer(503, "provider_error", is_retryable=True),
    "provider_not_configured": HttpAnswer(503, "provider_error", is_retryable=False),
    "ledger_unavailable": HttpAnswer(503, "server_error", is_retryable=True),
    "timeout": HttpAnswer(504, "provider_error", is_retryable=False),
}


def answer_of(error: DomainError) -> HttpAnswer:
    """Find how an error is told over HTTP; a code that the table lacks is an internal error."""
    return HTTP_ANSWERS.get(error.code, HTTP_ANSWERS["internal_error"])


def error_body(error: DomainError) -> dict[str, Any]:
    """Write an error in the documented shape; amounts as text, instants as ISO 8601 in UTC."""
    details = {
        name: _plain(value)
        for name, value in error.details.items()
        if name not in ("param", "retry_after_s", "allow")
    }
    return {
        "error": {
            "message": error.message,
            "type": answer_of(error).type,
            "param": error.details.get("param"),
            "code": error.code,
            **details,
        }
    }


def error_headers(error: DomainError) -> dict[str, str]:
    """Give the headers that tell a client whether and when to try again.

    The OpenAI SDK sends a 429 three times unless ``x-should-retry`` says no.
    """
    headers = {}
    if error.details.get("retry_after_s") is not None:
        headers["Retry-After"] = str(error.details["retry_after_s"])
    is_retryable = answer_of(error).is_retryable
    if is_retryable is not None:
        headers["x-should-retry"] = "true" if is_retryable else "false"
    if error.code == "invalid_api_key":
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer for Django REST framework: expected errors and its own, in the documented shape."""
    expected = as_domain_error(error)
    if expected is None:
        return None
    return Response(
        error_body(expected), status=answer_of(expected).status, headers=error_headers(expected)
    )


def as_domain_error(error: Exception) -> DomainError | None:
    """Translate the framework's own errors; None for what nobody expected."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, Http404):
        return NotFound()
    if isinstance(error, ValidationError):
        return Invalid(_first_text(_messages(error)), param=_first_field(error))
    if isinstance(error, drf.APIException):
        code = _DRF_CODES.get(type(error), "invalid_request")
        translated = DomainError(_first_text(error.detail))
        translated.code = code  # type: ignore[misc]  # One class serves all of the framework's.
        return translated
    return None


class NotFound(DomainError):
    """There is nothing at this address."""

    code = "not_found"


class Invalid(DomainError):
    """A field is not valid."""

    code = "value_out_of_range"


class MethodNotAllowed(DomainError):
    """This address does not take that method."""

    code = "method_not_allowed"


class UnsupportedEncoding(DomainError):
    """A compressed body is not taken: its size would only be known once it is unpacked."""

    code = "unsupported_encoding"


class InternalError(DomainError):
    """Something went wrong on our side. Nothing more was done; the request id finds it in the log."""

    code = "internal_error"


_DRF_CODES: dict[type[drf.APIException], str] = {
    drf.ParseError: "invalid_json",
    drf.AuthenticationFailed: "invalid_api_key",
    drf.NotAuthenticated: "not_authenticated",
    drf.PermissionDenied: "permission_denied",
    drf.NotFound: "not_found",
    drf.MethodNotAllowed: "method_not_allowed",
    drf.UnsupportedMediaType: "unsupported_media_type",
    drf.NotAcceptable: "not_acceptable",
    drf.Throttled: "rate_limit_exceeded",
}


def _first_text(detail: Any) -> str:
    if isinstance(detail, dict):
        name, value = next(iter(detail.items()))
        is_whole = name in (NON_FIELD_ERRORS, "non_field_errors")
        return _first_text(value) if is_whole else f"{name}: {_first_text(value)}"
    if isinstance(detail, list):
        return _first_text(detail[0])
    return str(detail)


def _messages(error: ValidationError) -> Any:
    return error.message_dict if hasattr(error, "error_dict") else error.messages


def _first_field(error: ValidationError) -> str | None:
    field = next(iter(error.error_dict), None) if hasattr(error, "error_dict") else None
    return None if field == NON_FIELD_ERRORS else field


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return usd_text(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value

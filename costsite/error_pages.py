"""What is answered where no view was found or a view failed: JSON to programs, a page to people."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views import defaults

from budgets.core.errors import DomainError
from budgets.http.errors import InternalError, NotFound, answer_of, error_body

PROGRAMS = ("/v1/", "/api/")


class BadRequest(DomainError):
    """The request cannot be understood."""

    code = "invalid_request"


class PermissionDenied(DomainError):
    """This is not for you."""

    code = "permission_denied"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 400."""
    return _json(request, BadRequest()) or defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 403."""
    return _json(request, PermissionDenied()) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404."""
    return _json(request, NotFound()) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500."""
    return _json(request, InternalError()) or defaults.server_error(request)


def _json(request: HttpRequest, error: DomainError) -> HttpResponse | None:
    if not f"{request.path}/".startswith(PROGRAMS):
        return None
    return JsonResponse(error_body(error), status=answer_of(error).status)

"""A REST framework view that is async from end to end, for the gateway's hot path."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.views import APIView

from budgets.core.errors import DomainError
from budgets.http.errors import (
    InternalError,
    MethodNotAllowed,
    UnsupportedEncoding,
    answer_of,
    as_domain_error,
    error_body,
    error_headers,
)
from budgets.http.wire import json_bytes

logger = logging.getLogger(__name__)

_HANDLERS = {"GET": "get", "POST": "post"}


class AsyncAPIView(APIView):
    """Runs ``async def get/post/...`` handlers on the server's own loop.

    The framework's own dispatch awaits nothing and answers 500 for an async handler. This one
    hands the plain request to the handler and turns every error into the documented shape:
    never HTML, and never a detail of what went wrong inside.
    """

    view_is_async = True

    async def dispatch(  # type: ignore[override]  # Async on purpose: that is what it is for.
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Answer a request with its handler's response, or with the error it raised."""
        try:
            handler = getattr(self, _HANDLERS.get(request.method or "", ""), None)
            if handler is None:
                raise MethodNotAllowed(allow=", ".join(self.allowed_methods))
            if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
                raise UnsupportedEncoding
            response: HttpResponseBase = await handler(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  # The edge: nothing may leave as HTML.
            return self.error_response(error)
        return response

    def error_response(self, error: Exception, *, request_id: str | None = None) -> HttpResponse:
        """Write any error as the view's answer; unexpected ones are logged and told as 500."""
        expected = as_domain_error(error)
        if expected is None:
            request_id = request_id or str(uuid.uuid4())
            logger.error("unexpected error, request %s", request_id, exc_info=error)
            expected = InternalError()
        headers = error_headers(expected)
        if request_id:
            headers["x-request-id"] = request_id
        if isinstance(expected, MethodNotAllowed):
            headers["Allow"] = expected.details["allow"]
        body = self.error_body(expected, request_id=request_id)
        return json_response(body, status=answer_of(expected).status, headers=headers)

    def error_body(self, error: DomainError, *, request_id: str | None) -> Mapping[str, Any]:
        """Write an error in the view's dialect."""
        return error_body(error)

    @property
    def allowed_methods(self) -> list[str]:
        """The methods that have a handler. No OPTIONS: other sites' pages do not call the gateway."""
        return [method for method, name in _HANDLERS.items() if hasattr(self, name)]


def json_response(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Write an answer as JSON; ``body`` must already hold text for amounts."""
    return HttpResponse(
        json_bytes(body), status=status, content_type="application/json", headers=headers
    )

"""``/v1``: the endpoints that applications call, in OpenAI's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from budgets.core import clock
from budgets.core.errors import DomainError
from budgets.core.money import ZERO_USD, usd_text
from budgets.holds.refusals import IdempotencyDone, ModelNotAllowed, resets_at
from budgets.http.async_view import AsyncAPIView, json_response
from budgets.http.errors import NotFound
from budgets.http.headers import Headers
from budgets.tenancy.callers import Caller
from tracking.gateway import answers, operations, stream
from tracking.gateway.caching.calls import Answer, caching_of, from_cache
from tracking.gateway.choices import targets_of
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.table import CHAT_COMPLETIONS, dialect_at
from tracking.gateway.operations import Admitted, Charged, Found, Inquiry
from tracking.gateway.routes import Alias
from tracking.gateway.runtime import Runtime, runtime
from tracking.gateway.sending import Whole
from tracking.pricing.book import PriceBook


class Calls(AsyncAPIView):
    """POST: a call to a model, at whichever endpoint the address stands for."""

    endpoint: Endpoint[Any] = CHAT_COMPLETIONS

    async def post(self, request: HttpRequest) -> HttpResponseBase:
        """Find, hold, send, settle, answer."""
        work = await runtime()
        inquiry = Inquiry(Headers.of(request), request.body, clock.now())
        found = await operations.find(work, endpoint=self.endpoint, inquiry=inquiry)
        caching = caching_of(found=found, inquiry=inquiry)
        try:
            hit = caching and await from_cache(work, found=found, inquiry=inquiry, caching=caching)
            if hit:
                return _answered(hit.admitted, hit.answer, cache="hit")
            admitted = await operations.hold(work, found=found, inquiry=inquiry)
        except IdempotencyDone as repeated:
            return await _answer_again(work, found=found, repeated=repeated, now=inquiry.now)
        if found.request.is_streamed:
            return await self._streamed(stream.Relay(work, admitted, caching))
        return await self._whole(Whole(work, admitted, caching))

    async def _whole(self, whole: Whole) -> HttpResponse:
        try:
            answer = await whole.answer()
        except DomainError as error:
            return self.error_response(error, request_id=str(whole.admitted.call.request_id))
        return _answered(whole.admitted, answer, cache="miss" if whole.is_cached else "")

    async def _streamed(self, relay: stream.Relay) -> HttpResponseBase:
        try:
            await relay.begin()
        except DomainError as error:
            return self.error_response(error, request_id=str(relay.admitted.call.request_id))
        headers = {
            **_headers(relay.admitted),
            **({"x-cache": "miss"} if relay.is_cached else {}),
            "Cache-Control": "no-cache",
            "X-Accel-Buffering": "no",
        }
        return StreamingHttpResponse(relay, content_type="text/event-stream", headers=headers)

    def error_body(self, error: DomainError, *, request_id: str | None) -> Mapping[str, Any]:
        """Write an error in the endpoint's dialect."""
        return self.endpoint.error(error, request_id=request_id)


class Models(AsyncAPIView):
    """GET /v1/models: what this key may call, with prices."""

    async def get(self, request: HttpRequest, name: str | None = None) -> HttpResponse:
        """List the models, or tell one."""
        now = clock.now()
        work = await runtime()
        caller = await work.callers.find(
            authorization=request.headers.get("Authorization"), now=now
        )
        book = await work.book(now=now)
        providers = await work.routes.names(organization_id=caller.organization_id)
        if name is None:
            told = answers.model_list(book=book, caller=caller, providers=providers, now=now)
            told["data"] = await self._aliases(work, caller, book, now) + told["data"]
            return json_response(told)
        alias = await work.routes.alias(name=name, organization_id=caller.organization_id)
        if alias is not None:
            return json_response(await _alias_told(work, alias, book=book, caller=caller, now=now))
        model = book.price_at(
            name=name, at=now, organization_id=caller.organization_id, plan=caller.plan
        )
        if not caller.may_call(model.name):
            raise ModelNotAllowed(model=model.name)
        return json_response(answers.model_told(model))

    async def _aliases(
        self, work: Runtime, caller: Caller, book: PriceBook, now: datetime
    ) -> list[dict[str, Any]]:
        """Tell the aliases that stand for something that the caller may call."""
        told = []
        for alias in await work.routes.aliases(organization_id=caller.organization_id):
            try:
                told.append(await _alias_told(work, alias, book=book, caller=caller, now=now))
            except DomainError:
                continue
        return told


async def _alias_told(
    work: Runtime, alias: Alias, *, book: PriceBook, caller: Caller, now: datetime
) -> dict[str, Any]:
    targets = await targets_of(work, alias=alias, book=book, caller=caller, now=now)
    return answers.alias_told(alias.name, [target.model for target in targets])


class Key(AsyncAPIView):
    """GET /v1/key: the key's own limits, and what it has used."""

    async def get(self, request: HttpRequest) -> HttpResponse:
        """Tell every budget that applies to the key, tightest first."""
        now = clock.now()
        work = await runtime()
        caller = await work.callers.find(
            authorization=request.headers.get("Authorization"), now=now
        )
        return json_response(await answers.key_told(reader=work.reader, caller=caller, now=now))


class Nowhere(AsyncAPIView):
    """Every other address under /v1, told in the dialect that is spoken there."""

    async def dispatch(  # type: ignore[override]  # Async, as in the class above.
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Answer 404 in the documented shape."""
        return self.error_response(NotFound(f"There is nothing at {request.path}."))

    def error_body(self, error: DomainError, *, request_id: str | None) -> Mapping[str, Any]:
        """Write an error in the dialect of the address."""
        return dialect_at(self.request.path).error(error, request_id=request_id)


def _answered(admitted: Admitted, answer: Answer, *, cache: str) -> HttpResponse:
    headers = _headers(admitted, charged=answer.charged)
    if cache:
        headers["x-cache"] = cache
    return HttpResponse(
        answer.reply.content, content_type=answer.reply.content_type, headers=headers
    )


async def _answer_again(
    work: Runtime, *, found: Found, repeated: IdempotencyDone, now: datetime
) -> HttpResponse:
    """Give the answer that the first request was given; it costs nothing more."""
    stored = await operations.answered_before(work, found=found, repeated=repeated, now=now)
    if stored is None:
        raise repeated
    headers = {
        "Idempotent-Replayed": "true",
        "x-request-id": repeated.details["first_request_id"],
        "x-cost-usd": usd_text(ZERO_USD),
    }
    return HttpResponse(stored.body, content_type=stored.content_type, headers=headers)


def _headers(admitted: Admitted, *, charged: Charged | None = None) -> dict[str, str]:
    """Write what the response tells about the call in headers."""
    call = admitted.call
    headers = {"x-request-id": str(call.request_id), "x-model": call.model.name}
    preferred = admitted.found.choice.preferred
    if call.model.name != preferred:
        headers["x-fallback-from"] = answers.header_text(preferred)
    if call.is_fitted:
        headers["x-max-tokens-fitted"] = str(call.output_cap_tokens)
    headers |= answers.rate_headers(
        admitted.rates, zone=admitted.found.caller.zone, now=admitted.inquiry.now
    )
    if charged is None:
        return headers
    headers["x-cost-usd"] = headers["x-litellm-response-cost"] = usd_text(charged.cost_usd)
    if charged.balance is not None:
        headers["x-budget-name"] = answers.header_text(charged.balance.name)
        headers["x-budget-left-usd"] = usd_text(charged.balance.left)
        ends_at = resets_at(
            charged.balance, zone=admitted.found.caller.zone, now=admitted.inquiry.now
        )
        if ends_at is not None:
            headers["x-budget-resets-at"] = ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return headers

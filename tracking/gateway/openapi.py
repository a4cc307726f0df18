"""``/v1`` as the OpenAPI document tells it.

Made of what serves it: the bodies' own shapes, the endpoints' table, and the one table of errors. So
an endpoint that is added is told of, and nothing is that is not there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from budgets.http.errors import HTTP_ANSWERS
from budgets.plans.terms import MOST_CACHE_TTL_S
from tracking.gateway import attribution, repeats
from tracking.gateway.caching.rules import TTL_HEADER
from tracking.gateway.endpoints import table
from tracking.gateway.endpoints.endpoint import Endpoint

Schema = dict[str, Any]

_JSON, _EVENTS = "application/json", "text/event-stream"
_TAG = "gateway"

# What any request under /v1 can be refused with ...
ANY_CODES = (
    "invalid_api_key",
    "request_too_large",
    "unsupported_encoding",
    "internal_error",
    "ledger_unavailable",
)
MODEL_CODES = ("model_not_allowed", "model_not_found", "model_not_priced")
# ... and what a call to a model can be, beside.
CALL_CODES = (
    *ANY_CODES,
    *MODEL_CODES,
    "invalid_request",
    "invalid_json",
    "invalid_type",
    "unknown_parameter",
    "unsupported_parameter",
    "value_out_of_range",
    "max_tokens_exceeded",
    "context_length_exceeded",
    "tags_missing",
    "provider_refused",
    "organization_suspended",
    "project_archived",
    "conflict",
    "idempotency_in_flight",
    "idempotency_result_not_stored",
    "idempotency_mismatch",
    "budget_exceeded",
    "request_exceeds_budget",
    "budget_in_flight",
    "rate_limit_exceeded",
    "request_exceeds_rate_limit",
    "provider_rate_limited",
    "provider_error",
    "provider_auth_failed",
    "provider_unavailable",
    "provider_not_configured",
    "timeout",
)

_USD = {"type": "string", "pattern": r"^-?\d+\.\d{12}$"}
_TEXT = {"type": "string"}
_COUNT = {"type": "string", "pattern": r"^-?\d+$"}
_INSTANT = {"type": "string", "format": "date-time"}
_FLAG = {"type": "string", "enum": ["true", "false"]}

# Headers of an answer, by name: what they tell, and in which form.
_TOLD_HEADERS: Mapping[str, tuple[str, Schema]] = {
    "x-request-id": ("The call's id in the ledger.", _TEXT),
    "x-model": ("The model that answered.", _TEXT),
    "x-fallback-from": ("The model that would have been first, where another answered.", _TEXT),
    "x-max-tokens-fitted": ("The output cap, where it was lowered to fit a budget.", _COUNT),
    "x-cost-usd": ("What the call cost. Streams tell it in their usage.", _USD),
    "x-litellm-response-cost": ("The same.", _USD),
    "x-budget-name": ("The budget that has least left.", _TEXT),
    "x-budget-left-usd": ("What is left of it.", _USD),
    "x-budget-resets-at": ("When its window ends.", _INSTANT),
    **{
        f"x-ratelimit-{what}-{unit}": (f"{told} of the tightest limit of {unit}.", form)
        for unit in ("requests", "tokens")
        for what, told, form in (
            ("limit", "The limit", _COUNT),
            ("remaining", "What is left", _COUNT),
            ("reset", "When the window ends, in seconds,", _TEXT),
        )
    },
    "x-cache": (
        "Whether the cache answered, where it was in play.",
        {"type": "string", "enum": ["hit", "miss"]},
    ),
    "Idempotent-Replayed": ("true where a named request is answered again.", _FLAG),
}
_REFUSED_HEADERS: Mapping[str, tuple[str, Schema]] = {
    "x-request-id": ("The call's id, where one was admitted.", _TEXT),
    "x-should-retry": ("Whether sending it again can help.", _FLAG),
    "Retry-After": ("In how many seconds, where that is known.", _COUNT),
}
# Headers of a request, by name.
_ASKED_HEADERS: Mapping[str, tuple[str, Schema]] = {
    repeats.HEADER: (
        "Names the request: sent again within a day it is not charged again.",
        {"type": "string", "pattern": r"^[!-~]([ -~]{0,253}[!-~])?$"},
    ),
    "Cache-Control": ("no-cache: answer anew. no-store: keep nothing either.", _TEXT),
    TTL_HEADER: (
        "Keep this answer in the cache for so many seconds.",
        {"type": "integer", "minimum": 0, "maximum": MOST_CACHE_TTL_S},
    ),
    attribution.TAG_HEADERS[0]: ("Tags, separated by commas.", _TEXT),
    attribution.SESSION_HEADERS[0]: ("The run of calls that this one belongs to.", _TEXT),
    attribution.END_USER_HEADERS[0]: ("Whom the call is made for.", _TEXT),
}


def paths() -> dict[str, Any]:
    """Describe every address under ``/v1`` that serves something."""
    return {
        **{_address(endpoint): {"post": _call(endpoint)} for endpoint in table.ENDPOINTS},
        "/v1/models": {
            "get": _reading("models", "List the models that the key may call.", "ModelList")
        },
        "/v1/models/{model}": {
            "get": {
                **_reading("model", "Tell one model, or an alias.", "Model", MODEL_CODES),
                "parameters": [
                    {"name": "model", "in": "path", "required": True, "schema": _TEXT},
                ],
            }
        },
        "/v1/key": {"get": _reading("key", "Tell the key's own limits and usage.", "Key")},
    }


def components() -> dict[str, Any]:
    """Give the schemas and the security scheme that ``paths`` refers to."""
    schemas: dict[str, Any] = {}
    for endpoint in table.ENDPOINTS:
        schemas |= _schemas_of(endpoint.shape, mode="validation")
        if endpoint.told_as is not None:
            schemas |= _schemas_of(endpoint.told_as, mode="serialization")
    return {
        "schemas": {**schemas, **_OWN_SCHEMAS},
        "securitySchemes": {
            "anthropicKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
        },
    }


def _address(endpoint: Endpoint[Any]) -> str:
    return f"/v1/{endpoint.name.replace('.', '/')}"


def _call(endpoint: Endpoint[Any]) -> Schema:
    has_own_dialect = endpoint is table.MESSAGES
    return {
        "operationId": endpoint.name.replace(".", "_"),
        "summary": (type(endpoint).__doc__ or "").strip().splitlines()[0],
        "tags": [_TAG],
        "security": [{"apiKey": []}, *([{"anthropicKey": []}] if has_own_dialect else [])],
        "parameters": [
            {"name": name, "in": "header", "description": told, "schema": schema}
            for name, (told, schema) in _ASKED_HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {endpoint.taken_as: {"schema": _ref(endpoint.shape.__name__)}},
        },
        "responses": {
            "200": {
                "description": "The answer, once its charge is durable.",
                "headers": _headers(_TOLD_HEADERS, required=("x-request-id",)),
                "content": _told(endpoint),
            },
            **_refusals(CALL_CODES, shape="MessagesError" if has_own_dialect else "Error"),
        },
    }


def _told(endpoint: Endpoint[Any]) -> Schema:
    content: Schema = {}
    if endpoint.told_as is not None:
        content[_JSON] = {"schema": _ref(endpoint.told_as.__name__)}
    if "stream" in endpoint.shape.model_fields:
        content[_EVENTS] = {"schema": _ref("Event")}
    return content | {form: {"schema": _TEXT} for form in endpoint.other_forms}


def _reading(name: str, summary: str, answer: str, codes: Iterable[str] = ()) -> Schema:
    return {
        "operationId": name,
        "summary": summary,
        "tags": [_TAG],
        "security": [{"apiKey": []}],
        "responses": {
            "200": {"description": summary, "content": {_JSON: {"schema": _ref(answer)}}},
            **_refusals((*ANY_CODES, *codes), shape="Error"),
        },
    }


def _refusals(codes: Iterable[str], *, shape: str) -> Schema:
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in codes:
        by_status[HTTP_ANSWERS[code].status].append(code)
    return {
        str(status): _refusal(status, of_status, shape=shape)
        for status, of_status in sorted(by_status.items())
    }


def _refusal(status: int, codes: list[str], *, shape: str) -> Schema:
    narrowed = {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
    told = dict(_REFUSED_HEADERS)
    if status == HTTP_ANSWERS["invalid_api_key"].status:
        told["WWW-Authenticate"] = ("How a key is sent.", _TEXT)
    return {
        "description": ", ".join(codes),
        "headers": _headers(told),
        "content": {_JSON: {"schema": {"allOf": [_ref(shape), narrowed]}}},
    }


def _headers(told: Mapping[str, tuple[str, Schema]], *, required: tuple[str, ...] = ()) -> Schema:
    return {
        name: {"description": text, "schema": schema, "required": name in required}
        for name, (text, schema) in told.items()
    }


def _schemas_of(shape: type[BaseModel], *, mode: Any) -> dict[str, Any]:
    """Give a shape's schema and those within it, each under a name that no other shape has."""
    name = shape.__name__
    schema = shape.model_json_schema(
        mode=mode, ref_template=f"#/components/schemas/{name}.{{model}}"
    )
    inner = schema.pop("$defs", {})
    return {name: schema, **{f"{name}.{of}": within for of, within in inner.items()}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(told: str, *, optional: Iterable[str] = (), **properties: Schema) -> Schema:
    return {
        "type": "object",
        "description": told,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


_ERROR = _object(
    "What went wrong, for people and for programs; beside it what the error knows.",
    message=_TEXT,
    type={"type": "string"},
    param={"type": ["string", "null"], "description": "The place in the body."},
    code={"type": "string"},
)
_MODEL = _object(
    "A model that can be called. Rates are US dollars for one unit.",
    id=_TEXT,
    object={"const": "model"},
    created={"type": "integer"},
    owned_by=_TEXT,
    mode=_TEXT,
    context_window={"type": ["integer", "null"]},
    max_output_tokens={"type": ["integer", "null"]},
    capabilities={"type": "array", "items": _TEXT},
    pricing={"type": "object"},
    stands_for={"type": "array", "items": _TEXT, "description": "Of an alias: its models."},
    optional=("stands_for",),
)
_MONEY = {"anyOf": [_USD, {"type": "null"}]}
_OWN_SCHEMAS: Mapping[str, Schema] = {
    "Error": _object("An error, as OpenAI tells it.", error=_ERROR),
    "MessagesError": _object(
        "An error, as Anthropic tells it.",
        type={"const": "error"},
        error=_ERROR,
        request_id=_TEXT,
        optional=("request_id",),
    ),
    "Event": _object(
        "One of the server-sent events that come where the body says `stream: true`. An error in"
        " mid-stream is one, in the documented shape.",
        event=_TEXT,
        data={"type": "string", "description": "JSON, or [DONE] at the end of OpenAI's own."},
        optional=("event",),
    ),
    "Model": _MODEL,
    "ModelList": _object(
        "Models.", object={"const": "list"}, data={"type": "array", "items": _ref("Model")}
    ),
    "Key": _object(
        "A key's limits, first those of the dollar budget that has least left, and its usage.",
        object={"const": "key"},
        name=_TEXT,
        organization=_TEXT,
        plan=_TEXT,
        limit_usd=_MONEY,
        spent_usd=_MONEY,
        held_usd=_MONEY,
        left_usd=_MONEY,
        resets_at={"anyOf": [_INSTANT, {"type": "null"}]},
        budgets={"type": "array", "items": {"type": "object"}},
        usage=_object("Spent so far.", today_usd=_USD, week_usd=_USD, month_usd=_USD),
        time_zone=_TEXT,
    ),
}

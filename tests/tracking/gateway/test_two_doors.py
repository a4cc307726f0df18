"""Whichever door a call takes, its client is told the same, and the ledger too.

What the two may differ in is how empty fields are told, since the library leaves them out, and in
what it loses on the way.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import tenants
from tests.fakes.upstream import USAGE, Script, Upstream
from tests.serving import Site, eventually
from tests.tenants import BY_LIBRARY, MODEL, Tenant
from tests.tracking.gateway.calls import PATH, body, events

TOOL_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Ghent"}'},
}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
DETAILED = {
    "prompt_tokens": 100,
    "completion_tokens": 40,
    "total_tokens": 140,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 24, "audio_tokens": 0},
}


def stream_of(*bodies: dict[str, Any] | str) -> bytes:
    """Write a stream of events; a text stands for an event's data as it is."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in bodies]
    return b"".join(f"data: {text}\n\n".encode() for text in texts)


def chunk(
    delta: dict[str, Any] | None, finish_reason: str | None = None, index: int = 0, **more: Any
) -> dict[str, Any]:
    """Write a chunk; None for one without choices."""
    choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-upstream",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "plain",
        "choices": [] if delta is None else [choice],
        **more,
    }


def streamed(*bodies: dict[str, Any] | str, ends: bool = True) -> Script:
    """Script a stream of chunks."""
    raw = stream_of(*bodies, *(["[DONE]"] if ends else []))
    return Script(raw=raw, content_type="text/event-stream")


WHOLE: dict[str, tuple[Script, dict[str, Any]]] = {
    "plain": (Script(), {}),
    "without usage": (Script(usage=None), {}),
    "usage of zeros": (Script(usage={"prompt_tokens": 0, "completion_tokens": 0}), {}),
    "cached and reasoning tokens": (Script(usage=DETAILED), {}),
    "two choices": (Script(), {"n": 2}),
    "a tool call": (
        Script(
            message={"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]},
        ),
        {"tools": TOOLS},
    ),
    "reasoning": (
        Script(
            message={"role": "assistant", "content": "42", "reasoning_content": "Six by seven."}
        ),
        {},
    ),
    "a refusal": (
        Script(message={"role": "assistant", "content": None, "refusal": "I must not."}),
        {},
    ),
    "HTML": (Script(raw=b"<html>Bad gateway</html>", content_type="text/html"), {}),
    "half a JSON": (Script(raw=b'{"choices": ['), {}),
    "no choices": (Script(raw=b'{"id": "c", "object": "chat.completion", "choices": []}'), {}),
    "a list": (Script(raw=b"[1, 2]"), {}),
    "broken off": (Script(breaks=True), {}),
    "too long for the model": (
        Script(
            status=400,
            body={"error": {"message": "too long", "code": "context_length_exceeded"}},
        ),
        {},
    ),
    "an error in another shape": (Script(status=422, body={"detail": "no such thing"}), {}),
    **{
        f"status {status}": (Script(status=status), {})
        for status in (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529)
    },
}
STREAMED: dict[str, tuple[Script, dict[str, Any]]] = {
    "plain": (Script(), {}),
    "without usage": (Script(usage=None), {}),
    "cached and reasoning tokens": (Script(usage=DETAILED), {}),
    "usage twice": (
        streamed(
            chunk({"role": "assistant", "content": "one "}, usage=USAGE | {"completion_tokens": 1}),
            chunk({"content": "two "}),
            chunk({}, "stop"),
            chunk(None, usage=USAGE),
        ),
        {},
    ),
    "usage with the last choice": (
        streamed(chunk({"role": "assistant", "content": "one "}), chunk({}, "stop", usage=USAGE)),
        {},
    ),
    "empty usage in each chunk": (
        streamed(
            chunk({"role": "assistant", "content": "one "}, usage=None),
            chunk({"content": "two "}, usage=None),
            chunk({}, "length", usage=None),
            chunk(None, usage=USAGE),
        ),
        {},
    ),
    "two choices": (
        streamed(
            chunk({"role": "assistant", "content": "one "}),
            chunk({"role": "assistant", "content": "uno "}, index=1),
            chunk({}, "stop"),
            chunk({}, "stop", index=1),
            chunk(None, usage=USAGE),
        ),
        {"n": 2},
    ),
    "a tool call": (
        streamed(
            chunk({"role": "assistant", "tool_calls": [{"index": 0, **TOOL_CALL}]}),
            chunk({}, "tool_calls"),
            chunk(None, usage=USAGE),
        ),
        {"tools": TOOLS},
    ),
    "reasoning": (
        streamed(
            chunk({"role": "assistant", "reasoning_content": "Six by seven."}),
            chunk({"content": "42"}),
            chunk({}, "stop"),
            chunk(None, usage=DETAILED),
        ),
        {},
    ),
    "without the word that ends it": (
        streamed(
            chunk({"role": "assistant", "content": "one "}),
            chunk({}, "stop"),
            chunk(None, usage=USAGE),
            ends=False,
        ),
        {},
    ),
    "an error before anything": (streamed({"error": {"message": "overloaded", "code": 529}}), {}),
    "an error in the middle": (
        streamed(
            chunk({"role": "assistant", "content": "one "}),
            {"error": {"message": "overloaded", "code": 529}},
        ),
        {},
    ),
    "broken off before anything": (Script(breaks_after=0), {}),
    "broken off in the middle": (Script(breaks_after=3), {}),
    "nothing at all": (streamed(), {}),
    **{
        f"status {status}": (Script(status=status), {}) for status in (400, 401, 404, 429, 500, 503)
    },
}
CASES = [
    pytest.param(script, more, is_streamed, id=f"{name}, {'streamed' if is_streamed else 'whole'}")
    for is_streamed, cases in ((False, WHOLE), (True, STREAMED))
    for name, (script, more) in cases.items()
]
# Words that only the wire passes on: a refusal, and why every choice but the first ended.
LOST_BY_LIBRARY = ("a refusal, whole", "two choices, streamed")
RECORDED = (
    "outcome",
    "usage_source",
    "status",
    "error_code",
    "is_streamed",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "lines",
    "cost_usd",
    "finish_reason",
    "provider_request_id",
)


@pytest.mark.parametrize(("script", "more", "is_streamed"), CASES)
def test_both_doors_tell_and_record_the_same(
    site: Site,
    upstream: Upstream,
    script: Script,
    more: dict[str, Any],
    is_streamed: bool,
    request: pytest.FixtureRequest,
) -> None:
    upstream.script = script

    by_wire = seen(site, tenants.tenant(), model=MODEL, is_streamed=is_streamed, **more)
    by_library = seen(site, tenants.tenant(), model=BY_LIBRARY, is_streamed=is_streamed, **more)

    if request.node.callspec.id in LOST_BY_LIBRARY:
        assert by_wire.pop("said") != by_library.pop("said")
    assert by_wire == by_library
    wired, through_library = upstream.requests
    assert wired == through_library, "both send the same"


def test_the_wire_takes_nonsense_in_the_middle_for_a_broken_answer(
    site: Site, upstream: Upstream
) -> None:
    """The library ends such a stream as if it had been whole."""
    upstream.script = streamed(chunk({"content": "one "}), '{"choices": [')
    alice = tenants.tenant()

    told = seen(site, alice, model=MODEL, is_streamed=True)

    assert told["said"]["choices"] == {0: {"content": "one "}}
    assert told["said"]["error"]["code"] == "provider_error"
    (record,) = told["records"]
    assert (told["kind"], record["outcome"], record["usage_source"]) == (
        "estimate",
        "interrupted",
        "counted",
    )


def seen(site: Site, tenant: Tenant, *, model: str, **asked: Any) -> dict[str, Any]:
    """Make a call, and give what its client and the ledger were told of it."""
    provider = model.partition("/")[0]
    with site.client(tenant.text) as client:
        response = client.post(PATH, json=body(model=model, **asked))
    eventually(lambda: not tenant.holds())
    entry = tenant.journal()[-1]
    records = [{name: getattr(one, name) for name in RECORDED} for one in tenant.records()]
    return {
        "status": response.status_code,
        "said": said(response.text.replace(provider, "the provider"), response.headers),
        "kind": entry.kind,
        "usd": entry.amount_usd,
        "records": records,
    }


def said(text: str, headers: Any) -> Any:
    """Give what an answer says: what its client puts together from it."""
    if headers["content-type"] != "text/event-stream":
        read = json.loads(text)
        return without_empty({name: read.get(name) for name in ("choices", "usage", "error")})
    *told, last = events(text)
    choices: dict[int, dict[str, Any]] = {}
    usage = error = None
    for event in told:
        usage, error = event.get("usage") or usage, event.get("error") or error
        for choice in event.get("choices", ()):
            put_together(choices.setdefault(choice["index"], {}), choice)
    return without_empty({"choices": choices, "usage": usage, "error": error, "last": last})


def put_together(choice: dict[str, Any], part: dict[str, Any]) -> None:
    """Add a chunk's part of a choice to what came of it before."""
    for name, value in without_empty(part["delta"]).items():
        if name == "role":
            choice[name] = value
        else:
            choice[name] = choice[name] + value if name in choice else value
    choice["finish_reason"] = part["finish_reason"] or choice.get("finish_reason")


def without_empty(value: Any) -> Any:
    """Leave out what says nothing, and what tells one call or door from another."""
    if isinstance(value, dict):
        kept = {name: without_empty(one) for name, one in value.items() if name not in IGNORED}
        return {name: one for name, one in kept.items() if one not in (None, {}, [], "", 0)}
    return [without_empty(one) for one in value] if isinstance(value, list) else value


# The last is the library's own addition.
IGNORED = ("provider", "index", "text_tokens")

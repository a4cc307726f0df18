"""The door for every provider: the only module that calls litellm, beside the demo provider it loads.

Retries, prices, callbacks and fallbacks of the library stay off: an attempt is one attempt, and
accounting is done where the answer is.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Any

import httpx

from budgets.http.outbound import AddressRefused
from tracking.gateway import failures
from tracking.gateway.doors import sessions
from tracking.gateway.doors.call import ESSENTIAL, ProviderCall, Reply, Route, is_sound
from tracking.gateway.doors.statuses import failure_of_status, failure_told, message_of, retry_after


class _Library:
    """The provider library: None until it is loaded."""

    loaded: Any = None
    turn = threading.Lock()


# What the library calls the sending of each endpoint.
_FUNCTIONS = {
    "chat.completions": "acompletion",
    "completions": "atext_completion",
    "embeddings": "aembedding",
    "moderations": "amoderation",
    "rerank": "arerank",
    "images.generations": "aimage_generation",
    "audio.transcriptions": "atranscription",
    "audio.speech": "aspeech",
}
# The library hands nothing that these dialects name to a provider of one's own, only other names.
_OWN_NAMES = {
    "embeddings": ("dimensions", "vector_length"),
    "images.generations": ("n", "pictures"),
}
# What it calls a server of OpenAI's dialect, where that is not "openai".
_COMPATIBLE = {"chat.completions": "hosted_vllm", "rerank": "hosted_vllm"}
_COMPATIBLE |= {"completions": "text-completion-openai"}


def arguments_of(call: ProviderCall, *, is_streamed: bool) -> dict[str, Any]:
    """Give the library's arguments; nothing in them comes from a caller unnamed."""
    route = call.route
    arguments: dict[str, Any] = {
        **_with_only_allowed_tools(call.parameters),
        "model": _model(call),
        "timeout": httpx.Timeout(
            call.timeout_s, connect=min(call.connect_timeout_s, call.timeout_s)
        ),
        "max_retries": 0,
        "num_retries": 0,
    }
    if call.endpoint == "chat.completions":
        # Else tools that name a tool server would be run here, and their mere presence would
        # load packages that only that needs.
        arguments["_skip_mcp_handler"] = True
    if route.kind == "openai_compatible" and call.endpoint in ("chat.completions", "embeddings"):
        # Such a server knows better than the library's list what it takes.
        arguments["allowed_openai_params"] = sorted(call.parameters)
    if route.kind == "demo" and call.endpoint in _OWN_NAMES:
        name, own_name = _OWN_NAMES[call.endpoint]
        arguments[own_name] = arguments.pop(name, None)
    if is_streamed:
        # Never left to a default: without it usage would be guessed, and nobody would say so.
        arguments |= {"stream": True, "stream_options": {"include_usage": True}}
    if route.base_url:
        address = route.base_url
        if route.kind == "anthropic_compatible":
            address = address.removesuffix("/v1")  # The library adds it there.
        arguments |= {"api_base": address, "api_key": route.key or "none"}
    elif route.key:
        arguments["api_key"] = route.key
    return arguments


def _model(call: ProviderCall) -> str:
    """Name the model so that the library sends it to the endpoint of that name."""
    if call.route.kind != "openai_compatible":
        return call.route.model
    family = _COMPATIBLE.get(call.endpoint, "openai")
    return f"{family}/{call.route.model.removeprefix('hosted_vllm/')}"


def _with_only_allowed_tools(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Describe only the tools that may be called: the library takes no choice among them."""
    choice = parameters.get("tool_choice")
    if not isinstance(choice, dict) or "allowed_tools" not in choice:
        return parameters
    allowed = choice["allowed_tools"]
    names = {(tool["type"], tool[tool["type"]]["name"]) for tool in allowed["tools"]}
    tools = [
        tool
        for tool in parameters.get("tools", ())
        if (tool["type"], tool[tool["type"]]["name"]) in names
    ]
    return {**parameters, "tools": tools, "tool_choice": allowed["mode"]}


def load() -> Any:
    """Import and set up litellm, once a process: seconds of CPU, so do it before the first call."""
    with _Library.turn:
        if _Library.loaded is None:
            os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
            os.environ["LITELLM_MODE"] = "PRODUCTION"
            import litellm

            from tracking.gateway.demo import demo_handler

            for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
                # It logs every call at INFO, through a handler of its own beside the site's.
                logging.getLogger(name).setLevel(logging.WARNING)
                logging.getLogger(name).handlers.clear()
            litellm.disable_hf_tokenizer_download = True
            litellm.disable_streaming_logging = True
            litellm.turn_off_message_logging = True
            litellm.suppress_debug_info = True
            litellm.telemetry = False
            # Some providers are given an image itself where the caller gave an address, which the
            # library then fetches: never from this site's own network.
            litellm.user_url_validation = True
            # Else all but three providers are given one time for everything, connecting included.
            vars(importlib.import_module("litellm.main"))["supports_httpx_timeout"] = lambda _: True
            litellm.custom_provider_map = [{"provider": "demo", "custom_handler": demo_handler()}]
            _warm(litellm)
            _Library.loaded = litellm
    return _Library.loaded


def _warm(library: Any) -> None:
    """Make a call that goes nowhere, for the library puts much of its loading off until then.

    It would stop the whole process for a second or two when the first caller waits. The tokenizer,
    which takes a hundred megabytes, is left until a provider reports no usage: few ever do that.
    """
    importlib.import_module("openai.resources.chat")
    said = [{"role": "user", "content": "warm"}]
    library.completion(
        model="openai/gpt-4o-mini", messages=said, mock_response="warm", api_key="none"
    )


def is_loaded() -> bool:
    """Tell whether the first call would go out at once."""
    return _Library.loaded is not None


async def close() -> None:
    """Close the connections that are kept open to providers for the next calls."""
    if _Library.loaded is not None:
        from litellm.llms.custom_httpx import async_client_cleanup

        await async_client_cleanup.close_litellm_async_clients()  # type: ignore[no-untyped-call]
        _Library.loaded.in_memory_llm_clients_cache.flush_cache()


async def send(call: ProviderCall) -> Reply:
    """Send a call and give its whole answer."""
    library = _Library.loaded or await asyncio.to_thread(load)
    function = getattr(library, _FUNCTIONS[call.endpoint])
    try:
        async with asyncio.timeout(call.timeout_s):
            await _judge(call.route)
            answer = await function(**arguments_of(call, is_streamed=False))
    except Exception as error:  # The door: what the library raises stops here.
        raise _failure(error, call.route, was_begun=False) from error
    if isinstance(getattr(answer, "content", None), bytes):
        return _sound(answer, call.route)
    plain = _plain(answer)
    essential = plain.get(ESSENTIAL[call.endpoint])
    if essential is None or essential == []:
        raise failures.ProviderInterrupted(provider=call.route.provider)
    return Reply(plain)


def _sound(answer: Any, route: Route) -> Reply:
    kind = answer.response.headers.get("content-type") or "application/octet-stream"
    if not is_sound(kind):
        raise failures.ProviderInterrupted(provider=route.provider)
    return Reply({}, content=answer.content, content_type=kind)


async def _judge(route: Route) -> None:
    """Refuse an address that must not be called; the library connects by itself."""
    if route.base_url:
        await sessions.judge(route.base_url)


def try_out(call: ProviderCall) -> None:
    """Make a chat completion from a thread that serves no calls, only to see whether it works.

    :raises ProviderFailure: saying what did not go well
    """
    try:
        load().completion(**arguments_of(call, is_streamed=False))
    except Exception as error:  # The door: what the library raises stops here.
        raise _failure(error, call.route, was_begun=False) from error


async def stream(call: ProviderCall) -> AsyncGenerator[dict[str, Any], None]:
    """Send a call and give the events of its answer as they come.

    The last chunk of a chat carries ``usage`` if the provider reports it.
    """
    library = _Library.loaded or await asyncio.to_thread(load)
    function = getattr(library, _FUNCTIONS[call.endpoint])
    now = asyncio.get_running_loop().time
    until = now() + call.timeout_s
    first_until = min(until, now() + call.first_byte_timeout_s)
    answer: Any = None
    was_begun = False
    try:
        async with asyncio.timeout_at(first_until):
            await _judge(call.route)
            answer = await function(**arguments_of(call, is_streamed=True))
        chunks = aiter(answer)
        chunk = await _next(chunks, first_until)
        while chunk is not None:
            was_begun = True
            plain = _plain(chunk)
            if "usage" in plain and not _was_reported(_innermost(answer)):
                del plain["usage"]  # The library guesses where the provider says nothing.
            yield plain
            if now() > until:
                raise TimeoutError  # Else no deadline would ever end a slow reading of what came fast.
            chunk = await _next(chunks, min(until, now() + call.idle_timeout_s))
    except Exception as error:  # The door: what the library raises stops here.
        raise _failure(error, call.route, was_begun=was_begun) from error
    finally:
        if answer is not None:
            with contextlib.suppress(Exception):
                await answer.aclose()


async def count_tokens(*, model: str, text: str) -> int:
    """Count a text's tokens with the tokenizer that the library bundles for the model, or a near one."""
    library = _Library.loaded or await asyncio.to_thread(load)
    return int(await asyncio.to_thread(library.token_counter, model=model, text=text))


async def _next(chunks: AsyncIterator[Any], until: float) -> Any:
    """Wait for the next chunk; None after the last.

    The deadline stands around each wait and not around the loop: it would cancel whoever reads
    the chunks while they are doing something else.
    """
    async with asyncio.timeout_at(until):
        return await anext(chunks, None)


def _was_reported(answer: Any) -> bool:
    """Tell whether any chunk as it came from the provider carried usage."""
    return any(getattr(chunk, "usage", None) for chunk in getattr(answer, "chunks", ()))


def _innermost(answer: Any) -> Any:
    """Find the stream that keeps its chunks as they came.

    That of a completion is passed on by generators, one within the other, each of which has the
    next among its locals. Where it is not found, usage counts as not reported.
    """
    stream = getattr(answer, "completion_stream", None)
    while (frame := getattr(stream, "ag_frame", None)) is not None:
        kept = [
            v for v in frame.f_locals.values() if hasattr(v, "chunks") or hasattr(v, "ag_frame")
        ]
        stream = kept[0] if kept else None
    return stream if hasattr(stream, "chunks") else answer


def _plain(answer: Any) -> dict[str, Any]:
    """Turn the library's object into a dictionary without its empty fields.

    Two are there in every answer of the dialect, empty or not, and typed clients count on them.
    """
    plain: dict[str, Any] = answer.model_dump(exclude_none=True)
    for choice in plain.get("choices", ()):
        choice.setdefault("finish_reason", None)
        if "message" in choice:
            choice["message"].setdefault("content", None)
    return plain


def _failure(error: Exception, route: Route, *, was_begun: bool) -> failures.ProviderFailure:
    details: dict[str, Any] = {"provider": route.provider} | _asked_to_wait(error)
    if isinstance(error, failures.ProviderFailure):
        error.details |= details
        return error
    kind = _failure_class(error, was_begun=was_begun)
    return failure_told(kind, said=_said(error), key=route.key, details=details)


def _failure_class(error: Exception, *, was_begun: bool) -> type[failures.ProviderFailure]:
    """Judge by how far the call had come, and by the status if the provider answered with one."""
    status = None if was_begun else _answered_status(error)
    if isinstance(error, AddressRefused) or (
        status is None and not was_begun and _never_connected(error)
    ):
        return failures.ProviderUnavailable
    if status is None and isinstance(error, (TimeoutError, _Library.loaded.Timeout)):
        return failures.ProviderTimeout
    if was_begun:
        return failures.ProviderInterrupted
    if status is None:
        # The library refuses what it cannot translate before anything is sent.
        is_unsent = isinstance(error, _Library.loaded.BadRequestError)
        return failures.ProviderRefused if is_unsent else failures.ProviderInterrupted
    if isinstance(error, _Library.loaded.ContextWindowExceededError):
        return failures.ContextLengthExceeded
    return failure_of_status(status=status, text=str(error))


def _answered_status(error: BaseException) -> int | None:
    """Find the status of failure that the provider itself answered with; None if it did not."""
    for cause in _causes(error):
        origin = type(cause).__module__.partition(".")[0]
        answer = cause if type(cause).__name__ == "CustomLLMError" else None
        if origin in ("httpx", "openai"):
            # The library's own errors have a response too, made up where there was none: a
            # connection that broke is a 500 there.
            answer = getattr(cause, "response", None)
        status = getattr(answer, "status_code", None)
        if isinstance(status, int) and status >= 400:
            return status
    return None


def _asked_to_wait(error: BaseException) -> dict[str, int]:
    """Read Retry-After of the provider's answer, as a failure's details carry it."""
    for cause in _causes(error):
        headers = getattr(getattr(cause, "response", None), "headers", None) or {}
        if found := retry_after(str(headers.get("retry-after", ""))):
            return found
    return {}


def _never_connected(error: BaseException) -> bool:
    """Tell whether the call surely never reached the provider: no connection was made at all."""
    names = {
        "ClientConnectorError",
        "ClientConnectorDNSError",
        "ClientConnectorCertificateError",
        "ConnectError",
        "ConnectTimeout",
        "ConnectionTimeoutError",
    }
    return any(type(cause).__name__ in names for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        cause = pending.pop()
        if cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            pending += [cause.__cause__, cause.__context__]


def _said(error: Exception) -> str:
    """Find the provider's own words in what the library wraps around them."""
    return message_of(str(error).rpartition("Exception - ")[2])

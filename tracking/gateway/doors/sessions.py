"""Connections to providers, kept for the next calls, and only to addresses that may be called."""

from __future__ import annotations

import asyncio
import socket
import time
from functools import lru_cache
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings

from budgets.http.outbound import NameUnknown, addresses_of, parse, refuse_unless_public

_LISTED = "COSTSITE_PROVIDER_NETWORKS"
# In all, to all providers. More calls wait for a connection, and soon take it for unreachable.
_MOST_CONNECTIONS = 4096
# A name is resolved anew after so long; what it stood for was judged, and is what is connected to.
_NAMES_KEPT_S = 10
_MOST_JUDGED = 4096
_PORTS = {"http": 80, "https": 443}

_judged_until: dict[tuple[str, tuple[object, ...]], float] = {}
_sessions: dict[tuple[asyncio.AbstractEventLoop, str], aiohttp.ClientSession] = {}


def session(base_url: str) -> aiohttp.ClientSession:
    """Give the running loop's client for an address.

    :raises AddressRefused: if the address is written in figures and must not be called
    """
    scheme = _judged(base_url, tuple(settings.COSTSITE_PROVIDER_NETWORKS))
    key = (asyncio.get_running_loop(), scheme)
    found = _sessions.get(key)
    if found is None:
        found = _sessions[key] = _opened(scheme)
    return found


async def close() -> None:
    """Close the running loop's connections."""
    loop = asyncio.get_running_loop()
    for key in [key for key in _sessions if key[0] is loop]:
        await _sessions.pop(key).close()


async def judge(base_url: str) -> None:
    """Refuse an address that must not be called, for what then connects to it by itself.

    :raises AddressRefused: if it is not public, nor in a network that the operator lists
    """
    listed = tuple(settings.COSTSITE_PROVIDER_NETWORKS)
    if _judged_until.get((base_url, listed), 0.0) < time.monotonic():
        parsed = parse(base_url)
        port = parsed.port or _PORTS[parsed.scheme]
        found = await asyncio.to_thread(addresses_of, host=parsed.host, port=port)
        refuse_unless_public(addresses=found, scheme=parsed.scheme, listed=_LISTED)
        if len(_judged_until) >= _MOST_JUDGED:
            _judged_until.clear()
        _judged_until[base_url, listed] = time.monotonic() + _NAMES_KEPT_S


class JudgingResolver(AbstractResolver):
    """Resolves a name once, and refuses it unless all it stands for may be called."""

    def __init__(self, scheme: str) -> None:
        self._scheme = scheme

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give the addresses of a name, in the order in which they should be tried."""
        try:
            found = await asyncio.to_thread(addresses_of, host=host, port=port)
        except NameUnknown as error:
            # What the client library takes for a name that is not known.
            raise OSError(f"there is no machine {host}") from error
        refuse_unless_public(addresses=found, scheme=self._scheme, listed=_LISTED)
        return [_result(host, port, address) for address in found]

    async def close(self) -> None:
        """Nothing is open."""


def _opened(scheme: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=JudgingResolver(scheme), limit=_MOST_CONNECTIONS, ttl_dns_cache=_NAMES_KEPT_S
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "costsite", "Accept-Encoding": "identity"},
        trust_env=False,
    )


@lru_cache(maxsize=4096)
def _judged(base_url: str, _networks: tuple[object, ...]) -> str:
    """Give an address's scheme; one in figures is judged here, since nothing resolves it."""
    parsed = parse(base_url)
    try:
        ip_address(parsed.host)
    except ValueError:
        return parsed.scheme
    refuse_unless_public(addresses=[parsed.host], scheme=parsed.scheme, listed=_LISTED)
    return parsed.scheme


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=family,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )

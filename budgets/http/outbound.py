"""Calls to addresses that people entered: never to a machine of our own network (SSRF).

Such an address is judged twice: when it is saved, so that a person is told, and when it is called,
because by then its name may mean another machine. A name is resolved once, every answer is judged,
and the connection goes to the address that was judged. Redirects are not followed, and no proxy of
the environment is used: it would resolve the name again.

What a client library connects by itself takes ``open_client()``, or a resolver made of
``addresses_of()`` and ``refuse_unless_public()``.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import httpx
from django.conf import settings

from budgets.core.errors import DomainError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_READ_BYTES = 4096
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
# An IPv4 address in IPv6's clothes, for translators at the edge of a network (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")
# Public by number, but answered by the machine's own host: Azure's metadata and health address.
_HOSTS_OWN = IPv4Address("168.63.129.16")


class AddressRefused(DomainError):
    """The address must begin with https://, name a host, hold no password, and be public."""

    code = "address_refused"


class NameUnknown(AddressRefused):
    """There is no machine of that name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered: its status, the beginning of its text, and when it asks again."""

    status: int
    text: str
    retry_after: str


def parse(url: str) -> httpx.URL:
    """Read an address, in the way in which it will be called.

    :raises AddressRefused: if it is no http(s) address with a host and without a password
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise AddressRefused from error
    is_place = _HOST.fullmatch(_host(parsed)) and 0 < _port(parsed, 443) < 65536
    if parsed.scheme not in _PORTS or parsed.userinfo or not is_place:
        raise AddressRefused
    return parsed


def check_url(url: str, *, listed: str = "COSTSITE_OUTBOUND_NETWORKS") -> None:
    """Refuse an address that must not be called; for forms and for the API.

    A name that cannot be resolved at the moment passes: it is judged again at each call. ``listed``
    is the setting that lists the networks of our own which such an address may lie in.

    :raises AddressRefused: if it is not public, or plain http:// outside the operator's networks
    """
    parsed = parse(url)
    try:
        found = addresses_of(host=_host(parsed), port=_port(parsed))
    except NameUnknown:
        found = []
    refuse_unless_public(addresses=found, scheme=parsed.scheme, listed=listed)


def refuse_unless_public(
    *,
    addresses: Sequence[str],
    scheme: str = "https",
    listed: str = "COSTSITE_OUTBOUND_NETWORKS",
) -> None:
    """Refuse a host of which any address is not public, unless the operator allows its network.

    Plain http is for such networks alone.

    :raises AddressRefused: if one of the addresses must not be called
    """
    allowed = [ip_network(network) for network in getattr(settings, listed)]
    own = [_is_within(ip_address(text), allowed) for text in addresses]
    if scheme == "http" and not (own and all(own)):
        raise AddressRefused("The address must begin with https://.")
    for text, is_own in zip(addresses, own, strict=True):
        if not is_own and not is_public(ip_address(text)):
            raise AddressRefused(
                f"The address leads to {text}, which is not public. Whoever runs the site can allow "
                f"its network: {listed}."
            )


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet; one within another is judged itself."""
    inner = _inner(address)
    return (
        inner.is_global
        and not inner.is_multicast
        and not inner.is_reserved
        and not inner.is_unspecified
        and inner != _HOSTS_OWN
    )


def addresses_of(*, host: str, port: int) -> list[str]:
    """Resolve a name to its addresses, in the order in which they should be tried.

    :raises NameUnknown: if there is no machine of that name
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameUnknown from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedTransport(httpx.AsyncBaseTransport):
    """Resolves a request's host once, judges what it found, and connects to that."""

    def __init__(self, *, listed: str = "COSTSITE_OUTBOUND_NETWORKS") -> None:
        self._listed = listed
        # No connection is kept: it would be found by its address, whatever name it was made for.
        self._onward = httpx.AsyncHTTPTransport(
            verify=_tls(), limits=httpx.Limits(max_keepalive_connections=0), trust_env=False
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the first of the host's addresses that takes a connection."""
        host = _host(request.url)
        found = await asyncio.to_thread(addresses_of, host=host, port=_port(request.url))
        refuse_unless_public(addresses=found, scheme=request.url.scheme, listed=self._listed)
        for address in found[:-1]:
            try:
                return await self._onward.handle_async_request(_to(request, address, host))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._onward.handle_async_request(_to(request, found[-1], host))

    async def aclose(self) -> None:
        """Close what is open."""
        await self._onward.aclose()


def open_client(
    *, timeout_s: float, listed: str = "COSTSITE_OUTBOUND_NETWORKS"
) -> httpx.AsyncClient:
    """Make a client for addresses that people entered; ``timeout_s`` bounds each step of a call."""
    return httpx.AsyncClient(
        transport=GuardedTransport(listed=listed),
        timeout=timeout_s,
        follow_redirects=False,
        trust_env=False,
    )


async def post(*, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> Answer:
    """Send a body and give the answer; of a long one only the beginning is read.

    :raises AddressRefused: if the address must not be called
    :raises TimeoutError: if it takes longer than ``timeout_s`` in all
    :raises httpx.TransportError: if the receiver cannot be reached or breaks off
    """
    parse(url)
    async with (
        asyncio.timeout(timeout_s),
        open_client(timeout_s=timeout_s) as client,
        client.stream("POST", url, content=body, headers=dict(headers)) as response,
    ):
        read = b""
        async for chunk in response.aiter_raw():
            read += chunk
            if len(read) >= MOST_READ_BYTES:
                break
        text = read[:MOST_READ_BYTES].decode(errors="replace")
        return Answer(response.status_code, text, response.headers.get("Retry-After", ""))


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _to(request: httpx.Request, address: str, host: str) -> httpx.Request:
    """Turn a request to an address; the certificate must still be the name's."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")


def _port(url: httpx.URL, customary: int | None = None) -> int:
    # 0 is a port that was written, and none that can be called.
    return (customary or _PORTS[url.scheme]) if url.port is None else url.port


def _is_within(address: Address, networks: Sequence[Network]) -> bool:
    inner = _inner(address)
    return any(
        one.version == network.version and one in network
        for one in (address, inner)
        for network in networks
    )


def _inner(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 address stands for, if it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)

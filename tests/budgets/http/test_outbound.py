"""Addresses that people entered lead out of our network or nowhere."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.test import override_settings

from budgets.http import outbound
from budgets.http.outbound import AddressRefused, NameUnknown, check_url, is_public, post
from tests.fakes.receiver import Receiver

OURS = override_settings(COSTSITE_OUTBOUND_NETWORKS=["127.0.0.0/8"])
PUBLIC = "93.184.215.14"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What names mean: for each its answers, one list a question; the last one stays."""
    known: dict[str, list[list[str]]] = {}
    resolve = socket.getaddrinfo

    def answer(host: str, port: int, **options: Any) -> list[Any]:
        if host not in known:
            return list(resolve(host, port, **options))
        told = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        if not told:
            raise socket.gaierror("no such name")
        return [(None, None, None, "", (address, port)) for address in told]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


async def send(url: str) -> outbound.Answer:
    return await post(url=url, body=b"{}", headers={"X-Test": "1"}, timeout_s=5)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/hook",
        "https://127.1/hook",
        "https://2130706433/hook",
        "https://0x7f000001/hook",
        "https://0.0.0.0/hook",
        "https://[::1]/hook",
        "https://[::]/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "https://[64:ff9b::7f00:1]/hook",
        "https://[2002:7f00:1::]/hook",
        "https://localhost/hook",
        "https://10.0.0.7/hook",
        "https://172.16.3.4:8443/hook",
        "https://192.168.1.1/hook",
        "https://100.64.0.9/hook",
        "https://100.100.100.200/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://168.63.129.16/metadata",
        "https://[fd00:ec2::254]/latest/meta-data",
        "https://[fe80::1]/hook",
        "https://224.0.0.1/hook",
        "https://255.255.255.255/hook",
    ],
)
async def test_refuses_our_own_network_at_save_and_at_send(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url)
    with pytest.raises(AddressRefused):
        await send(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "ftp://93.184.215.14/",
        "file:///etc/passwd",
        "gopher://93.184.215.14:70/",
        "https://",
        "https:///hook",
        "https://user:password@93.184.215.14/",
        "https://93.184.215.14:99999/",
        "https://exa mple.org/",
        "https://" + "a" * 70_000,
        "javascript:alert(1)",
    ],
)
def test_refuses_what_is_no_address(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url)


def test_takes_public_addresses() -> None:
    check_url(f"https://{PUBLIC}/hook")
    check_url(f"https://{PUBLIC}:8443/hook")
    check_url("https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/hook")


def test_refuses_plain_http_to_the_internet() -> None:
    with pytest.raises(AddressRefused, match="https://"):
        check_url(f"http://{PUBLIC}/hook")


def test_refuses_a_name_of_which_only_one_address_is_ours(
    names: dict[str, list[list[str]]],
) -> None:
    names["hooks.example.org"] = [[PUBLIC, "10.0.0.7"]]

    with pytest.raises(AddressRefused, match=r"10\.0\.0\.7"):
        check_url("https://hooks.example.org/")


async def test_lets_a_name_without_an_address_be_saved_but_not_called(
    names: dict[str, list[list[str]]],
) -> None:
    names["hooks.example.org"] = [[]]

    check_url("https://hooks.example.org/")
    with pytest.raises(NameUnknown):
        await send("https://hooks.example.org/")


async def test_judges_a_name_again_when_it_is_called(names: dict[str, list[list[str]]]) -> None:
    """The name was public when it was saved, and means this machine when it is called."""
    names["rebind.example.org"] = [[PUBLIC], ["127.0.0.1"]]

    check_url("https://rebind.example.org/")
    with pytest.raises(AddressRefused):
        await send("https://rebind.example.org/")


@OURS
async def test_connects_to_what_was_judged(
    names: dict[str, list[list[str]]], receiver: Receiver
) -> None:
    """A second question would be answered differently, so there must be none."""
    names["hooks.example.org"] = [["127.0.0.1"], ["10.0.0.7"]]

    answer = await send(f"http://hooks.example.org:{receiver.port}/hook")

    assert answer.status == 200
    (request,) = receiver.requests
    assert request.headers["host"] == f"hooks.example.org:{receiver.port}"


@OURS
async def test_tries_the_next_address_of_a_name(
    names: dict[str, list[list[str]]], receiver: Receiver
) -> None:
    names["hooks.example.org"] = [["127.0.0.9", "127.0.0.1"]]

    answer = await send(f"http://hooks.example.org:{receiver.port}/hook")

    assert answer.status == 200


@OURS
async def test_follows_no_redirect(receiver: Receiver) -> None:
    receiver.answer(302, headers={"Location": "https://169.254.169.254/"})

    answer = await send(receiver.url)

    assert answer.status == 302
    assert len(receiver.requests) == 1


@OURS
async def test_reads_no_more_than_the_beginning(receiver: Receiver) -> None:
    receiver.answer(500, body=b"x" * 1_000_000)

    answer = await send(receiver.url)

    assert answer.text == "x" * outbound.MOST_READ_BYTES


@OURS
async def test_uses_no_proxy_of_the_environment(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert (await send(receiver.url)).status == 200


@OURS
async def test_gives_up_when_the_time_is_over(receiver: Receiver) -> None:
    """Byte by byte would keep every single read short: the whole call is bounded."""
    receiver.trickle()

    with pytest.raises(TimeoutError):
        await post(url=receiver.url, body=b"{}", headers={}, timeout_s=0.5)


@OURS
async def test_says_when_nobody_listens() -> None:
    with pytest.raises(httpx.ConnectError):
        await send("http://127.0.0.1:9/hook")


def test_lets_only_the_operators_networks_in() -> None:
    with OURS:
        check_url("http://127.0.0.1:8025/hook")
        check_url("https://[::ffff:127.0.0.1]/hook")
        with pytest.raises(AddressRefused):
            check_url("http://10.0.0.7/hook")


def test_knows_public_addresses() -> None:
    from ipaddress import ip_address

    assert is_public(ip_address(PUBLIC))
    assert is_public(ip_address("64:ff9b::5db8:d70e"))
    assert not is_public(ip_address("64:ff9b:1::a00:1"))

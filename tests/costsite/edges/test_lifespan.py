from __future__ import annotations

from typing import Any

import pytest

from costsite.edges import lifespan


class Server:
    """The server's side of the lifespan protocol."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def receive(self) -> dict[str, Any]:
        return {"type": "lifespan.shutdown" if self.told else "lifespan.startup"}

    async def send(self, message: Any) -> None:
        self.told.append(message["type"])


class Hooks:
    """Hooks that note when they run; one named "bad" fails."""

    def __init__(self, *, start: str, end: str) -> None:
        self.done: list[str] = []
        self.start, self.end = start.split(), end.split()

    def __call__(self) -> tuple[list[lifespan.Hook], list[lifespan.Hook]]:
        return [self.hook(name) for name in self.start], [self.hook(name) for name in self.end]

    def hook(self, name: str) -> lifespan.Hook:
        async def run() -> None:
            self.done.append(name)
            if name == "bad":
                raise RuntimeError("it does not work")

        return run


async def lived(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(lifespan, "hooks", hooks)
    server = Server()
    await lifespan.live(server.receive, server.send)
    return server.told


async def test_starts_and_ends_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = Hooks(start="one two", end="three four")

    told = await lived(hooks, monkeypatch)

    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert hooks.done == ["one", "two", "three", "four"]


async def test_tells_the_server_when_it_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = Hooks(start="one bad two", end="three")

    told = await lived(hooks, monkeypatch)

    assert told == ["lifespan.startup.failed"]
    assert hooks.done == ["one", "bad"]


async def test_runs_every_end_even_when_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = Hooks(start="", end="bad four")

    told = await lived(hooks, monkeypatch)

    assert told[-1] == "lifespan.shutdown.complete"
    assert hooks.done == ["bad", "four"]


def test_has_something_to_start_and_to_end() -> None:
    at_start, at_end = lifespan.hooks()

    assert at_start
    assert at_end

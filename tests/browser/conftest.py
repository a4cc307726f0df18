"""Debian's Chromium, and the site served from the database for tests that commit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from budgets.tenancy.models import User
from costsite import browser as chromium
from tests.databases import on_database
from tests.javascript import installed


@pytest.fixture(scope="module")
def address(committed_database: str, django_db_blocker: Any) -> Iterator[str]:
    """Serve the site; its address."""
    with django_db_blocker.unblock(), on_database(committed_database):
        server = LiveServer("127.0.0.1")
        try:
            yield server.url
        finally:
            server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium once a module: between modules no event loop of its may be left running."""
    path = chromium.found()
    if path is None and os.environ.get("CI"):
        pytest.fail(chromium.HOW_TO)
    if path is None:
        pytest.skip(chromium.HOW_TO)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # The library's loop runs in the tests' own thread, which Django then takes for async code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=path, args=as_root)
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> Path:
    """The script that finds what keeps people out: https://github.com/dequelabs/axe-core."""
    return installed(pytestconfig) / "node_modules/axe-core/axe.min.js"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody with a browser window, and whatever it complained about."""

    address: str
    context: BrowserContext
    page: Page
    complaints: list[str]

    def open(self, path: str, *, signed_in: User | None = None) -> Page:
        """Open a page, as somebody who has signed in before."""
        if signed_in is not None:
            client = Client()
            client.force_login(signed_in)
            cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
            self.context.add_cookies([{**cookie, "url": self.address}])  # type: ignore[typeddict-item]
        self.page.goto(path)
        return self.page

    def faults(self, *, axe: Path) -> list[str]:
        """What axe-core holds against the page as it stands: rule and elements, serious ones first."""
        self.page.evaluate(axe.read_text(encoding="utf-8"))
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['impact']}: {one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
            for one in found["violations"]
        ]

    @property
    def overflow_px(self) -> int:
        """How far the page can be scrolled sideways."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Any]:
    """Open windows: ``visit(width=390, color_scheme="dark", java_script_enabled=False)``."""
    contexts: list[BrowserContext] = []

    def open_window(*, width: int = 1280, height: int = 900, **options: Any) -> Visitor:
        context = browser.new_context(
            base_url=address, viewport={"width": width, "height": height}, **options
        )
        contexts.append(context)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        return Visitor(address, context, page, complaints)

    yield open_window
    for context in contexts:
        context.close()

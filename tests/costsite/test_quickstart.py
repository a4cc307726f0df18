from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from costsite import quickstart

FACTS = {
    "admin_email": "admin@example.com",
    "admin_password": "secret-once",
    "api_key": "cs_live_x",
    "organization": "Demo",
}
URL = "http://127.0.0.1:8000"


@pytest.fixture
def seeded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands for the demo data; notes how often it was made."""
    made: list[str] = []

    def seed() -> quickstart.Facts:
        made.append("demo")
        return dict(FACTS)

    monkeypatch.setattr(quickstart, "_seed", seed)
    monkeypatch.setattr(quickstart, "call_command", made.append)
    return made


def test_writes_the_facts_for_their_owner_only(tmp_path: Path, seeded: list[str]) -> None:
    facts, fresh = quickstart.prepare(tmp_path, url=URL, demo=True)

    file = tmp_path / "quickstart.json"
    assert fresh
    assert facts == json.loads(file.read_text()) == {"url": URL} | FACTS
    assert next(iter(facts)) == "url"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_seeds_once_and_keeps_the_address_up_to_date(tmp_path: Path, seeded: list[str]) -> None:
    quickstart.prepare(tmp_path, url=URL, demo=True)

    facts, fresh = quickstart.prepare(tmp_path, url="http://127.0.0.1:9", demo=True)

    assert not fresh
    assert facts["url"] == "http://127.0.0.1:9"
    assert json.loads((tmp_path / "quickstart.json").read_text()) == facts
    assert seeded == ["demo"]


def test_only_prepares_the_site_when_no_demo_is_wanted(tmp_path: Path, seeded: list[str]) -> None:
    assert quickstart.prepare(tmp_path, url=URL, demo=False) == ({}, False)

    assert seeded == ["prepare_site"]
    assert list(tmp_path.iterdir()) == []


def test_says_the_password_only_once(tmp_path: Path) -> None:
    first: list[str] = []
    later: list[str] = []

    quickstart.announce(first.append, data=tmp_path, url=URL, facts=FACTS, fresh=True)
    quickstart.announce(later.append, data=tmp_path, url=URL, facts=FACTS, fresh=False)

    assert "secret-once" in "\n".join(first)
    assert "secret-once" not in "\n".join(later)
    assert str(tmp_path / "quickstart.json") in "\n".join(later)
    for said in (first, later):
        assert "cs_live_x" in "\n".join(said)
        assert f"curl -si {URL}/v1/chat/completions" in "\n".join(said)


def test_says_how_to_begin_without_a_demo(tmp_path: Path) -> None:
    said: list[str] = []

    quickstart.announce(said.append, data=tmp_path, url=URL, facts={}, fresh=False)

    assert "createsuperuser" in said[-1]

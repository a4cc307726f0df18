"""The first minutes: demo data, the quickstart file, and what a newcomer reads on the terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from django.core.management import call_command, get_commands, load_command_class

FILE = "quickstart.json"

Facts = dict[str, str]


def prepare(data: Path, *, url: str, demo: bool) -> tuple[Facts, bool]:
    """Give the facts of the quickstart file and whether they are new; no facts without demo data.

    On the first start the demo data is made and the file written, readable by its owner only. On
    later ones only the address in it is brought up to date.
    """
    file = data / FILE
    if file.exists():
        facts = {name: str(value) for name, value in json.loads(file.read_text()).items()}
        fresh = False
    elif demo:
        facts = _seed()
        fresh = bool(facts)
    else:
        call_command("prepare_site")
        return {}, False
    if facts and facts.get("url") != url:
        facts = {"url": url} | {name: value for name, value in facts.items() if name != "url"}
        _write(file, facts)
    return facts, fresh


def announce(
    say: Callable[[str], None], *, data: Path, url: str, facts: Facts, fresh: bool
) -> None:
    """Say where to go and what to type; the password only when it is new."""
    say("")
    say(f"  costsite     {url}")
    say(f"  spending     {url}/spending/")
    say(f"  admin        {url}/admin/")
    if not facts:
        say("  no demo data: make an administrator with  python3 manage.py createsuperuser")
        return
    if fresh:
        say(f"  sign in as   {facts['admin_email']}  password  {facts['admin_password']}")
    else:
        say(f"  sign in as   {facts['admin_email']}  (password: {data / FILE})")
    say(f"  API key      {facts['api_key']}")
    say("")
    say("  Try it:")
    say(f"  {curl_line(url=url, key=facts['api_key'])}")
    say("")


def curl_line(*, url: str, key: str) -> str:
    """Write a command line that makes one call and shows the answer with its headers."""
    body = '{"model": "demo/small", "messages": [{"role": "user", "content": "Hello"}]}'
    return (
        f"curl -si {url}/v1/chat/completions -H 'Authorization: Bearer {key}'"
        f" -H 'Content-Type: application/json' -d '{body}'"
    )


def _seed() -> Facts:
    """Make the demo data; no facts when the database already has its own."""
    command = load_command_class(get_commands()["seed_demo"], "seed_demo")
    return dict(command.create())  # type: ignore[attr-defined]


def _write(file: Path, facts: Facts) -> None:
    half = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(facts, stream, indent=1)
    half.replace(file)

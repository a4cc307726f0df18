"""Slack takes what is sent, and shows what was meant."""

from __future__ import annotations

import copy

import pytest
from jsonschema import ValidationError

from budgets.alerts.channels.slack.payload import escape, payload_of
from budgets.alerts.message import Message
from tests.budgets.alerts.channels.messages import ALL, NASTY, OVER, PLAIN, schema


@pytest.mark.parametrize("message", ALL)
def test_writes_what_slack_takes(message: Message) -> None:
    schema("slack").validate(payload_of(message))


def test_the_schema_notices_what_slack_would_refuse() -> None:
    payload = copy.deepcopy(payload_of(PLAIN))
    payload["blocks"][0]["text"]["text"] = "x" * 151

    with pytest.raises(ValidationError):
        schema("slack").validate(payload)


def test_speaks_as_the_cost_monitor() -> None:
    payload = payload_of(PLAIN)

    assert payload["username"] == "Cost Monitor"
    assert payload["icon_emoji"] == ":money_with_wings:"
    assert payload["text"] == ":warning: Budget Team: 82 % used"
    assert payload_of(OVER)["text"] == ":white_check_mark: Over: Budget Team: 82 % used"


def test_mentions_nobody_and_links_nowhere() -> None:
    marked = [
        part["text"]
        for block in payload_of(NASTY)["blocks"]
        for part in [block.get("text", {}), *block.get("fields", ()), *block.get("elements", ())]
        if part.get("type") == "mrkdwn"
    ]

    assert "<" not in "".join(marked) + payload_of(NASTY)["text"]
    assert escape("a<b&c>d") == "a&lt;b&amp;c&gt;d"

"""Teams takes what is sent, and shows what was meant."""

from __future__ import annotations

import json

import pytest
from jsonschema import ValidationError

from budgets.alerts.channels.teams.payload import escape, payload_of
from budgets.alerts.message import Message
from tests.budgets.alerts.channels.messages import ALL, NASTY, PLAIN, schema


@pytest.mark.parametrize("message", ALL)
def test_writes_what_a_workflow_takes(message: Message) -> None:
    schema("teams").validate(payload_of(message))


def test_the_schema_notices_what_a_card_cannot_hold() -> None:
    payload = payload_of(PLAIN)
    payload["attachments"][0]["content"]["body"][0]["color"] = "Pink"

    with pytest.raises(ValidationError):
        schema("teams").validate(payload)


def test_is_small_enough_for_a_workflow() -> None:
    assert len(json.dumps(payload_of(NASTY))) < 28_000


def test_shows_names_as_they_are() -> None:
    assert escape("a_b *c* [d](e)") == r"a\_b \*c\* \[d\]\(e\)"

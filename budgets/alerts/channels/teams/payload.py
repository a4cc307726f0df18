"""A message as an Adaptive Card. Pure.

Version 1.4 is what every Teams client shows. A TextBlock reads a little Markdown, so names are
written with its signs escaped.
"""

from __future__ import annotations

import re
from typing import Any

from budgets.alerts.message import Message

_COLORS = {"info": "Accent", "warning": "Warning", "critical": "Attention"}
_MARKDOWN = re.compile(r"([\\`*_\[\]()#~|<>])")
# Teams takes a card of 28 kB, in which a character may take six.
_MOST_TEXT, _MOST_FACT, _MOST_FACTS = 400, 200, 12
_MOST_TABLES = 4


def payload_of(message: Message) -> dict[str, Any]:
    """Write a message as the body that a workflow's webhook takes: one attachment, a card."""
    color = "Good" if message.event == "recovered" else _COLORS[message.level]
    body: list[dict[str, Any]] = [
        {"type": "TextBlock", "text": "Cost Monitor", "size": "Small", "isSubtle": True},
        {
            "type": "TextBlock",
            "text": escape(message.headline[:_MOST_TEXT]),
            "size": "Large",
            "weight": "Bolder",
            "color": color,
            "wrap": True,
        },
    ]
    if message.advice:
        body.append(
            {"type": "TextBlock", "text": escape(message.advice[:_MOST_TEXT]), "wrap": True}
        )
    if message.facts:
        body.append(_facts(message.facts))
    for table in message.tables[:_MOST_TABLES]:
        heading = escape(table.title[:_MOST_FACT])
        body.append({"type": "TextBlock", "text": heading, "weight": "Bolder", "wrap": True})
        body.append(_facts(table.rows))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": message.headline[:_MOST_TEXT],
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": message.url}],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _facts(rows: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    facts = [
        {"title": name[:_MOST_FACT], "value": escape(value[:_MOST_FACT])}
        for name, value in rows[:_MOST_FACTS]
    ]
    return {"type": "FactSet", "facts": facts}


def escape(text: str) -> str:
    """Write a text so that a card shows it as it is."""
    return _MARKDOWN.sub(r"\\\1", text)

"""A message as Slack's blocks. Pure.

Limits and escaping are those of Slack's reference of blocks and of formatting.
"""

from __future__ import annotations

from typing import Any

from budgets.alerts.message import Message

USERNAME = "Cost Monitor"
ICON = ":money_with_wings:"
_MARKS = {"info": ":information_source:", "warning": ":warning:", "critical": ":rotating_light:"}
_MOST_HEADER, _MOST_FIELD, _MOST_TEXT, _MOST_FIELDS = 150, 2000, 3000, 10
_MOST_TABLES = 20


def payload_of(message: Message) -> dict[str, Any]:
    """Write a message as the body of an incoming webhook; ``text`` is what notifications show."""
    mark = ":white_check_mark:" if message.event == "recovered" else _MARKS[message.level]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(message.headline, _MOST_HEADER)},
    ]
    if message.advice:
        blocks.append({"type": "section", "text": _marked(message.advice, _MOST_TEXT)})
    if message.facts:
        fields = [
            _marked(f"*{escape(name)}*\n{escape(value)}", _MOST_FIELD, is_escaped=True)
            for name, value in message.facts[:_MOST_FIELDS]
        ]
        blocks.append({"type": "section", "fields": fields})
    for table in message.tables[:_MOST_TABLES]:
        lines = [f"{escape(name)}: {escape(value)}" for name, value in table.rows]
        text = "\n".join([f"*{escape(table.title)}*", *lines])
        blocks.append({"type": "section", "text": _marked(text, _MOST_TEXT, is_escaped=True)})
    button = {"type": "button", "text": _plain("Open", 75), "url": message.url}
    context = _marked(f"{mark} {message.level} · {escape(message.at)}", _MOST_TEXT, is_escaped=True)
    blocks.append({"type": "actions", "elements": [button]})
    blocks.append({"type": "context", "elements": [context]})
    return {
        "username": USERNAME,
        "icon_emoji": ICON,
        "text": f"{mark} {escape(message.headline)}",
        "blocks": blocks,
    }


def escape(text: str) -> str:
    """Write a text so that Slack shows it as it is: no link, no mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": text[:most], "emoji": False}


def _marked(text: str, most: int, *, is_escaped: bool = False) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": (text if is_escaped else escape(text))[:most]}

"""All endpoints, one object each."""

from __future__ import annotations

from tracking.gateway.endpoints.chat import ChatCompletions

CHAT_COMPLETIONS = ChatCompletions()

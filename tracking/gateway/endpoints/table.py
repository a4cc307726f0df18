"""All endpoints, one object each."""

from __future__ import annotations

from typing import Any

from tracking.gateway.endpoints.chat import ChatCompletions
from tracking.gateway.endpoints.endpoint import Endpoint

CHAT_COMPLETIONS = ChatCompletions()

ENDPOINTS: tuple[Endpoint[Any], ...] = (CHAT_COMPLETIONS,)

"""All endpoints, one object each."""

from __future__ import annotations

from typing import Any

from tracking.gateway.endpoints.chat import ChatCompletions
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.messages import Messages
from tracking.gateway.endpoints.responses import Responses

CHAT_COMPLETIONS = ChatCompletions()
RESPONSES = Responses()
MESSAGES = Messages()

ENDPOINTS: tuple[Endpoint[Any], ...] = (CHAT_COMPLETIONS, RESPONSES, MESSAGES)

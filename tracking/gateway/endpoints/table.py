"""All endpoints, one object each, and in whose dialect an address is answered."""

from __future__ import annotations

from typing import Any

from tracking.gateway.endpoints.chat import ChatCompletions
from tracking.gateway.endpoints.completions import Completions
from tracking.gateway.endpoints.embeddings import Embeddings
from tracking.gateway.endpoints.endpoint import Endpoint
from tracking.gateway.endpoints.images import Images
from tracking.gateway.endpoints.messages import Messages
from tracking.gateway.endpoints.moderations import Moderations
from tracking.gateway.endpoints.rerank import Rerank
from tracking.gateway.endpoints.responses import Responses
from tracking.gateway.endpoints.speech import Speech
from tracking.gateway.endpoints.transcriptions import Transcriptions

CHAT_COMPLETIONS = ChatCompletions()
RESPONSES = Responses()
MESSAGES = Messages()

COMPLETIONS = Completions()
EMBEDDINGS = Embeddings()
MODERATIONS = Moderations()
RERANK = Rerank()
IMAGES = Images()
TRANSCRIPTIONS = Transcriptions()
SPEECH = Speech()

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    CHAT_COMPLETIONS,
    RESPONSES,
    MESSAGES,
    COMPLETIONS,
    EMBEDDINGS,
    MODERATIONS,
    RERANK,
    IMAGES,
    TRANSCRIPTIONS,
    SPEECH,
)


def dialect_at(path: str) -> Endpoint[Any]:
    """Find the endpoint whose dialect errors are told in at an address, served or not."""
    is_messages = f"{path}/".startswith("/v1/messages/")
    return MESSAGES if is_messages else CHAT_COMPLETIONS

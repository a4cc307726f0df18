"""What the site's OpenAPI document tells of."""

from __future__ import annotations

from typing import Any

Endpoint = tuple[str, str, str, Any]


def management_only(endpoints: list[Endpoint], **_: Any) -> list[Endpoint]:
    """Keep the management API; the gateway speaks OpenAI's dialect, which has a document of its own."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/")]

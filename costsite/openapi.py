"""What the site's OpenAPI document tells of."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

Endpoint = tuple[str, str, str, Any]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its base notes it
    """Tells of API keys; being imported makes it known."""

    target_class = "budgets.tenancy.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Say where a key goes."""
        return {"type": "http", "scheme": "bearer"}


def management_only(endpoints: list[Endpoint], **_: Any) -> list[Endpoint]:
    """Keep the management API; the gateway speaks OpenAI's dialect, which has a document of its own."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/")]

"""What the site's OpenAPI document tells of: one document for ``/v1`` and ``/api``."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from tracking.gateway import openapi as gateway

Endpoint = tuple[str, str, str, Any]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its base notes it
    """Tells of API keys; being imported makes it known."""

    target_class = "budgets.tenancy.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Say where a key goes."""
        return {"type": "http", "scheme": "bearer"}


def management_only(endpoints: list[Endpoint], **_: Any) -> list[Endpoint]:
    """Keep the management API of what is found in views; the gateway tells of itself."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/")]


def with_gateway(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the gateway, and the shape of errors to whatever else there is.

    :raises ValueError: if both would tell different things under one name
    """
    told = gateway.components()
    for kind, named in told.items():
        taken = result["components"].setdefault(kind, {})
        if twice := taken.keys() & named.keys():
            raise ValueError(f"{kind} that are told of twice: {', '.join(sorted(twice))}")
        taken |= named
    refused = {"$ref": "#/components/schemas/Error"}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"].setdefault(
                "default",
                {
                    "description": "Refused, in the documented shape.",
                    "content": {"application/json": {"schema": refused}},
                },
            )
    result["paths"] = gateway.paths() | result["paths"]
    return result

"""Pages as a browser without scripts gets them, and what can be read on them."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape

from django.http import HttpResponse
from django.test import Client

from budgets.tenancy.models import User


def get(visitor: User | None, path: str, /, **params: str | int) -> HttpResponse:
    """Visit a page as somebody, or as nobody; a name that Python keeps may end in an underscore."""
    client = Client()
    if visitor:
        client.force_login(visitor)
    named = {name.rstrip("_"): value for name, value in params.items()}
    response: HttpResponse = client.get(path, named)  # type: ignore[assignment]
    return response


def text(response: HttpResponse) -> str:
    """What can be read on the page, in one line."""
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def amounts(response: HttpResponse) -> list[Decimal]:
    """Every amount on the page, to the last place."""
    return [
        Decimal(v)
        for v in re.findall(
            r'<data value="([0-9.-]+)" title="[^"]+ USD">', response.content.decode()
        )
    ]

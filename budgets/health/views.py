"""Probes for whoever keeps the site running."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.http import HttpRequest, JsonResponse

from budgets.core import clock
from budgets.health import queries

_BEGAN_AT = clock.now()


def healthz(request: HttpRequest) -> JsonResponse:
    """Say that the process is alive. It asks nobody else."""
    return JsonResponse({"status": "alive"})


def readyz(
    request: HttpRequest, *, checks: Sequence[Callable[[], str | None]] = ()
) -> JsonResponse:
    """Say whether calls can be answered, and if not, why: 503 with the reasons.

    ``checks`` are the site's own: each gives a reason or None.
    """
    reasons = queries.problems(now=clock.now(), site_began_at=_BEGAN_AT)
    reasons += [reason for check in checks if (reason := check())]
    body = {"status": "not ready" if reasons else "ready", "reasons": reasons}
    return JsonResponse(body, status=503 if reasons else 200)

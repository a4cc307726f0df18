"""What an API key may be used for beside calling models. Pure."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """A permission that a key carries; people who are signed in need none."""

    USAGE_READ = "usage:read"
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"
    REQUESTS_READ = "requests:read"
    REQUESTS_WRITE = "requests:write"
    REPORTS_READ = "reports:read"
    REPORTS_WRITE = "reports:write"

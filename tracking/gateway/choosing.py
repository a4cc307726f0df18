"""Which of several ways to call a model is taken, when it is left alone, and when it is tried again.

Pure: chances are drawn, and clocks are read, by whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tracking.gateway.failures import (
    ContextLengthExceeded,
    ProviderAuthFailed,
    ProviderError,
    ProviderFailure,
    ProviderInterrupted,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
)

T = TypeVar("T")

_FIRST_BACKOFF_S = 0.25
_MOST_BACKOFF_S = 8.0
# What says nothing of the provider, only of the request, never counts against a route.
_AGAINST_A_ROUTE = (
    ProviderAuthFailed,
    ProviderError,
    ProviderInterrupted,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
)
_FOR_ANOTHER_KEY = (ProviderAuthFailed, ProviderError, ProviderRateLimited, ProviderUnavailable)
_FOR_THE_SAME_KEY = (ProviderError, ProviderRateLimited, ProviderUnavailable)
_FOR_ANOTHER_MODEL = (*_FOR_ANOTHER_KEY, ContextLengthExceeded)


@dataclass(frozen=True, slots=True)
class CoolDownRules:
    """After how many failures in a row a route is left alone, for how long at first and at most."""

    after: int = 3
    first_s: float = 30
    most_s: float = 300


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How many attempts a call makes under one hold, and how long it waits for one at most."""

    attempts: int = 3
    most_wait_s: float = 10


@dataclass(frozen=True, slots=True)
class Standing:
    """How a route has done of late: failures in a row, and the POSIX second it cools until."""

    failures: int = 0
    cools_until: float = 0


def shuffled(items: Sequence[T], *, weights: Sequence[int], draws: Iterator[float]) -> list[T]:
    """Order items by chance, so that each comes first as often as its share of the weights.

    ``draws`` are numbers in [0, 1), one for each place; equal draws give an equal order. What
    weighs nothing comes last.
    """
    left = [(item, weight) for item, weight in zip(items, weights, strict=True) if weight > 0]
    ordered: list[T] = []
    while left:
        ordered.append(left.pop(_drawn([weight for _, weight in left], next(draws)))[0])
    return [*ordered, *(i for i, weight in zip(items, weights, strict=True) if weight <= 0)]


def _drawn(weights: Sequence[int], draw: float) -> int:
    at = draw * sum(weights)
    for place, weight in enumerate(weights):
        at -= weight
        if at < 0:
            return place
    return len(weights) - 1


def standing_after(
    standing: Standing, *, failure: ProviderFailure, now: float, rules: CoolDownRules
) -> Standing:
    """Say how a route stands after a failure; ``now`` and the result in POSIX seconds.

    A provider that limits its calls is left alone for as long as it says, one that refuses the
    key at once, any other after several failures in a row, each time for twice as long.
    """
    if not isinstance(failure, _AGAINST_A_ROUTE):
        return standing
    failures = standing.failures + 1
    cools_s = 0.0
    if isinstance(failure, ProviderRateLimited):
        cools_s = min(failure.details.get("retry_after_s") or rules.first_s, rules.most_s)
    elif isinstance(failure, ProviderAuthFailed) or failures >= rules.after:
        doublings = min(max(failures - rules.after, 0), 30)
        cools_s = min(rules.first_s * 2**doublings, rules.most_s)
    return Standing(failures, max(standing.cools_until, now + cools_s if cools_s else 0))


def wait_before(
    *, failure: ProviderFailure, made: int, is_other: bool, chance: float, rules: RetryRules
) -> float | None:
    """Say how many seconds to wait before the next attempt; None if there must be none.

    ``made`` attempts were made, of which the last failed; the next would be at another route that
    is well, or (``is_other`` false) at one that was tried before. Only what was surely not billed
    is tried again, so all attempts together cost no more than one.
    """
    may_be_billed = failure.may_be_billed or made >= rules.attempts
    if may_be_billed or not isinstance(failure, _FOR_ANOTHER_KEY):
        return None
    if is_other:
        return 0
    if not isinstance(failure, _FOR_THE_SAME_KEY):
        return None
    backoff = min(_FIRST_BACKOFF_S * 2 ** (made - 1), _MOST_BACKOFF_S) * (0.5 + chance / 2)
    wait_s = max(backoff, failure.details.get("retry_after_s") or 0)
    return wait_s if wait_s <= rules.most_wait_s else None


def may_fall_back(failure: ProviderFailure) -> bool:
    """Tell whether a call that failed may be made with another model: it surely was not billed."""
    return isinstance(failure, _FOR_ANOTHER_MODEL) and not failure.may_be_billed

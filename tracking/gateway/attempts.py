"""The attempts at one call under one hold: where each goes, how long it may take, and after what wait."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence

from tracking.gateway.choosing import RetryRules, shuffled, wait_before
from tracking.gateway.failures import ProviderFailure
from tracking.gateway.health import Health
from tracking.gateway.routes import Option

# An attempt with less time than this before the call's deadline would only be a timeout.
_LEAST_S = 1.0


class Attempts:
    """Walks through a model's options: those that are well by weight, then those that cool down."""

    def __init__(
        self,
        *,
        options: Sequence[Option],
        health: Health,
        rules: RetryRules,
        deadline: float,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._health = health
        self._rules = rules
        self._deadline = deadline
        self._draw = draw
        self._order = list(options)
        if len(options) > 1:
            weights = [option.weight for option in options]
            by_chance = shuffled(options, weights=weights, draws=iter(draw, None))
            # Whoever cools the shortest comes first of those: a call is never refused on a guess.
            self._order = sorted(by_chance, key=lambda option: health.cools_until(option.key))
        self.made = 0
        self._tried: set[tuple[int, str]] = set()
        self._begin(self._order[0])

    @property
    def left_s(self) -> float:
        """Seconds until the call's deadline."""
        return self._deadline - time.monotonic()

    def succeeded(self) -> None:
        """Note that the attempt was answered."""
        self._health.succeeded(self.option.key)

    async def next_after(self, failure: ProviderFailure, *, stop: asyncio.Event) -> bool:
        """Wait for the turn of the next attempt, and move on to it; tell whether there is one.

        There is none where the failed one may be billed, the deadline would pass, or ``stop`` is set.
        """
        other = self._untried()
        wait_s = wait_before(
            failure=failure,
            made=self.made,
            is_other=other is not None,
            chance=self._draw(),
            rules=self._rules,
        )
        if wait_s is None or wait_s + _LEAST_S > self.left_s or await _is_set(stop, wait_s):
            return False
        self._begin(other or self.option)
        return True

    def failed(self, failure: ProviderFailure) -> None:
        """Note that the attempt failed."""
        self._health.failed(self.option.key, failure)

    def _begin(self, option: Option) -> None:
        self.option = option
        self.made += 1
        self._tried.add(option.key)
        self._health.begin(option.key)

    def _untried(self) -> Option | None:
        """Find the next option that was not tried yet and does not cool down."""
        for option in self._order:
            if option.key not in self._tried and not self._health.cools_until(option.key):
                return option
        return None


async def _is_set(stop: asyncio.Event, wait_s: float) -> bool:
    """Wait, unless something is set meanwhile."""
    if not wait_s:
        return stop.is_set()
    try:
        await asyncio.wait_for(stop.wait(), wait_s)
    except TimeoutError:
        return False
    return True

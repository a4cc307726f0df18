"""Round amounts along the side of a chart. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from budgets.core.money import format_usd

_STEPS_WANTED = 4
_STEP_SIZES = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across the chart at a round amount; ``place`` is its distance from the top of 100."""

    label: str
    place: str

    @property
    def y(self) -> str:
        """The same in percent of the chart."""
        return f"{self.place}%"


def scale(*, highest: Decimal) -> tuple[Decimal, tuple[Tick, ...]]:
    """Choose round steps of 1, 2, 2.5 or 5 times a power of ten, about four up to the highest.

    Gives the amount at the top, and a tick for each step.
    """
    if highest <= 0:
        return Decimal(1), (Tick("$0", "100"),)
    least = highest / _STEPS_WANTED
    power = Decimal(1).scaleb(least.adjusted())
    step = next(size * power for size in _STEP_SIZES if size * power >= least)
    count = int((highest / step).to_integral_value(rounding=ROUND_CEILING))
    top = step * count
    return top, tuple(
        Tick(_tick_text(step * n, step), f"{100 - step * n * 100 / top:.3f}")
        for n in range(count + 1)
    )


def _tick_text(amount: Decimal, step: Decimal) -> str:
    if not amount:
        return "$0"
    exponent = step.normalize().as_tuple().exponent
    places = max(0, -exponent) if isinstance(exponent, int) else 0
    return f"${amount:,.{places}f}" if places != 1 else format_usd(amount)

"""Axes with round ticks."""

from collections.abc import Callable, Iterable
from math import ceil, floor, isfinite, log10

from msgspec import Struct


class Tick(Struct, frozen=True):
    """One mark of an axis."""

    value: float
    text: str


class Axis(Struct, frozen=True, kw_only=True):
    """What an axis shows, in the unit of the data."""

    label: str
    low: float
    high: float
    ticks: tuple[Tick, ...]

    def place(self, value: float) -> float:
        """Return where a value lies: 0 at the low end, 1 at the high one."""
        return (value - self.low) / (self.high - self.low)


def axis(
    values: Iterable[float],
    label: str,
    write: Callable[[float, int], str],
    *,
    most: int = 6,
    least: float | None = None,
    largest: float | None = None,
) -> Axis:
    """Make an axis that holds all values with some room around them.

    Args:
        values: What it is to show; at least one, all finite.
        label: Its name, with the unit.
        write: Writes the text of a tick from its value and its decimals.
        most: Ticks, at most a third more.
        least: Where the axis begins at the earliest, as a share does at 0.
        largest: Where it ends at the latest.
    """
    seen = list(values)
    room = 0.08 * (max(seen) - min(seen)) or abs(seen[0]) * 0.2 or 1.0
    low, high = min(seen) - room, max(seen) + room
    low = low if least is None else max(low, least)
    high = high if largest is None else min(high, largest)
    step = _step((high - low) / most)
    decimals = max(0, -floor(log10(step)))
    ticks = [
        min(max(float(f"{i * step:.12g}"), low), high)
        for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)
    ]
    return Axis(label=label, low=low, high=high, ticks=tuple(Tick(value, write(value, decimals)) for value in ticks))


def log_axis(values: Iterable[float], label: str, write: Callable[[float], str]) -> Axis:
    """Make an axis of logarithms that holds all values above 0: it places `log10(value)`, and its ticks say the value.

    Args:
        values: What it is to show, not their logarithms; what has none is left out.
        label: Its name, with the unit.
        write: Writes the text of a tick.
    """
    seen = [log10(value) for value in values if value > 0 and isfinite(value)] or [0.0]
    room = 0.08 * (max(seen) - min(seen)) or 0.3
    low, high = min(seen) - room, max(seen) + room
    factors = (1, 2, 5) if high - low < 2 else (1,)
    every = max(1, ceil((high - low) / 6))
    rounds = [
        factor * 10.0**power for power in range(floor(low), ceil(high) + 1) if power % every == 0 for factor in factors
    ]
    ticks = tuple(Tick(log10(value), write(value)) for value in rounds if low <= log10(value) <= high)
    return Axis(label=label, low=low, high=high, ticks=ticks)


def _step(rough: float) -> float:
    """Return the round number (1, 2 or 5 by a power of ten) that is about so large, or larger."""
    power = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= 0.75 * rough)

"""Where a function of one number is 0: Brent's method, which is in Python so that no report waits for scipy.optimize.

Step for step that of `scipy.optimize.brentq`, so that it ends at the same number to the last digit.
"""

from collections.abc import Callable
from math import copysign, inf

_RELATIVE = 4 * 2.0**-52
_STEPS = 100


def find_root(function: Callable[[float], float], low: float, high: float, *, xtol: float) -> float:
    """Return an x between low and high where the function is 0, within xtol (Brent 1973, chapter 4).

    Raises:
        ValueError: the function has one sign at both ends.
        RuntimeError: 100 steps were not enough.
    """
    before, now, opposite = low, high, 0.0
    f_before, f_now, f_opposite = function(before), function(now), 0.0
    if 0 in (f_before, f_now):
        return before if f_before == 0 else now
    if copysign(1, f_before) == copysign(1, f_now):
        raise ValueError(f"the function has one sign at both ends: {f_before} at {low}, {f_now} at {high}")
    last = step = 0.0
    for _ in range(_STEPS):
        if f_before != 0 and f_now != 0 and copysign(1, f_before) != copysign(1, f_now):
            opposite, f_opposite = before, f_before
            last = step = now - before
        if abs(f_opposite) < abs(f_now):
            before, now, opposite = now, opposite, now
            f_before, f_now, f_opposite = f_now, f_opposite, f_now
        least, half = (xtol + _RELATIVE * abs(now)) / 2, (opposite - now) / 2
        if f_now == 0 or abs(half) < least:
            return now
        guess = inf
        if abs(last) > least and abs(f_now) < abs(f_before):
            guess = _guess((before, f_before), (now, f_now), (opposite, f_opposite))
        is_close = 2 * abs(guess) < min(abs(last), 3 * abs(half) - least)
        last, step = (step, guess) if is_close else (half, half)
        before, f_before = now, f_now
        now += step if abs(step) > least else copysign(least, half)
        f_now = function(now)
    raise RuntimeError(f"no root between {low} and {high} after {_STEPS} steps")


_Point = tuple[float, float]


def _guess(before: _Point, now: _Point, opposite: _Point) -> float:
    """Return the step to where a line through two points, or an inverse curve through three, is 0."""
    (x_before, f_before), (x_now, f_now), (x_opposite, f_opposite) = before, now, opposite
    if x_before == x_opposite:
        return -f_now * (x_now - x_before) / (f_now - f_before)
    slope = (f_before - f_now) / (x_before - x_now)
    across = (f_opposite - f_now) / (x_opposite - x_now)
    flatness = across * slope * (f_opposite - f_before)
    return -f_now * (f_opposite * across - f_before * slope) / flatness if flatness else inf

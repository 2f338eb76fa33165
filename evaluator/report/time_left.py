"""How fast a variant is answered, and how long all that is left will take."""

from collections import Counter
from collections.abc import Mapping
from statistics import fmean


class Pace:
    """The time in which one variant was asked in this run, and what came in it. Times are seconds of any clock."""

    def __init__(self) -> None:
        self._answered: Counter[str] = Counter()
        """By benchmark."""
        self._seconds: dict[str, float] = {}
        """By benchmark, how long its replies took, those in flight at once added up."""
        self._tokens = 0
        self._before = 0.0
        """Of turns that have ended."""
        self._began: float | None = None
        self._last = float("-inf")

    def add(self, benchmark: str, at: float, *, seconds: float, tokens: int) -> None:
        """Take in a reply that came at `at` and took so long; a failure has no tokens."""
        if self._began is None:
            self._began = min(at, max(at - seconds, self._last))
        self._last = max(self._last, at)
        self._answered[benchmark] += 1
        self._seconds[benchmark] = self._seconds.get(benchmark, 0.0) + seconds
        self._tokens += tokens

    def pause(self) -> None:
        """End the turn: its server is started again, another variant is asked, or all is answered."""
        if self._began is not None:
            self._before += max(0.0, self._last - self._began)
            self._began = None

    def active_s(self, now: float) -> float:
        """Return for how long it was asked."""
        return self._before + (max(0.0, now - self._began) if self._began is not None else 0.0)

    def tokens_per_second(self, now: float) -> float | None:
        """Return the speed of all requests in flight together; None where nothing was measured."""
        active = self.active_s(now)
        return self._tokens / active if active > 0 and self._tokens else None

    def seconds_each(self, now: float) -> dict[str, float]:
        """Return by benchmark how many seconds an answer takes, as often as several are in flight together."""
        active, total = self.active_s(now), sum(self._seconds.values())
        if active <= 0:
            return {}
        if total <= 0:  # failures only, say
            return dict.fromkeys(self._answered, active / self._answered.total())
        return {name: active * self._seconds[name] / total / count for name, count in self._answered.items()}


def seconds_left(
    left: Mapping[str, Mapping[str, int]], each: Mapping[str, Mapping[str, float]]
) -> dict[str, float | None]:
    """Estimate for each variant how many seconds its questions take; None where nothing was measured of any.

    A benchmark that a variant has not reached takes as long as with the others, in proportion to what both have
    answered; if nobody has reached it, as long as the rest.

    Args:
        left: By variant and benchmark, questions still to be asked.
        each: By variant and benchmark, seconds that an answer took.
    """
    return {
        variant: _sum(
            [count * seconds if (seconds := _expected(variant, name, each)) else None for name, count in todo]
        )
        for variant, todo in ((variant, counts.items()) for variant, counts in left.items())
    }


def _sum(parts: list[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _expected(variant: str, benchmark: str, each: Mapping[str, Mapping[str, float]]) -> float | None:
    mine = each.get(variant, {})
    if benchmark in mine:
        return mine[benchmark]
    beside = [theirs[benchmark] * _slower(mine, theirs) for theirs in each.values() if benchmark in theirs]
    measured = beside or list(mine.values()) or [seconds for theirs in each.values() for seconds in theirs.values()]
    return fmean(measured) if measured else None


def _slower(mine: Mapping[str, float], theirs: Mapping[str, float]) -> float:
    """Return how many times as long one variant takes, on the benchmarks that both were asked."""
    ratios = [mine[name] / theirs[name] for name in mine if theirs.get(name)]
    return fmean(ratios) if ratios else 1.0

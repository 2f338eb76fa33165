"""How many questions in flight a server answers fastest: found while it is asked, from the tokens that arrive.

No clock and no server here: what happens is told, with its time in seconds.
"""

from math import hypot
from statistics import fmean, median, stdev
from typing import Literal

from msgspec import Struct

from evaluator.store.serving import InFlight, Level
from servers.slots import MOST

FEW = 4
"""Questions in flight where there are too few to find a number."""
WORTH_IT = 40
"""Questions from which on a number is looked for."""
_GROWTH = 0.07
"""More tokens per second than this are more, where two measurements do not vary by more themselves."""
_MOST_NOISE = 0.3
_AS_GOOD = 0.05
_FALLEN = 0.15
_COLLAPSED = 0.5
_TRIES = 2
"""How often fewer are tried because a server has become slow."""


class _Enough(Struct, frozen=True):
    """When a measurement ends: replies for each place, replies in all, and seconds."""

    replies: int
    least: int
    """However few are in flight: the lengths of replies differ."""
    seconds: float
    steady: float = 1.0
    """Relative error of the tokens per second that is small enough; else it goes on for up to three times as long."""

    def holds(self, window: "_Window", now: float, places: int) -> bool:
        took, each = now - window.began, window.replies / places
        if took >= 10 * self.seconds and window.tokens:
            return True
        if each >= 4 * self.replies and took >= self.seconds / 6:
            return True
        if window.replies < self.least or each < self.replies or took < self.seconds:
            return False
        return each >= 3 * self.replies or took >= 3 * self.seconds or window.error(now) <= self.steady


_TO_CLIMB = _Enough(2, 3, 3.0, 0.05)
_TO_DECIDE = _Enough(2, 12, 3.0, 0.05)
_TO_WATCH = _Enough(4, 8, 20.0)


class _Window:
    """Tokens that arrived from a moment on, in parts of a fraction of a second."""

    _PART_S = 0.1
    _PARTS = 8
    """Into which it is cut to see by how much it varies."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.tokens = self.replies = 0
        self.first: list[float] = []
        self._parts: dict[int, int] = {}

    def add(self, now: float, tokens: int) -> None:
        if now <= self.began:  # they belong to the time before
            return
        part = int((now - self.began) / self._PART_S)
        self._parts[part] = self._parts.get(part, 0) + tokens
        self.tokens += tokens

    def rate(self, now: float) -> float:
        """Return tokens per second."""
        return self.tokens / max(now - self.began, 1e-9)

    def error(self, now: float) -> float:
        """Return the standard error of the rate, relative to it."""
        took = now - self.began
        if not self.tokens or took < self._PARTS * self._PART_S:
            return _MOST_NOISE
        sums = [0.0] * self._PARTS
        for part, tokens in self._parts.items():
            sums[min(int(part * self._PART_S / took * self._PARTS), self._PARTS - 1)] += tokens
        return float(stdev(sums) / fmean(sums) / self._PARTS**0.5)

    def level(self, now: float, in_flight: int) -> Level:
        return Level(
            in_flight=in_flight,
            tokens_per_second=round(self.rate(now), 2),
            first_token_s=round(median(self.first), 3) if self.first else None,
            seconds=round(now - self.began, 1),
        )


class Ramp:
    """Doubles the questions in flight while tokens per second grow, and goes back to the smallest number as good.

    A level is measured when all its places are taken and those that it opened have begun to answer. The prompts that a
    server has in its cache become more on the way, so that early levels look slow: going back, they are measured again.
    """

    def __init__(self, most: int = MOST, *, why_most: str = "", start: int = 1) -> None:
        """Begin with `start` questions in flight; never more than `most`, for the reason `why_most`."""
        self.most, self.why_most = max(1, min(most, MOST)), why_most
        self.level = min(start, self.most)
        self.settled = self._ended_early = False
        self.why = ""
        self._curve: dict[int, Level] = {}
        self._errors: dict[int, float] = {}
        self._again: set[int] = set()
        """Levels that were measured on the way back, or for long enough before."""
        self._descending = False
        self._flat = 0
        """Levels in a row that gave no more than the best before them."""
        self._window: _Window | None = None
        self._opened, self._closing = self.level, 0
        """Places that the level opened and that have not begun to answer yet; those that it closes when they have."""

    def limit(self, most: int, why: str) -> None:
        """Take in that no more can be in flight than so many."""
        if most < self.most:
            self.most, self.why_most = max(1, most), why
            if self.level > self.most:
                self._settle(self.most, why)

    def refused(self, takes: int) -> None:
        """Take in that the server refused one more: it takes so many."""
        if takes < self.level:
            self._settle(max(1, takes), "the server refused more")

    def arrived(self, now: float, tokens: int) -> None:
        """Take in tokens as they arrive."""
        if self._window is not None:
            self._window.add(now, tokens)

    def began(self, now: float, first_token_s: float | None) -> None:
        """Take in that a reply began, so many seconds after it was asked for, or came whole."""
        if self.settled:
            return
        if self._window is not None:
            if first_token_s is not None:
                self._window.first.append(first_token_s)
            return
        self._opened -= 1
        if self._opened <= 0 and not self._closing:
            self._window = _Window(now)

    def ended(self, now: float) -> None:
        """Take in that a reply ended, its tokens counted; perhaps the level changes."""
        if self.settled:
            return
        if self._window is None:
            if self._closing:
                self._closing -= 1
                self._window = None if self._closing else _Window(now)
            return
        self._window.replies += now > self._window.began
        if (_TO_DECIDE if self._descending else _TO_CLIMB).holds(self._window, now, self.level):
            if self._descending or self._window.replies >= _TO_DECIDE.least:
                self._again.add(self.level)
            self._curve[self.level] = self._window.level(now, self.level)
            self._errors[self.level] = min(self._window.error(now), _MOST_NOISE)
            self._decide()

    def finish(self) -> None:
        """Take in that there are no more questions: the best number so far it is."""
        if not self.settled:
            self._ended_early = self.most > 1
            best = self._knee() if self._curve else min(FEW, self.most)
            self._settle(best, "the questions ended before more was tried")

    def found(self) -> InFlight:
        """Say what was found; once it is settled."""
        curve = tuple(self._curve[level] for level in sorted(self._curve))
        how: Literal["few questions", "measured"] = "few questions" if self._ended_early else "measured"
        return InFlight(number=self.level, how=how, curve=curve, why=self.why)

    def _decide(self) -> None:
        if self._descending:
            self._go_back()
            return
        here, others = self._rate(self.level), [level for level in self._curve if level != self.level]
        best = max(others, key=self._rate, default=0)
        if not best or here > self._rate(best) * (1 + self._noise(best, self.level)):
            self._flat = 0
        else:
            self._flat += 1 if here > self._rate(best) * (1 - _FALLEN) else 2
        if self._flat < 2 and self.level < self.most:
            self._open(min(2 * self.level, self.most))
        else:
            self._descending = True
            self._go_back()

    def _go_back(self) -> None:
        """Measure what was measured early once more, as long as a smaller number may be as good."""
        knee = self._knee()
        below = max((level for level in self._curve if level < knee), default=None)
        for level in (knee, below):
            if level is not None and level not in self._again:
                self._open(level)
                return
        more = [level for level in self._curve if level > knee]
        if not more and knee < self.most:  # measured again, what had stopped it is less: it climbs on
            self._descending, self._flat = False, 1
            self._open(min(2 * knee, self.most))
            return
        why = self.why_most if not more and knee == self.most else ""
        if more:
            most = max(more, key=self._rate)
            why = f"{most} gave no more tokens per second ({self._rate(most):.0f}, not {self._rate(knee):.0f})"
            if self._rate(most) > self._rate(knee):
                why = f"{most} gave hardly more tokens per second ({self._rate(most):.0f}, not {self._rate(knee):.0f})"
        self._settle(knee, why)

    def _knee(self) -> int:
        """Return the smallest number within what counts as equal of the best."""
        best = max(self._rate(level) for level in self._curve)
        return min(level for level in self._curve if self._rate(level) >= best * (1 - _AS_GOOD))

    def _rate(self, level: int) -> float:
        return self._curve[level].tokens_per_second

    def _noise(self, one: int, other: int) -> float:
        return min(max(_GROWTH, 2 * hypot(self._errors[one], self._errors[other])), _MOST_NOISE)

    def _open(self, level: int) -> None:
        self._opened, self._closing = max(level - self.level, 0), max(self.level - level, 0)
        self.level, self._window = level, None

    def _settle(self, level: int, why: str) -> None:
        self.level, self.why, self.settled, self._window = level, why, True, None


class Watch:
    """Looks whether a server collapses under a number in flight: then fewer are tried, and kept if they give more."""

    def __init__(self, number: int, reference: float | None = None) -> None:
        """Watch so many in flight; `reference` is the tokens per second known of it, else the first ones count."""
        self.number = self.level = number
        self._reference = reference
        self._closing = 0
        """Replies in flight that are more than the level."""
        self._slow = 0.0
        """Tokens per second before fewer were tried; 0 while none are."""
        self._tries = 0
        self._window: _Window | None = None

    def ended(self, now: float, tokens: int) -> None:
        """Take in that a reply of so many tokens ended; perhaps the level changes."""
        if self._tries > _TRIES or self.number == 1:
            return
        if self._window is None:
            self._closing = max(self._closing - 1, 0)
            self._window = None if self._closing else _Window(now)
            return
        self._window.add(now, tokens)
        self._window.replies += 1
        if (_TO_CLIMB if self._slow else _TO_WATCH).holds(self._window, now, self.level):
            self._judge(self._window.rate(now))
            self._window = None

    def _judge(self, rate: float) -> None:
        if self._slow:
            if rate > self._slow * (1 + _FALLEN):
                self.number = self.level
            else:
                self.level = self.number  # fewer do not help: the machine, or what is asked, has become slower
            self._reference, self._slow = max(rate, self._slow), 0.0
        elif self._reference is not None and rate < self._reference * _COLLAPSED:
            self._tries += 1
            self._slow, self.level = rate, max(1, self.level // 2)
            self._closing = self.number - self.level
        else:
            self._reference = rate if self._reference is None else self._reference

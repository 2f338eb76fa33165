"""The live display of a run, updated by its records; the run does not depend on it."""

import datetime as dt
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from evaluator.decide import wording
from evaluator.decide.score import NO_GRADE
from evaluator.records import Grade, Key, Outcome, Record
from evaluator.stats.proportions import wilson
from evaluator.text import strip_control

_LINE_EVERY_S = 15.0
_WAITING = "waiting"


class Progress:
    """Counts what has been graded, and shows it: a live table in a terminal, a line now and then elsewhere."""

    def __init__(
        self,
        planned: Mapping[str, Sequence[Key]],
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin; `planned` holds what each variant is asked in all, finished questions included."""
        self._planned = {name: Counter(key.benchmark for key in keys) for name, keys in planned.items()}
        self._console, self._clock = console, clock
        self._status = dict.fromkeys(planned, _WAITING)
        self._waits: dict[str, tuple[str, float]] = {}
        """By variant what is waited for, and until when."""
        self._wait_line_at: dict[str, float] = {}
        self._correct: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._graded: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._scored: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._outcomes: defaultdict[str, dict[Key, Outcome]] = defaultdict(dict)
        self._failed: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._opened = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        self._begun: dict[str, float] = {}
        self._last_at: dict[str, float] = {}
        self._fresh: Counter[str] = Counter()
        self._line_at = clock()
        self._live = Live(get_renderable=self.drawing, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show_status(self, variant: str, text: str, seconds: float = 0.0) -> None:
        """Show the state of a variant's server; of a wait, for how many seconds: counted down in a terminal."""
        if seconds:
            self._show_wait(variant, strip_control(text), seconds)
            return
        self._status[variant] = strip_control(text)
        if not self._console.is_terminal:
            self._console.print(Text(f"{variant}: {strip_control(text)}"), soft_wrap=True)

    def _show_wait(self, variant: str, text: str, seconds: float) -> None:
        now = self._clock()
        if now + seconds > self._waits.get(variant, ("", now))[1]:  # of several, the one that takes longest
            self._waits[variant] = text, now + seconds
        if not self._console.is_terminal and now >= self._wait_line_at.get(variant, now):
            self._wait_line_at[variant] = now + max(seconds, _LINE_EVERY_S)
            self._console.print(Text(f"{variant}: {self._wait(variant)}"), soft_wrap=True)

    def graded(self, record: Record, grade: Grade) -> None:
        """Count one record; of a question that was asked again, the last one."""
        name, benchmark = record.variant, record.key.benchmark
        before = self._outcomes[name].get(record.key)
        self._outcomes[name][record.key] = grade.outcome
        self._graded[name][benchmark] += before is None
        self._scored[name][benchmark] += (grade.outcome not in NO_GRADE) - (
            before is not None and before not in NO_GRADE
        )
        self._correct[name][benchmark] += (grade.outcome == "correct") - (before == "correct")
        self._failed[name] += (grade.outcome == "failed") - (before == "failed")
        if record.started >= self._opened:  # records of an earlier run do not show the speed of this one
            self._begun.setdefault(name, self._clock() - (record.answer.duration_s if record.answer else 0.0))
            self._last_at[name] = self._clock()
            self._fresh[name] += 1
            self._tokens[name] += (record.answer.completion_tokens or 0) if record.answer else 0
        self._print_now_and_then(name)

    def drawing(self) -> Group:
        """Draw the table, and below it what found no room in it and what is waited for."""
        states = [] if self._has_room() else [(n, state) for n, state in self._status.items() if state != _WAITING]
        waits = [(name, wait) for name in self._planned if (wait := self._wait(name))]
        lines = (Text(f"{name}: {text}", no_wrap=True, overflow="ellipsis") for name, text in [*states, *waits])
        return Group(self.table(), *lines)

    def table(self) -> Table:
        """Draw one row for each variant; where the terminal is narrow, without intervals and states."""
        room = self._has_room()
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("variant", overflow="fold")
        table.add_column("asked", justify="right", no_wrap=True)
        for benchmark in self._benchmarks():
            table.add_column(wording.name(benchmark), no_wrap=True)
        for heading in ("tokens/s", "failures", "time left"):
            table.add_column(heading, justify="right", no_wrap=True)
        if room:
            table.add_column("server", style="dim", max_width=40)
        for name in self._planned:
            state = Text(self._status[name], no_wrap=True, overflow="ellipsis")
            table.add_row(Text(name), *self._cells(name, intervals=room), *([state] if room else []))
        return table

    def _benchmarks(self) -> list[str]:
        return list({benchmark: None for planned in self._planned.values() for benchmark in planned})

    def _has_room(self) -> bool:
        """Say whether intervals and states fit beside the names: 23 columns a benchmark, 50 for all else."""
        return self._console.width >= 50 + 23 * len(self._benchmarks()) + max(map(len, self._planned))

    def _wait(self, name: str) -> str:
        text, until = self._waits.get(name, ("", 0.0))
        left = ceil(until - self._clock())
        return f"{text} {left} s" if left > 0 else ""

    def _cells(self, name: str, *, intervals: bool = True) -> list[str]:
        planned, graded = self._planned[name], self._graded[name]
        rate, left = self._pace(name)
        return [
            f"{graded.total()}/{planned.total()}",
            *(self._so_far(name, benchmark, intervals=intervals) for benchmark in planned),
            wording.number(rate),
            str(self._failed[name]),
            left,
        ]

    def _so_far(self, name: str, benchmark: str, *, intervals: bool) -> str:
        k, n = self._correct[name][benchmark], self._scored[name][benchmark]
        if not n:
            return f"0 of {self._graded[name][benchmark]} scored" if self._graded[name][benchmark] else ""
        interval = f" ({wording.interval(wilson(k, n)).replace(' to ', wording.DASH)})"
        return f"{k}/{n}{interval if intervals else ''}"

    def _pace(self, name: str) -> tuple[float | None, str]:
        """Return completion tokens per second in this run, and the time left as `m:ss`."""
        left = self._planned[name].total() - self._graded[name].total()
        until = self._clock() if left > 0 else self._last_at.get(name, 0.0)  # the speed of what is done stays
        elapsed = until - self._begun[name] if name in self._begun else 0.0
        rate = self._tokens[name] / elapsed if elapsed > 0 and self._tokens[name] else None
        if left <= 0:
            return rate, "done"
        if elapsed <= 0:
            return rate, ""
        minutes, seconds = divmod(round(elapsed / self._fresh[name] * left), 60)
        return rate, f"{minutes}:{seconds:02}"

    def _print_now_and_then(self, name: str) -> None:
        last = self._graded[name].total() == self._planned[name].total()
        if self._console.is_terminal or (self._clock() < self._line_at + _LINE_EVERY_S and not last):
            return
        self._line_at = self._clock()
        asked, *so_far, rate, failures, left = self._cells(name)
        titles = [wording.name(benchmark) for benchmark in self._planned[name]]
        counts = ", ".join(f"{title} {text}" for title, text in zip(titles, so_far, strict=True) if text)
        left = left if left == "done" else f"time left {left}"
        line = f"{name}: {asked}; {counts}; {rate} tokens/s; {failures} failed; {left}"
        self._console.print(Text(line), soft_wrap=True)

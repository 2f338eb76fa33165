"""What a run shows in the terminal while it is going on: its events, and a live table."""

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console, ConsoleRenderable
from rich.live import Live as LiveTable
from rich.text import Text

from evaluator.decide.wording import listed, name
from evaluator.events import (
    Begun,
    Checked,
    Checking,
    Described,
    Event,
    Graded,
    NotScored,
    Planned,
    Status,
    Unfinished,
)
from evaluator.report import checking, progress
from evaluator.report.preflight import findings
from evaluator.report.server import describe
from evaluator.report.tally import Tally
from evaluator.store.live import Live
from evaluator.study.study import Study
from evaluator.text import strip_control

LINE_EVERY_S = 15.0


def is_animated(console: Console) -> bool:
    """Whether lines can be drawn again; a dumb terminal cannot."""
    return console.is_terminal and not console.is_dumb_terminal


def drawn(live: Live, console: Console) -> ConsoleRenderable:
    """Draw how a run stands: what is checked, or how far the questions are."""
    if live.phase in ("starting", "checking"):
        return checking.checks(live, console)
    return progress.drawing(live, console)


class Display:
    """Shows events; `with` ends the live table, whatever happens."""

    def __init__(self, console: Console, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin; `quiet` shows nothing but what blocks the claim."""
        self._console, self._quiet, self._clock = console, quiet, clock
        self._tally = Tally(clock)
        self._lines = Lines(console, clock)
        self._table = LiveTable(get_renderable=self.drawing, console=console, refresh_per_second=4, transient=True)
        self._reading = console.status(Text("reading the study, and the files of its models", "dim"))
        self._unfinished: list[Unfinished] = []
        self._draws = is_animated(console) and not quiet

    def __enter__(self) -> Self:
        if self._draws:
            self._reading.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._reading.stop()
        self._table.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self._reading.stop()
        self._tally.add(event)
        if isinstance(event, Unfinished):
            self._unfinished.append(event)
        elif isinstance(event, Checked):
            self._show_findings(event)
        elif not self._quiet:
            self._show(event)

    def drawing(self) -> ConsoleRenderable:
        """Draw how the run stands now."""
        return drawn(self._tally.look(), self._console)

    def _show(self, event: Event) -> None:
        if self._draws and isinstance(event, Checking | Planned):
            self._table.start()  # not earlier: a model may be fetched, which has a bar of its own
        match event:
            case Described(_, facts, warnings):
                for label, value in describe(facts):
                    self._line(f"{label}: {strip_control(value)}")
                for sentence in warnings:
                    self._line(("warn ", "yellow"), strip_control(sentence))
            case Begun(study, busy):
                self._line(opening(study))
                if busy:
                    self._line(("note ", "dim"), busy)
            case NotScored(benchmarks, reason, remedy):
                self._line((f"{' and '.join(benchmarks)} will not be scored: ", "bold red"), f"{reason}\n{remedy}")
            case Checking(variant, text, ended=True) if self._draws:
                self._line((f"{variant}: {strip_control(text)}", "dim"))
            case Checking() | Status() | Graded() if not self._draws:
                self._lines.show(event, self._tally)
            case _:
                pass

    def _show_findings(self, event: Checked) -> None:
        worth = ("block",) if self._quiet else ("block", "warn")
        for renderable in findings([check for check in event.checks if check.severity in worth]):
            self._console.print(renderable)

    def _line(self, *parts: str | tuple[str, str]) -> None:
        """Print text, parts of it in a style; folded between words, and only where somebody looks."""
        self._console.print(Text.assemble(*parts), soft_wrap=not self._console.is_terminal)

    def show_logs(self) -> None:
        """Show the end of the log of each variant that could not be finished."""
        for event in self._unfinished:
            _, _, details = event.why.partition("\n")
            if details:
                self._console.print(Text(strip_control(f"\n{event.variant}: {details}")), soft_wrap=True)


class Lines:
    """Prints how a run goes on where nothing can be drawn again: a line now and then."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._line_at = clock()
        self._wait_line_at: dict[str, float] = {}
        self._step: dict[str, str] = {}
        """By variant what was printed last of its check, without numbers of requests."""

    def show(self, event: Checking | Status | Graded, tally: Tally) -> None:
        """Show one event that the tally has taken in."""
        match event:
            case Checking(variant, text) if event.ended or text != self._step.get(variant) or self._is_due():
                self._step[variant] = text
                self._print(f"{variant}: {checking.step(tally.look_at(variant))}", "dim")
            case Status(variant, _, seconds) if seconds:
                self._show_wait(variant, progress.waiting(tally.look_at(variant)), seconds)
            case Status(variant, text):
                self._console.print(Text(f"{variant}: {strip_control(text)}"), soft_wrap=True)
            case Graded(record, _, earlier):
                mine = tally.look_at(record.variant)
                if self._is_due() or mine.asked == mine.planned or (mine.phase == "done" and not earlier):
                    self._show_counts(record.variant, tally.look())
            case _:
                pass

    def _show_counts(self, variant: str, live: Live) -> None:
        mine = next(each for each in live.variants if each.variant == variant)
        self._print(progress.line(mine, at_most=live.at_most))

    def _show_wait(self, variant: str, text: str, seconds: float) -> None:
        now = self._clock()
        if text and now >= self._wait_line_at.get(variant, now):
            self._wait_line_at[variant] = now + max(seconds, LINE_EVERY_S)
            self._console.print(Text(f"{variant}: {text}"), soft_wrap=True)

    def _is_due(self) -> bool:
        return self._clock() >= self._line_at + LINE_EVERY_S

    def _print(self, text: str, style: str = "") -> None:
        self._line_at = self._clock()
        self._console.print(Text(text, style), soft_wrap=True)


def opening(study: Study) -> str:
    """Say in one sentence what is going to be asked of whom."""
    names = [variant.name for variant in study.variants]
    who = names[0] if len(names) == 1 else f"{len(names)} variants ({listed(names)})"
    what = listed(f"{settings.questions} {name(key)}" for key, settings in study.benchmarks.chosen().items())
    each = "" if len(names) == 1 else " each"
    return f"{study.study}: {what} questions{each} for {who}"

"""What the events of a run add up to: counts, speed and time left of each variant. Nothing is drawn here."""

import threading
import time
from collections.abc import Callable, Iterable

from evaluator import __version__
from evaluator.decide.score import NO_GRADE
from evaluator.decide.wording import name as title
from evaluator.events import Analysing, Begun, Checked, Checking, Event, Graded, Planned, Settled, Status, Unfinished
from evaluator.records import OUTCOMES, Key, Outcome, Record
from evaluator.report.time_left import Pace, seconds_left
from evaluator.store.keys import Marks, Numbers
from evaluator.store.live import BenchmarkProgress, Incident, Live, Phase, VariantPhase, VariantProgress
from evaluator.text import one_line, shortened

_LONGEST_TEXT = 200
"""Characters of what a server says."""


class _Benchmark:
    """One benchmark of one variant."""

    def __init__(self, numbers: Numbers) -> None:
        self.planned = self.scored = self.correct = 0
        self.outcomes = Marks(numbers)
        """Each as its place in the list of outcomes, from 1."""
        self.wanted = Marks(numbers)
        """What is still to be asked in this run."""

    def add(self, key: Key, outcome: Outcome) -> None:
        """Count one grade; of a question that was asked again, the last one."""
        before = self.outcome(key)
        self.outcomes[key] = OUTCOMES.index(outcome) + 1
        self.scored += (outcome not in NO_GRADE) - (before is not None and before not in NO_GRADE)
        self.correct += (outcome == "correct") - (before == "correct")

    def outcome(self, key: Key) -> Outcome | None:
        """Return the last outcome of a question; None where there was none."""
        mark = self.outcomes[key]
        return OUTCOMES[mark - 1] if mark else None


class _Variant:
    """One variant: what is planned, what came of it, and how fast."""

    def __init__(self) -> None:
        self.phase: VariantPhase = "waiting"
        self.benchmarks: dict[str, _Benchmark] = {}
        self.now = ""
        self.failed = 0
        self.pace = Pace()
        self.server = self.wait = ""
        self.wait_until = 0.0
        self.checked = self.checks = 0

    def part(self, benchmark: str, numbers: Numbers) -> _Benchmark:
        """Return one benchmark of it, a new one where there was none."""
        if benchmark not in self.benchmarks:
            self.benchmarks[benchmark] = _Benchmark(numbers)
        return self.benchmarks[benchmark]

    def left(self) -> dict[str, int]:
        """Return by benchmark how many questions are still to be asked in this run."""
        if self.phase == "lost":
            return {}
        return {name: len(part.wanted) for name, part in self.benchmarks.items() if part.wanted}

    def end_if_done(self) -> None:
        if self.phase != "lost" and not self.left():
            self.phase = "done"
            self.pace.pause()

    def look(self, name: str, at: float, left_s: float | None) -> VariantProgress:
        waits = self.wait_until > at
        return VariantProgress(
            variant=name,
            phase=self.phase,
            benchmarks=tuple(
                BenchmarkProgress(
                    benchmark=name,
                    planned=max(part.planned, len(part.outcomes)),
                    asked=len(part.outcomes),
                    scored=part.scored,
                    correct=part.correct,
                )
                for name, part in self.benchmarks.items()
            ),
            now=self.now,
            failed=self.failed,
            tokens_per_second=self.pace.tokens_per_second(at),
            left_s=left_s,
            server=self.server,
            wait=self.wait if waits else "",
            wait_s=self.wait_until - at if waits else 0.0,
            checked=self.checked,
            checks=self.checks,
        )


class Tally:
    """Takes in the events of a run and tells how it stands; both from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._study, self._numbers = "", Numbers()
        self._repeats: dict[str, int] = {}
        self._phase: Phase = "starting"
        self._parallel = self._at_most = False
        self._variants: dict[str, _Variant] = {}
        self._incident: tuple[str, str, float] | None = None

    def add(self, event: Event) -> None:
        """Take in one event."""
        with self._lock:
            self._add(event, self._clock())

    def look(self) -> Live:
        """Tell how the run stands now."""
        with self._lock:
            return self._look(self._clock())

    def look_at(self, variant: str) -> VariantProgress:
        """Tell how one variant stands now, without the time left, which takes longer."""
        with self._lock:
            return self._of(variant).look(variant, self._clock(), None)

    def _add(self, event: Event, at: float) -> None:
        match event:
            case Begun(study):
                self._study, self._parallel, self._at_most = study.study, study.parallel, study.decide.mode != "fixed"
                self._repeats = {name: settings.repeats for name, settings in study.benchmarks.chosen().items()}
                self._variants = {variant.name: _Variant() for variant in study.variants}
            case Checking():
                self._phase = "checking"
                self._check(event)
            case Checked() | Analysing():
                self._phase = "writing" if isinstance(event, Analysing) else "starting"
            case Planned():
                self._phase = "asking"
                self._plan(event)
            case Status():
                self._take_status(event, at)
            case Graded(record, grade, earlier):
                self._take_grade(record, grade.outcome, at, earlier=earlier)
            case Settled(variant, benchmark, again):
                self._settle(self._of(variant), benchmark, again=again)
            case Unfinished(variant, why):
                self._of(variant).phase, self._of(variant).server = "lost", _line(why)
            case _:
                pass

    def _of(self, variant: str) -> _Variant:
        return self._variants.setdefault(variant, _Variant())

    def _check(self, event: Checking) -> None:
        mine = self._of(event.variant)
        mine.phase = "waiting" if event.ended else "checking"
        mine.server = _line(f"{event.text} {event.what}")
        mine.checked, mine.checks = event.done, event.planned

    def _plan(self, event: Planned) -> None:
        for variant, keys in event.keys.items():
            mine = self._of(variant)
            mine.phase, mine.server, mine.checked, mine.checks = "waiting", "", 0, 0
            for key in keys:
                mine.part(key.benchmark, self._numbers).planned += 1
            for key in event.wanted.get(variant, ()):
                mine.benchmarks[key.benchmark].wanted[key] = 1
            mine.end_if_done()

    def _take_status(self, event: Status, at: float) -> None:
        mine, text = self._of(event.variant), _line(event.text)
        if event.trouble:
            self._incident = event.variant, f"{text} {event.seconds:.0f} s" if event.seconds else text, at
        if event.seconds:
            if at + event.seconds > mine.wait_until:  # of several, the one that takes longest
                mine.wait, mine.wait_until = text, at + event.seconds
            return
        mine.server = text
        if event.trouble != "busy":  # a busy server goes on
            mine.pace.pause()
        if event.trouble == "lost":
            mine.phase = "lost"
        elif mine.phase != "lost" and mine.left():
            self._has_the_turn(mine)

    def _has_the_turn(self, mine: _Variant) -> None:
        for other in [] if self._parallel else self._variants.values():
            if other is not mine and other.phase == "asking":
                other.phase = "waiting"
                other.pace.pause()
        mine.phase = "asking"

    def _take_grade(self, record: Record, outcome: Outcome, at: float, *, earlier: bool) -> None:
        mine, key, answer = self._of(record.variant), record.key, record.answer
        part = mine.part(key.benchmark, self._numbers)
        mine.failed += (outcome == "failed") - (part.outcome(key) == "failed")
        part.add(key, outcome)
        mine.now = key.benchmark
        if earlier:
            return
        part.wanted[key] = 0
        if mine.phase == "waiting":
            self._has_the_turn(mine)
        seconds, tokens = (answer.duration_s, answer.completion_tokens or 0) if answer else (0.0, 0)
        mine.pace.add(key.benchmark, at, seconds=seconds, tokens=tokens)
        if went_wrong := _went_wrong(record):
            self._incident = record.variant, went_wrong, at
        mine.end_if_done()

    def _settle(self, mine: _Variant, benchmark: str, *, again: bool) -> None:
        """Nothing more is wanted of a benchmark: of what is asked for the verdict, or of what is asked once more."""
        part = mine.benchmarks.get(benchmark)
        if part is None:
            return
        repeats = self._repeats.get(benchmark, 1)
        for key in [key for key in part.wanted if (key.repeat >= repeats) is again]:
            part.wanted[key] = 0
            part.planned -= again
        mine.end_if_done()

    def _look(self, at: float) -> Live:
        left = {name: mine.left() for name, mine in self._variants.items() if mine.benchmarks}
        seconds = seconds_left(left, {name: mine.pace.seconds_each(at) for name, mine in self._variants.items()})
        return Live(
            study=self._study,
            whichquant=__version__,
            phase=self._phase,
            variants=tuple(mine.look(name, at, seconds.get(name)) for name, mine in self._variants.items()),
            at_most=self._at_most,
            left_s=self._total(seconds.values()),
            incident=self._last_incident(at),
        )

    def _total(self, seconds: Iterable[float | None]) -> float | None:
        known = [value for value in seconds if value is not None]
        if not known or len(known) < len(self._variants):
            return None
        return max(known, default=0.0) if self._parallel else sum(known)

    def _last_incident(self, at: float) -> Incident | None:
        if self._incident is None:
            return None
        variant, text, since = self._incident
        return Incident(variant=variant, text=text, ago_s=max(0.0, at - since))


def _went_wrong(record: Record) -> str:
    """Say what went wrong with a question, in one line; empty where nothing did."""
    last = record.failure or (record.attempts[-1] if record.attempts else None)
    if last is None:
        return ""
    where = one_line(f"{title(record.key.benchmark)} question {record.key.question_id}")
    what = "not answered" if record.failure else "answered when asked again"
    return f"{where}: {_line(last.message or last.kind)}; {what}"


def _line(text: str) -> str:
    """Put the first line of a text into one that a terminal can bear."""
    return shortened(one_line(text.strip().partition("\n")[0]), _LONGEST_TEXT)

"""What the pictures of a report show, as numbers: points, intervals, margins, axes. Nothing is drawn here."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.comparison import Comparison
from evaluator.decide.score import Score
from evaluator.decide.sentences import interval_of
from evaluator.report import phrases
from evaluator.report.axis import Axis, axis
from evaluator.stats.proportions import Interval
from evaluator.study.study import Prefer

_BEYOND = 6
"""Margins. Differences that reach farther are cut off at the axis: what lies near the margin must stay readable."""


class Measure(Struct, frozen=True, kw_only=True):
    """What quality is shown against."""

    kind: Prefer
    label: str
    values: Mapping[str, float]
    """By variant, of those of which it is known; in `label`'s unit."""
    decimals: int = 0


class Point(Struct, frozen=True, kw_only=True):
    """One variant in a picture. All values are proportions but `x`, which is in its axis's unit."""

    name: str
    kind: str
    """Of its verdict, as `kind` names it; `baseline`; or `alone` where nothing is compared."""
    at: float
    within: Interval | None
    """Drawn as whiskers; None where nothing is known of the uncertainty."""
    text: str = ""
    """The numbers, written out."""
    x: float = 0.0


class Panel(Struct, frozen=True, kw_only=True):
    """Quality against a measure, on one benchmark."""

    title: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]
    line: float | None
    """The baseline's accuracy; None where nothing is compared."""
    line_name: str = ""
    """Written on it."""
    band: tuple[float, float] | None
    """The margin around it."""
    unknown: tuple[str, ...] = ()
    """Variants whose measure or accuracy is not known; they have no point."""


class Rows(Struct, frozen=True, kw_only=True):
    """Values with intervals below each other, on one benchmark: a forest plot."""

    title: str
    axis: Axis
    rows: tuple[Point, ...]
    line: float | None
    """Zero for differences."""
    band: tuple[float, float] | None
    unknown: tuple[str, ...] = ()


def kind(verdict: str) -> str:
    """Return the kind of a verdict, as classes of the page's style and marks are named."""
    return next((word for word in ("worse", "better", "equivalent", "cannot") if word in verdict), "other")


def measures(report: Report) -> tuple[Measure, ...]:
    """Return what is known of at least one variant, what the study prefers first."""
    found = [_size(report), _speed(report), _memory(report)]
    known = [measure for measure in found if measure.values]
    return tuple(sorted(known, key=lambda measure: measure.kind != report.plan.study.prefer))


def _size(report: Report) -> Measure:
    return _in_bytes("size", "size of the model's file", {r.variant: r.file_bytes for r in report.resources})


def _memory(report: Report) -> Measure:
    return _in_bytes("memory", "largest memory", {r.variant: r.all_memory_bytes for r in report.resources})


def _in_bytes(kind: Prefer, what: str, found: Mapping[str, int | None]) -> Measure:
    known = {name: float(value) for name, value in found.items() if value}
    unit, name = (1e9, "GB") if max(known.values(), default=0) >= 1e9 else (1e6, "MB")
    values = {variant: value / unit for variant, value in known.items()}
    return Measure(kind=kind, label=f"{what} ({name})", values=values, decimals=1)


def _speed(report: Report) -> Measure:
    """Give the speed that a recommendation speaks of: of one request alone where that was measured of all."""
    alone = {r.variant: r.alone.tokens_per_second for r in report.resources if r.alone and r.alone.tokens_per_second}
    if alone and all(r.variant in alone for r in report.resources if r.alone or r.tokens_per_second):
        label = "tokens per second, one request alone"
        return Measure(kind="speed", label=label, values=alone)
    label = f"tokens per second, {phrases.in_flight(report)}"
    speeds = {r.variant: r.tokens_per_second for r in report.resources if r.tokens_per_second}
    return Measure(kind="speed", label=label, values=speeds)


def quality(report: Report, benchmark: str, measure: Measure) -> Panel | None:
    """Show accuracy against a measure; None where no variant has both."""
    points = _points(report, benchmark)
    known = [replace(point, x=measure.values[point.name]) for point in points if point.name in measure.values]
    if not known:
        return None
    line, band = _baseline(report, benchmark)
    return Panel(
        title=wording.name(benchmark),
        x=axis([point.x for point in known], measure.label, plain, most=5, least=0.0),
        y=_accuracies(known, band),
        points=tuple(known),
        line=line,
        band=band,
        unknown=_missing(report, [point.name for point in known]),
    )


def accuracies(report: Report, benchmark: str) -> Rows | None:
    """Show the accuracies alone, for a run of which no measure is known or that has one variant."""
    points = _points(report, benchmark)
    if not points:
        return None
    line, band = _baseline(report, benchmark)
    return Rows(
        title=wording.name(benchmark),
        axis=_accuracies(points, band),
        rows=points,
        line=line,
        band=band,
        unknown=_missing(report, [point.name for point in points]),
    )


def differences(report: Report, benchmark: str) -> Rows | None:
    """Show the differences to the baseline with the intervals that the verdicts rest on; None without any."""
    compared = phrases.against(report, benchmark)
    rows = tuple(_difference(c) for c in compared.values() if c.difference is not None)
    if not rows:
        return None
    margin = next(iter(compared.values())).margin
    ends = [end for row in rows if row.within for end in (row.within.low, row.within.high)]
    reach = _BEYOND * margin
    shown = [min(max(end, -reach), reach) for end in (*ends, *(row.at for row in rows))]
    return Rows(
        title=wording.name(benchmark),
        axis=axis((*shown, -1.5 * margin, 1.5 * margin), "points against the baseline", _signed, most=7),
        rows=rows,
        line=0.0,
        band=(-margin, margin),
        unknown=tuple(c.variant for c in compared.values() if c.difference is None),
    )


def _points(report: Report, benchmark: str) -> tuple[Point, ...]:
    return tuple(_point(report, score) for score in phrases.rows(report, benchmark) if score.accuracy is not None)


def _point(report: Report, score: Score) -> Point:
    """Place a variant so far from the baseline as the paired answers say, for its whiskers to say what they say."""
    accuracy, baseline = score.accuracy or 0.0, report.plan.study.baseline
    text = f"{wording.percent(accuracy)} ({wording.correct(score)})"
    if phrases.has_one_variant(report):
        return Point(name=score.variant, kind="alone", at=accuracy, within=score.interval, text=text)
    if score.variant == baseline:
        return Point(name=score.variant, kind="baseline", at=accuracy, within=None, text=text)
    c = phrases.against(report, score.benchmark).get(score.variant)
    line, _ = _baseline(report, score.benchmark)
    if c is None or c.difference is None or line is None:
        return Point(name=score.variant, kind="other", at=accuracy, within=None, text=f"{text}, not comparable")
    interval = interval_of(c)
    within = interval and Interval(line + interval.low, line + interval.high, interval.level)
    text = f"{text}, {c.verdict}"
    return Point(name=score.variant, kind=kind(c.verdict), at=line + c.difference, within=within, text=text)


def _difference(c: Comparison) -> Point:
    interval, difference = interval_of(c), c.difference or 0.0
    within = f" ({wording.signed_span(interval)})" if interval else ""
    text = f"{wording.signed_points(difference)}{within}"
    return Point(name=c.variant, kind=kind(c.verdict), at=difference, within=interval, text=text)


def _baseline(report: Report, benchmark: str) -> tuple[float | None, tuple[float, float] | None]:
    study = report.plan.study
    if phrases.has_one_variant(report):
        return None, None
    own = [s.accuracy for s in report.scores if (s.variant, s.benchmark) == (study.baseline, benchmark)]
    accuracy = own[0] if own else None
    if accuracy is None:
        return None, None
    margin = study.benchmarks.chosen()[benchmark].margin / 100
    return accuracy, (accuracy - margin, accuracy + margin)


def _accuracies(points: Sequence[Point], band: tuple[float, float] | None) -> Axis:
    ends = [end for p in points if p.within for end in (p.within.low, p.within.high)]
    values = [*ends, *(p.at for p in points), *(band or ())]
    inside = [min(max(value, 0.0), 1.0) for value in values]
    return axis(inside, "accuracy", _percent, most=5, least=0.0, largest=1.0)


def _missing(report: Report, known: list[str]) -> tuple[str, ...]:
    return tuple(variant.name for variant in report.plan.study.variants if variant.name not in known)


def _percent(value: float, decimals: int) -> str:
    return f"{100 * value:.{max(0, decimals - 2)}f} %"


def _signed(value: float, decimals: int) -> str:
    return "0" if value == 0 else f"{100 * value:+.{max(0, decimals - 2)}f}".replace("-", "\u2212")


def plain(value: float, decimals: int) -> str:
    """Write a tick's value with its decimals."""
    return f"{value:,.{decimals}f}"

"""What the marks of a picture mean, and which interval each has."""

from collections.abc import Iterable

from msgspec import Struct

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.comparison import Comparison
from evaluator.decide.sentences import interval_kind, interval_of
from evaluator.report import phrases
from evaluator.report.drawing import SHAPES, Shape
from evaluator.report.picture import kind as kind_of

_WORDS = {
    "equivalent": "equivalent within the margin",
    "worse": "worse",
    "better": "better",
    "cannot": "cannot tell",
    "other": "not comparable",
}


class Meaning(Struct, frozen=True):
    """Of one kind of mark."""

    kind: str
    shape: Shape
    text: str
    """`worse: 95 %, simultaneous`: the verdict, and the interval that is drawn with it."""


def legend(report: Report, benchmarks: Iterable[str], *, baseline: bool) -> tuple[Meaning, ...]:
    """Explain the marks that the pictures of these benchmarks hold."""
    if phrases.has_one_variant(report):
        return (Meaning("alone", SHAPES["alone"], f"accuracy with its {wording.interval_label(0.95)} interval"),)
    found: dict[str, str] = {}
    shown = set(benchmarks)
    for comparison in report.comparisons:
        kind = kind_of(comparison.verdict)
        if comparison.benchmark in shown and (baseline or comparison.difference is not None):
            found.setdefault(kind, _meaning(kind, comparison))
    first = (
        (Meaning("baseline", SHAPES["baseline"], f"the baseline, {report.plan.study.baseline}"),) if baseline else ()
    )
    return (*first, *(Meaning(kind, SHAPES[kind], found[kind]) for kind in _WORDS if kind in found))


def _meaning(kind: str, comparison: Comparison) -> str:
    interval = interval_of(comparison)
    if interval is None or comparison.difference is None:
        return _WORDS[kind]
    label = wording.interval_label(
        interval.level, interval_kind(comparison.verdict, comparison.family), comparison.mode
    )
    return f"{_WORDS[kind]} ({label})"

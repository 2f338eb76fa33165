"""Answers of two variants that make up a given table, and their comparison, for the tests of verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any

from evaluator.decide.answers import Graded
from evaluator.decide.comparison import Comparison
from evaluator.decide.evidence import FIXED, Design
from evaluator.decide.samples import Repeats, Scores
from evaluator.decide.verdict import Rules, compare

Answers = dict[str, Repeats]
MARGINS = {"humaneval": 0.05, "mmlu_pro": 0.02}


def answers(both: int, only_a: int, only_b: int, neither: int) -> tuple[Answers, Answers]:
    """Give answers of variant A and baseline B that make up this table."""
    rows = [(True, True)] * both + [(True, False)] * only_a + [(False, True)] * only_b + [(False, False)] * neither
    return {f"q{i}": (a,) for i, (a, _) in enumerate(rows)}, {f"q{i}": (b,) for i, (_, b) in enumerate(rows)}


def repeats(correct: Sequence[int], total: int = 5) -> Answers:
    """Give one question per number: so many of its `total` repeats are correct."""
    return {f"q{i}": (True,) * k + (False,) * (total - k) for i, k in enumerate(correct)}


def compared(
    scores: Scores,
    *,
    baseline: str = "q8_0",
    margins: Mapping[str, float] = MARGINS,
    alpha: float = 0.05,
    design: Design = FIXED,
    totals: Mapping[str, int] = {},
    again: Mapping[str, Answers] = {},
    **further: Any,
) -> tuple[Comparison, ...]:
    """Compare all variants with the baseline; `further` is what is blocked, and the paces."""
    rules = Rules(baseline=baseline, margins=margins, alpha=alpha, design=design, totals=totals)
    return compare(Graded(answers=scores, again=again), rules, **further)


def q4_beside_q8(ours: Answers, theirs: Answers, benchmark: str = "humaneval", **options: Any) -> Comparison:
    """Compare q4_0 with the baseline q8_0 on one benchmark; `options` are those of `compared`."""
    (comparison,) = compared({"q8_0": {benchmark: theirs}, "q4_0": {benchmark: ours}}, **options)
    return comparison

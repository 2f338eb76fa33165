"""Answers of two variants that make up a given table, for the tests of verdicts."""

from collections.abc import Sequence

from evaluator.decide.evidence import Repeats

Answers = dict[str, Repeats]
MARGINS = {"humaneval": 0.05, "mmlu_pro": 0.02}


def answers(both: int, only_a: int, only_b: int, neither: int) -> tuple[Answers, Answers]:
    """Answers of variant A and baseline B that make up this table."""
    rows = [(True, True)] * both + [(True, False)] * only_a + [(False, True)] * only_b + [(False, False)] * neither
    return {f"q{i}": (a,) for i, (a, _) in enumerate(rows)}, {f"q{i}": (b,) for i, (_, b) in enumerate(rows)}


def repeats(correct: Sequence[int], of: int = 5) -> Answers:
    """One question per number: so many of its repeats are correct."""
    return {f"q{i}": (True,) * k + (False,) * (of - k) for i, k in enumerate(correct)}

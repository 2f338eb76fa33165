"""Accuracy of each variant in each category of a benchmark: to be looked at, nothing is tested here."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean

from msgspec import Struct

from evaluator.decide.score import accuracy_interval, per_question
from evaluator.records import Grade
from evaluator.stats.proportions import Interval


class CategoryScore(Struct, frozen=True, kw_only=True):
    """Accuracy of one variant in one category, strict as that of the whole benchmark; proportions."""

    variant: str
    benchmark: str
    category: str
    """As the benchmark names it."""
    questions: int
    """With a graded reply."""
    accuracy: float
    """Share of these with a right answer."""
    interval: Interval | None
    """As that of the whole accuracy, at 95 %, this category alone; None where it cannot be had."""


def by_category(
    grades: Mapping[tuple[str, str], Iterable[Grade]],
    categories: Mapping[str, Mapping[str, str]],
    repeated: Mapping[str, Mapping[str, str]] = {},
) -> tuple[CategoryScore, ...]:
    """Score each variant in each category, these in alphabetical order.

    Args:
        grades: By variant and benchmark.
        categories: By benchmark and question id its category; benchmarks without categories are left out.
        repeated: By benchmark and id of each question whose text stands more than once, what stands for that text.
    """
    return tuple(
        score
        for (variant, benchmark), mine in grades.items()
        if benchmark in categories
        for score in _scores(variant, benchmark, mine, categories[benchmark], repeated.get(benchmark, {}))
    )


def _scores(
    variant: str,
    benchmark: str,
    grades: Iterable[Grade],
    categories: Mapping[str, str],
    repeated: Mapping[str, str],
) -> Iterator[CategoryScore]:
    correctness: dict[str, dict[str, tuple[bool, ...]]] = defaultdict(dict)
    for question, replies in per_question(grades).items():
        if question in categories:
            correctness[categories[question]][question] = replies
    for category, questions in sorted(correctness.items()):
        yield CategoryScore(
            variant=variant,
            benchmark=benchmark,
            category=category,
            questions=len(questions),
            accuracy=fmean(fmean(replies) for replies in questions.values()),
            interval=accuracy_interval(questions, repeated),
        )

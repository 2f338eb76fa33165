"""Effect of the output limit on a score: accuracy and cut-off replies as they would have been with fewer tokens."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from msgspec import Struct

from evaluator.benchmarks import BENCHMARKS
from evaluator.decide.score import NO_GRADE
from evaluator.grade.cut import ends_early
from evaluator.grade.outline import Outline
from evaluator.records import Grade
from evaluator.study.study import Study

LIMITS = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
_MATTERS = 0.01


class Point(Struct, frozen=True, kw_only=True):
    """The score that the replies would have had with this limit; proportions."""

    limit: int
    """Tokens that a reply may have, thinking included."""
    accuracy: float
    """Strict: a reply that is cut off is wrong. Averaged over questions, as scores are."""
    truncated: float
    """Share of the replies that are cut off."""
    answered_only: float | None
    """Of the replies that hold an answer; None where none does."""


class Budget(Struct, frozen=True, kw_only=True):
    """One variant on one benchmark."""

    variant: str
    benchmark: str
    replies: int
    """Graded replies whose tokens the server counted."""
    uncounted: int
    """Graded replies without a token count from the server: they are left out."""
    points: tuple[Point, ...]
    """In ascending order; the last limit is the largest that was used, and nothing is known beyond."""
    cut_off: int
    """Replies that were cut off at the limit used: what more tokens would have changed is not known."""
    sentence: str
    """The effect of the largest limit that lowers the score; empty where no lower limit changes anything."""


class _Reply(NamedTuple):
    tokens: int
    limit: int
    grade: Grade


def budgets(study: Study, records: Iterable[Outline], grades: Iterable[Grade]) -> tuple[Budget, ...]:
    """Score each variant and benchmark with smaller limits, where these would have changed anything.

    A table of a benchmark has all its variants as soon as one of them has replies long enough to matter. Answers
    beyond the planned repeats do not count, nor do completions of raw text: with fewer tokens they may be whole.
    """
    settings = study.benchmarks.chosen()
    asked: dict[tuple[str, str], list[Outline]] = defaultdict(list)
    for record in records:
        chosen = settings.get(record.key.benchmark)
        if chosen is not None and record.key.repeat < chosen.repeats and chosen.format == "chat":
            asked[record.variant, record.key.benchmark].append(record)
    graded: dict[tuple[str, str], list[Grade]] = defaultdict(list)
    for grade in grades:
        graded[grade.variant, grade.key.benchmark].append(grade)
    parts = [(variant.name, benchmark) for benchmark in settings for variant in study.variants]
    known = [budget for part in parts if (budget := _budget(*part, asked[part], graded[part]))]
    matters = {budget.benchmark for budget in known if budget.sentence}
    return tuple(budget for budget in known if budget.benchmark in matters)


def _point(replies: Sequence[_Reply], limit: int) -> Point:
    # A reply asked again with more tokens had been cut off at the smallest limit, though its text is a newer one.
    least = min(reply.limit for reply in replies)
    cut = [reply.tokens > limit or reply.limit > least >= limit for reply in replies]
    outcomes = ["truncated" if is_cut else reply.grade.outcome for reply, is_cut in zip(replies, cut, strict=True)]
    correct = outcomes.count("correct")
    answered = correct + outcomes.count("wrong")
    right: dict[str, list[bool]] = defaultdict(list)
    for reply, outcome in zip(replies, outcomes, strict=True):
        right[reply.grade.key.question_id].append(outcome == "correct")
    return Point(
        limit=limit,
        accuracy=fmean(map(fmean, right.values())),
        truncated=outcomes.count("truncated") / len(outcomes),
        answered_only=correct / answered if answered else None,
    )


def _replies(records: Iterable[Outline], grades: Iterable[Grade]) -> tuple[list[_Reply], int]:
    """Pair records with their grades; also count those without a token count."""
    graded = {grade.key: grade for grade in grades if grade.outcome not in NO_GRADE}
    pairs = [(record, record.reply, graded[record.key]) for record in records if record.key in graded]
    counted = [
        _Reply(reply.tokens, record.limit or reply.tokens, grade)
        for record, reply, grade in pairs
        if reply and reply.tokens is not None
    ]
    return counted, len(pairs) - len(counted)


def _is_cut_off(reply: _Reply) -> bool:
    return reply.grade.outcome == "truncated" and not ends_early(reply.tokens, reply.limit)


def _used(replies: Sequence[_Reply]) -> int:
    return max((reply.limit for reply in replies), default=0)


def _budget(variant: str, benchmark: str, records: Iterable[Outline], grades: Iterable[Grade]) -> Budget | None:
    replies, uncounted = _replies(records, grades)
    if not replies:
        return None
    used = _used(replies)
    points = tuple(_point(replies, limit) for limit in (*(limit for limit in LIMITS if limit < used), used))
    return Budget(
        variant=variant,
        benchmark=benchmark,
        replies=len(replies),
        uncounted=uncounted,
        points=points,
        cut_off=sum(_is_cut_off(reply) for reply in replies),
        sentence=_sentence(variant, benchmark, points),
    )


def _sentence(variant: str, benchmark: str, points: Sequence[Point]) -> str:
    """Describe the largest smaller limit that would have cost a point, or else have changed anything."""
    last = points[-1]
    costly = [p for p in points[:-1] if last.accuracy - p.accuracy >= _MATTERS]
    changing = [p for p in points[:-1] if (p.accuracy, p.truncated) != (last.accuracy, last.truncated)]
    if not changing:
        return ""
    point = (costly or changing)[-1]
    scored = f"{100 * point.accuracy:.1f} % instead of {100 * last.accuracy:.1f} %"
    if point.accuracy == last.accuracy:
        scored = f"the same {100 * last.accuracy:.1f} %"
    cut = f"{100 * point.truncated:.0f} %" if point.truncated >= 0.01 else "less than 1 %"
    name = BENCHMARKS[benchmark].title
    return f"With {point.limit:,} tokens {variant} would have scored {scored} on {name}, with {cut} of the replies cut."

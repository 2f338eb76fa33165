"""Scores of one variant on one benchmark: counts, accuracy in three forms, rates of failures, speed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import NamedTuple

from msgspec import Struct

from evaluator.grade.outline import Outline
from evaluator.records import OUTCOMES, Grade, Outcome
from evaluator.stats.clusters import clustered_error, clustered_share, design_effect
from evaluator.stats.proportions import Interval, pass_at_k, wilson, wilson_share
from evaluator.stats.repeats import mean_interval
from evaluator.stats.strata import Estimate, stratified_mean

UNANSWERED: tuple[Outcome, ...] = ("truncated", "empty", "unparsed", "refused")
NO_GRADE = frozenset({"failed", "not_scored"})
"""Outcomes that say nothing about the model."""


class Rate(Struct, frozen=True):
    """A count of replies and its proportion."""

    count: int
    """Replies of this kind."""
    of: int
    """All replies that are counted."""
    share: float
    """`count` over `of`."""
    interval: Interval
    """Wilson's, 95 %; where questions have several replies, at the effective number of replies."""


class Score(Struct, frozen=True, kw_only=True):
    """Accuracy of one variant on one benchmark, as proportions."""

    variant: str
    benchmark: str
    planned: int
    """Requests that the study asks for."""
    outcomes: dict[Outcome, int]
    """How many replies had each outcome; those that none had are left out."""
    questions: int
    """Questions with a graded reply."""
    accuracy: float | None
    """Strict: of the graded replies, whatever is not correct is wrong. None when there are none."""
    interval: Interval | None
    """Wilson's for one answer a question; of the mean over questions where there are more."""
    answered_only: float | None
    """Of the replies that hold an answer, averaged over questions as the accuracy is."""
    bounds: tuple[float, float] | None
    """All replies without an answer wrong, and all of them right; failures of transport included."""
    rates: dict[str, Rate]
    """How often a reply was truncated, empty, unparsed or refused, of the graded ones; how often asking failed."""
    stratified: Estimate | None
    """Accuracy if every category had its share of the whole benchmark; None where there are no categories."""
    pass_at_k: dict[int, float]
    """Mean over questions of the unbiased estimate, for k = 1 and k = repeats."""
    mean_tokens: float | None
    """Completion tokens of a reply, thinking included."""
    tokens_per_second: float | None
    """Completion tokens of all requests, over the time in which at least one was in flight."""
    first_token_s: float | None
    """Seconds from sending to the first token, median."""

    @property
    def no_reply(self) -> int:
        """Requests that failed or were never sent."""
        return self.planned - sum(self.outcomes.values()) + self.outcomes.get("failed", 0)

    @property
    def graded(self) -> int:
        """Replies that were graded."""
        return sum(count for outcome, count in self.outcomes.items() if outcome not in NO_GRADE)

    @property
    def unanswered(self) -> int:
        """Graded replies without a readable answer."""
        return sum(self.outcomes.get(outcome, 0) for outcome in UNANSWERED)


def score(
    variant: str,
    benchmark: str,
    *,
    planned: int,
    records: Iterable[Outline],
    grades: Iterable[Grade],
    categories: Mapping[str, str] = {},
    sizes: Mapping[str, int] = {},
    repeated: Mapping[str, str] = {},
) -> Score:
    """Count and average the records and grades of one variant on one benchmark.

    Args:
        variant: Its name.
        benchmark: Its name.
        planned: Requests that the study asks for.
        records: Of this variant and benchmark.
        grades: Of the same.
        categories: By question id, its category; empty where the benchmark has none.
        sizes: By category, how many questions the whole benchmark has in it.
        repeated: By question id, where its text stands more than once, what stands for all of that text.

    Raises:
        ValueError: a category has no size, or more questions were asked in it than that.
    """
    grades = list(grades)
    counts = Counter(grade.outcome for grade in grades)
    correctness = per_question(grades)
    without_unanswered, speed = _without_unanswered(grades), speed_of(list(records))
    return Score(
        variant=variant,
        benchmark=benchmark,
        planned=planned,
        outcomes={outcome: counts[outcome] for outcome in OUTCOMES if counts[outcome]},
        questions=len(correctness),
        accuracy=_accuracy(correctness),
        interval=accuracy_interval(correctness, repeated),
        answered_only=without_unanswered.answered_only,
        bounds=without_unanswered.bounds,
        rates=_rates(grades, repeated),
        stratified=_stratified(correctness, categories, sizes, repeated),
        pass_at_k=_pass_at_k(correctness),
        mean_tokens=speed.mean_tokens,
        tokens_per_second=speed.tokens_per_second,
        first_token_s=speed.first_token_s,
    )


def per_question(grades: Iterable[Grade]) -> dict[str, tuple[bool, ...]]:
    """Collect for each question whether each of its graded replies is correct, in the order of repeats."""
    replies: dict[str, dict[int, bool]] = defaultdict(dict)
    for grade in grades:
        if grade.outcome not in NO_GRADE:
            replies[grade.key.question_id][grade.key.repeat] = grade.outcome == "correct"
    return {question: tuple(correct[i] for i in sorted(correct)) for question, correct in replies.items()}


def _accuracy(correctness: Mapping[str, tuple[bool, ...]]) -> float | None:
    return fmean(fmean(replies) for replies in correctness.values()) if correctness else None


def accuracy_interval(correctness: Mapping[str, tuple[bool, ...]], repeated: Mapping[str, str] = {}) -> Interval | None:
    """Return an accuracy's 95 % interval: Wilson's for one reply a question, of the mean over questions for more.

    Args:
        correctness: By question whether each of its replies is correct, as `per_question` gives it.
        repeated: By question id, where its text stands more than once, what stands for all of that text.
    """
    if not correctness:
        return None
    shares, clusters = [fmean(replies) for replies in correctness.values()], _clusters(correctness, repeated)
    if all(len(replies) == 1 for replies in correctness.values()):
        return clustered_share(shares, clusters)
    if len(correctness) == 1:
        return None
    if min(shares) == max(shares):  # a mean's interval would have no width, which would be too certain
        return wilson_share(shares[0], len(shares) / design_effect(shares, clusters))
    around = mean_interval(shares, effect=design_effect(shares, clusters))
    return Interval(low=max(around.low, 0.0), high=min(around.high, 1.0), level=around.level)


class _Unanswered(NamedTuple):
    """What the accuracy would be if replies without an answer counted differently."""

    answered_only: float | None
    bounds: tuple[float, float] | None


def _without_unanswered(grades: Iterable[Grade]) -> _Unanswered:
    """Average over questions, as the accuracy is: it would leave its bounds where some have more replies than others.

    All three divide by the same count where there is nothing between them, so that they are then the same number.
    """
    outcomes: dict[str, Counter[Outcome]] = defaultdict(Counter)
    for grade in grades:
        outcomes[grade.key.question_id][grade.outcome] += 1
    if not outcomes:
        return _Unanswered(None, None)
    counts = [(count["correct"], count["wrong"], count.total()) for count in outcomes.values()]
    answered = [right / (right + wrong) for right, wrong, _ in counts if right + wrong]
    low, high = fmean(right / put for right, _, put in counts), fmean((put - wrong) / put for _, wrong, put in counts)
    return _Unanswered(fmean(answered) if answered else None, (low, high))


def _rates(grades: list[Grade], repeated: Mapping[str, str]) -> dict[str, Rate]:
    graded = [grade for grade in grades if grade.outcome not in NO_GRADE]
    kinds: tuple[Outcome, ...] = (*UNANSWERED, "failed")
    rates = {kind: _rate(kind, grades if kind == "failed" else graded, repeated) for kind in kinds}
    return {kind: rate for kind, rate in rates.items() if rate}


def _rate(kind: Outcome, grades: list[Grade], repeated: Mapping[str, str]) -> Rate | None:
    """Return the rate of an outcome; replies to one text are correlated, and count for fewer than there are."""
    if not grades:
        return None
    hits, asked = [grade.outcome == kind for grade in grades], _clusters((g.key.question_id for g in grades), repeated)
    count, questions = sum(hits), len(set(asked))
    share = count / len(grades)
    if questions == len(grades):
        return Rate(count, len(grades), share, wilson(count, len(grades)))
    error = clustered_error(hits, asked) if 0 < share < 1 and questions > 1 else 0.0
    effective = min(len(grades), share * (1 - share) / error**2) if error else questions
    return Rate(count, len(grades), share, wilson_share(share, effective))


def _stratified(
    correctness: Mapping[str, tuple[bool, ...]],
    categories: Mapping[str, str],
    sizes: Mapping[str, int],
    repeated: Mapping[str, str],
) -> Estimate | None:
    shares = {question: fmean(replies) for question, replies in correctness.items() if question in categories}
    by_category: dict[str, list[float]] = defaultdict(list)
    for question, share in shares.items():
        by_category[categories[question]].append(share)
    if not by_category:
        return None
    effect = design_effect([*shares.values()], _clusters(shares, repeated))
    return stratified_mean(by_category, sizes, shares=True, effect=effect)


def _clusters(questions: Iterable[str], repeated: Mapping[str, str]) -> list[str]:
    return [repeated.get(question, question) for question in questions]


def _pass_at_k(correctness: Mapping[str, tuple[bool, ...]]) -> dict[int, float]:
    if not correctness:
        return {}
    repeats = min(len(replies) for replies in correctness.values())
    return {
        k: fmean(pass_at_k(len(replies), sum(replies), k) for replies in correctness.values())
        for k in sorted({1, repeats})
    }


class Speed(NamedTuple):
    """How fast requests were answered; None where no server says so."""

    mean_tokens: float | None
    tokens_per_second: float | None
    first_token_s: float | None


def speed_of(records: Sequence[Outline]) -> Speed:
    """Measure how fast all requests were answered together; the time to the first token is a median."""
    answers = [record.reply for record in records if record.reply]
    tokens = [answer.completion_tokens for answer in answers if answer.completion_tokens is not None]
    firsts = [r.reply.first_token_s for r in at_the_number(records) if r.reply and r.reply.first_token_s is not None]
    return Speed(
        mean_tokens=fmean(tokens) if tokens else None,
        tokens_per_second=_tokens_per_second(at_the_number(records)),
        first_token_s=median(firsts) if firsts else None,
    )


def _tokens_per_second(records: Sequence[Outline]) -> float | None:
    counted = [r.reply.completion_tokens for r in records if r.reply and r.reply.completion_tokens is not None]
    busy = busy_seconds(records)
    return sum(counted) / busy if counted and busy else None


def at_the_number(records: Sequence[Outline]) -> Sequence[Outline]:
    """Leave out records from before the run's number in flight was found; all are given where it never was."""
    if all(record.at_once is None for record in records):
        return records
    found = min((record.started for record in records if record.at_once is None), default=float("-inf"))
    return [record for record in records if record.started >= found]


def busy_seconds(records: Iterable[Outline]) -> float:
    """Add up the time in which at least one request was in flight: pauses between two runs do not count."""
    spans = sorted((record.started, record.started + record.reply.duration_s) for record in records if record.reply)
    total, until = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total

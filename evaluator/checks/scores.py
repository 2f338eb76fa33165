"""Whether a score can show a difference at all."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from statistics import fmean

from evaluator.benchmarks import BENCHMARKS
from evaluator.checks.published import implausible
from evaluator.checks.rule import CheckInput, Finding, Rule
from evaluator.decide.score import Score
from evaluator.decide.wording import listed
from evaluator.stats.paired import mcnemar_midp, paired_table
from evaluator.stats.proportions import wilson_share

_CEILING = 0.95
_FEW = 20
"""Questions. With fewer, nearly every interval includes the score of answering without reading."""

_NO_CHANCE = 0.001
"""A p value that a sound run hardly ever has by chance: a block ends the study, so it must be rare."""


def unsteady(given: CheckInput) -> Iterable[Finding]:
    """Compare the baseline with itself: if its score changes when it is asked again, nothing can be measured."""
    if given.graded is None:
        return
    for benchmark, again in given.graded.again.items():
        first = given.graded.answers[given.study.baseline][benchmark]
        twice = [q for q in again if len(first.get(q, ())) > 0]
        table = paired_table([again[q][0] for q in twice], [first[q][0] for q in twice])
        p = mcnemar_midp(table) * len(given.graded.again)
        if p <= given.study.decide.alpha:
            message = (
                f"asked {table.n} questions again, the baseline scored {100 * abs(table.difference):.1f} points"
                f" {'lower' if table.difference < 0 else 'higher'} (p = {p:.3f}): it does not seem to measure the same"
                " thing twice"
            )
            evidence = {"questions": table.n, "difference": table.difference, "p": p}
            yield Finding(
                severity="block" if p <= _NO_CHANCE else "warn",
                variant=given.study.baseline,
                benchmark=benchmark,
                message=message,
                evidence=evidence,
            )


def ceiling(given: CheckInput) -> Iterable[Finding]:
    """Find benchmarks that are too easy for a difference to show."""
    for benchmark in given.study.benchmarks.chosen():
        scores = [score for score in given.scores if score.benchmark == benchmark]
        high = [score for score in scores if _lower_end(score) > _CEILING]
        if high:
            listing = listed(f"{score.variant} {100 * (score.accuracy or 0):.1f} %" for score in high)
            message = f"nearly all is solved ({listing}): a difference between these could hardly show"
            evidence = {"low": {score.variant: _lower_end(score) for score in high}}
            yield Finding(severity="warn", benchmark=benchmark, message=message, evidence=evidence)


def floor(given: CheckInput) -> Iterable[Finding]:
    """Find scores that need no reading: no better than guessing, or than always giving the same kind of answer."""
    for benchmark in given.study.benchmarks.chosen():
        scores = [score for score in given.scores if score.benchmark == benchmark and score.questions >= _FEW]
        way, chance = best_without_reading(benchmark) if scores else ("", 0.0)
        low = [score for score in scores if not score.outcomes.get("not_scored") and _is_chance(score, chance)]
        if low:
            listing = listed(f"{score.variant} {100 * (score.accuracy or 0):.1f} %" for score in low)
            message = f"{way} would score {100 * chance:.1f} %; not distinguishable from that: {listing}"
            evidence = {"way": way, "chance": chance, "accuracy": {score.variant: score.accuracy for score in low}}
            yield Finding(severity="warn", benchmark=benchmark, message=message, evidence=evidence)


def _lower_end(score: Score) -> float:
    """Return the lower end of the accuracy's interval; Wilson's where all repeats agree and it has no width."""
    if score.interval is None:
        return 0.0
    if score.interval.low < score.interval.high:
        return score.interval.low
    return wilson_share(score.interval.low, score.questions).low


@cache
def best_without_reading(benchmark: str) -> tuple[str, float]:
    """Say which way of answering without reading scores most on all questions of a benchmark, and what share.

    Those asked are a random sample, in which the best of a dozen ways looks better than it is. Of options of one length
    the first counts as the longest. 0 where there is nothing to choose from.
    """
    if BENCHMARKS[benchmark].kind != "choice":
        return "guessing", 0.0
    choices, letters = BENCHMARKS[benchmark].choices(), BENCHMARKS[benchmark].letters
    answers = Counter(choice.answer for choice in choices)
    longest = sum(letters[_longest(choice.options)] == choice.answer for choice in choices)
    ways = {
        "guessing": fmean(1 / len(choice.options) for choice in choices),
        "always choosing the longest option": longest / len(choices),
        **{f"always answering {letter}": answers[letter] / len(choices) for letter in letters},
    }
    return max(ways.items(), key=lambda way: way[1])


def _longest(options: Sequence[str]) -> int:
    lengths = list(map(len, options))
    return lengths.index(max(lengths))


def _is_chance(score: Score, chance: float) -> bool:
    if chance == 0:
        return score.accuracy == 0
    return score.interval is not None and score.interval.low <= chance


RULES = (
    Rule(
        code="unsteady",
        stage="after",
        severity="warn; block at p of 0.001 or less",
        threat="The same server scores differently when it is asked again: more than the model is measured.",
        signal="The baseline against itself, on the questions of decide.noise_floor (McNemar's mid-p).",
        advice="Look at the server's log, and at what else runs on the machine.",
        find=unsteady,
    ),
    Rule(
        code="ceiling",
        stage="after",
        severity="warn",
        threat="A benchmark that is too easy shows no difference where there is one.",
        signal="The interval of the accuracy lies above 95 %.",
        advice="Ask a harder benchmark; equal scores here say little.",
        find=ceiling,
    ),
    Rule(
        code="floor",
        stage="after",
        severity="warn",
        threat="The model guesses, always gives one kind of answer, or its answers are not understood.",
        signal="The interval of the accuracy includes what answering without reading scores, by the benchmark's"
        " questions: the best of guessing, always the longest option, and always one letter; else 0.",
        advice="Read a few (whichquant show RUN): a broken build, a broken template and a weak model look alike here.",
        find=floor,
    ),
    Rule(
        code="implausible",
        stage="after",
        severity="warn",
        threat="The harness is broken: quantization cannot explain a score so far from what is published of the model.",
        signal="The accuracy against a table of published scores by model family (`published.yaml`).",
        advice="First look for replies that were cut off, thinking that is off, and a wrong chat template.",
        find=implausible,
    ),
)

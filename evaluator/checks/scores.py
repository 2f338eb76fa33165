"""Whether a score can show a difference at all."""

from collections.abc import Iterable
from statistics import fmean

from evaluator.checks.observed import listed
from evaluator.checks.published import implausible
from evaluator.checks.rule import CheckInput, Found, Rule
from evaluator.decide.score import Score
from evaluator.stats.paired import mcnemar_midp, paired_table
from evaluator.stats.proportions import wilson_share

_CEILING = 0.95
_FEW = 20
"""Questions. With fewer, nearly every interval holds what guessing brings, and the verdict says so anyway."""

_NO_CHANCE = 0.001
"""A p value that no sound run of many has by chance: a study has one or two of these tests, and block means the end."""


def unsteady(given: CheckInput) -> Iterable[Found]:
    """Compare the baseline with itself: what scores otherwise when it is asked again measures nothing."""
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
            yield Found(
                severity="block" if p <= _NO_CHANCE else "warn",
                variant=given.study.baseline,
                benchmark=benchmark,
                message=message,
                evidence=evidence,
            )


def ceiling(given: CheckInput) -> Iterable[Found]:
    """Find benchmarks that are too easy for a difference to show."""
    for benchmark in given.study.benchmarks.chosen():
        of = [score for score in given.scores if score.benchmark == benchmark]
        high = [score for score in of if _lowest(score) > _CEILING]
        if high:
            told = listed(f"{score.variant} {100 * (score.accuracy or 0):.1f} %" for score in high)
            message = f"nearly all is solved ({told}): between these a difference could hardly show"
            evidence = {"low": {score.variant: _lowest(score) for score in high}}
            yield Found(severity="warn", benchmark=benchmark, message=message, evidence=evidence)


def floor(given: CheckInput) -> Iterable[Found]:
    """Find scores that guessing would bring."""
    for benchmark in given.study.benchmarks.chosen():
        chance = _chance(given, benchmark)
        of = [score for score in given.scores if score.benchmark == benchmark and score.questions >= _FEW]
        of = [score for score in of if not score.outcomes.get("not_scored")]
        low = [score for score in of if _is_chance(score, chance)]
        if low:
            told = listed(f"{score.variant} {100 * (score.accuracy or 0):.1f} %" for score in low)
            message = f"guessing would bring {100 * chance:.1f} %, and no more can be told of {told}"
            evidence = {"chance": chance, "accuracy": {score.variant: score.accuracy for score in low}}
            yield Found(severity="warn", benchmark=benchmark, message=message, evidence=evidence)


def _lowest(score: Score) -> float:
    """Give the least that the accuracy may be: where all repeats of a few questions agree, what these few allow."""
    if score.interval is None:
        return 0.0
    if score.interval.low < score.interval.high:
        return score.interval.low
    return wilson_share(score.interval.low, score.questions).low


def _chance(given: CheckInput, benchmark: str) -> float:
    """Give the score of guessing: one of the options of each question; no program or number is guessed."""
    options = [len(q.letters) for key, q in given.asked.items() if key.benchmark == benchmark and q.letters]
    return fmean(1 / count for count in options) if options else 0.0


def _is_chance(score: Score, chance: float) -> bool:
    if chance == 0:
        return score.accuracy == 0
    return score.interval is not None and score.interval.low <= chance


RULES = (
    Rule(
        code="unsteady",
        stage="after",
        severity="warn; block at p of 0.001 or less",
        threat="The same server scores otherwise when it is asked again: something other than the model is measured.",
        signal="The baseline against itself, on the questions of decide.noise_floor (McNemar's mid-p).",
        advice="Look at its log, and at what else runs on the machine.",
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
        threat="The model guesses, or its answers are not understood.",
        signal="The interval of the accuracy holds the score of guessing: 1 of each question's options, else 0.",
        advice="Read a few replies in the records: a broken build, a broken template and a weak model look alike here.",
        find=floor,
    ),
    Rule(
        code="implausible",
        stage="after",
        severity="warn",
        threat="The harness is broken: quantization cannot explain a score so far from what is published of the model.",
        signal="The accuracy against a table of published scores by model family (`published.yaml`).",
        advice="Look for replies that were cut off, thinking that is off, and a wrong chat template, before all else.",
        find=implausible,
    ),
)

"""What a study can show and how long it takes, before anything runs."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from evaluator.benchmarks import BENCHMARKS
from evaluator.benchmarks.benchmark import Settings
from evaluator.decide.early_end import EarlyEnd, early_ends
from evaluator.decide.pace import hours
from evaluator.decide.pilot import Disagreement, Measured, PilotData
from evaluator.stats.power import detectable_difference, questions_to_see, resolution
from evaluator.stats.power_equivalence import score_questions_for_equivalence, score_smallest_margin
from evaluator.study.requests import asked_again
from evaluator.study.study import Decide, Mode, Study

RATES = (0.02, 0.05, 0.10, 0.20)
"""Rates of disagreement between two variants, from neighbouring quants to very different ones."""
USUAL = 0.10
"""The rate of disagreement that the headlines speak of."""
DIFFERENCES = (0.01, 0.02, 0.03, 0.05)
POWER = 0.8


class AtRate(Struct, frozen=True, kw_only=True):
    """What the planned questions show at one rate of disagreement. Proportions throughout."""

    disagreement: float
    detectable: float | None
    """Smallest difference seen with this power; None where even disagreements all in one direction would not be."""
    supported_margin: float | None
    """Smallest margin within which two equal variants are called equivalent."""
    best_margin: float | None
    """The same with every question that the benchmark has."""


class Target(Struct, frozen=True, kw_only=True):
    """How many questions an aim needs at each of the rates of disagreement."""

    aim: Literal["difference", "equivalence"]
    size: float
    """A proportion: the difference to see, or the margin."""
    needed: tuple[int | None, ...]
    """None where a difference would be larger than the disagreement."""


class BenchmarkPlan(Struct, frozen=True, kw_only=True):
    """What a study can show on one benchmark."""

    benchmark: str
    questions: int
    total: int
    """Questions that there are."""
    repeats: int
    margin: float
    at: tuple[AtRate, ...]
    targets: tuple[Target, ...]
    early: tuple[EarlyEnd, ...] = ()
    """What a design that looks early asks of a variant; empty for a fixed number of questions, or several answers."""


class Observed(Struct, frozen=True, kw_only=True):
    """What the disagreement seen so far says of one comparison."""

    seen: Disagreement
    margin: float
    total: int
    assumed: float
    """The rate it is planned with: the one seen, or the margin where that is more (a difference takes so many)."""
    detectable: float | None
    supported_margin: float | None
    needed: int
    """Questions to see a difference of the margin."""
    needed_for_equivalence: int
    resolution: float
    hours: float | None
    """For the questions still to be asked to see the margin, of both variants; None where no speed is known."""
    hours_for_equivalence: float | None


class Expected(Struct, frozen=True, kw_only=True):
    """How long one variant takes with one benchmark."""

    variant: str
    benchmark: str
    answers: int
    answered: int
    mean_tokens: float
    tokens_per_second: float | None
    tokens_from: Literal["given", "measured", "limit"]
    """limit: every answer as long as it may be, so the time is an upper bound."""
    speed_from: Literal["given", "measured", "unknown"]
    seconds: float | None
    """For all answers, those already given included."""
    seconds_left: float | None


class StudyPlan(Struct, frozen=True, kw_only=True):
    """Everything that `whichquant plan` shows; `--json` writes this."""

    study: str
    variants: int
    mode: Mode
    alpha: float
    family: int
    """Comparisons: variants beside the baseline, times benchmarks."""
    level: float
    """Holm's strictest, alpha / family: what every number here is computed for."""
    power: float
    rates: tuple[float, ...]
    benchmarks: tuple[BenchmarkPlan, ...]
    observed: tuple[Observed, ...]
    expected: tuple[Expected, ...]
    parallel: bool
    seconds: float | None
    """Of the whole study; None where the speed of a variant is unknown."""
    seconds_left: float | None
    at_most: bool
    """Whether the times are upper bounds."""
    notes: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    """The same in words, filled in where it is written as JSON."""


def plan_study(
    study: Study,
    pilot: PilotData | None = None,
    *,
    tokens_per_second: float | None = None,
    tokens_per_answer: float | None = None,
) -> StudyPlan:
    """Compute what a study can show and how long it takes.

    Args:
        study: The study.
        pilot: What its run measured so far.
        tokens_per_second: Completion tokens, over all requests in flight to one variant; overrides the measured speed.
        tokens_per_answer: On average; overrides the measured length. Without either, answers have max_tokens.
    """
    chosen = study.benchmarks.chosen()
    family = (len(study.variants) - 1) * len(chosen)
    level = study.decide.alpha / max(1, family)
    expected = tuple(_expected(study, pilot, tokens_per_second, tokens_per_answer))
    return StudyPlan(
        study=study.study,
        variants=len(study.variants),
        mode=study.decide.mode,
        alpha=study.decide.alpha,
        family=family,
        level=level,
        power=POWER,
        rates=RATES,
        benchmarks=tuple(_benchmark(name, settings, level, study.decide) for name, settings in chosen.items()),
        observed=tuple(_observed(pair, study, expected, level) for pair in (pilot.disagreements if pilot else ())),
        expected=expected,
        parallel=study.parallel,
        seconds=_together(study, {(e.variant, e.benchmark): e.seconds for e in expected}),
        seconds_left=_together(study, {(e.variant, e.benchmark): e.seconds_left for e in expected}),
        at_most=any(e.tokens_from == "limit" for e in expected),
        notes=tuple(_notes(study, pilot)),
    )


def _benchmark(name: str, settings: Settings, level: float, decide: Decide) -> BenchmarkPlan:
    total, margin = BENCHMARKS[name].total, settings.margin / 100
    n = total if settings.questions == "all" else settings.questions
    return BenchmarkPlan(
        benchmark=name,
        questions=n,
        total=total,
        repeats=settings.repeats,
        margin=margin,
        at=tuple(
            AtRate(
                disagreement=rate,
                detectable=detectable_difference(n, rate, alpha=level, power=POWER),
                supported_margin=score_smallest_margin(n, rate, alpha=level, power=POWER),
                best_margin=score_smallest_margin(total, rate, alpha=level, power=POWER),
            )
            for rate in RATES
        ),
        targets=(
            *(
                Target(
                    aim="difference",
                    size=size,
                    needed=tuple(
                        questions_to_see(size, rate, alpha=level, power=POWER) if size <= rate else None
                        for rate in RATES
                    ),
                )
                for size in sorted({*DIFFERENCES, margin})
            ),
            Target(
                aim="equivalence",
                size=margin,
                needed=tuple(score_questions_for_equivalence(margin, r, alpha=level, power=POWER) for r in RATES),
            ),
        ),
        early=early_ends(decide.mode, n, margin=margin, level=level, looks=decide.planned_looks, disagreement=USUAL)
        if settings.repeats == 1
        else (),
    )


def _observed(pair: Disagreement, study: Study, expected: tuple[Expected, ...], level: float) -> Observed:
    settings = study.benchmarks.chosen()[pair.benchmark]
    margin = settings.margin / 100
    # With one answer a question a difference of the margin takes that many flips, even where fewer were seen.
    assumed = max(pair.rate, margin if settings.repeats == 1 else margin**2)
    needed = questions_to_see(margin, assumed, alpha=level, power=POWER)
    equal = score_questions_for_equivalence(margin, pair.rate, alpha=level, power=POWER)
    both = [e for e in expected if e.benchmark == pair.benchmark and e.variant in (pair.variant, pair.baseline)]

    def still(questions: int) -> float | None:
        return hours(max(0, questions - pair.n), both, repeats=settings.repeats, parallel=study.parallel)

    return Observed(
        seen=pair,
        margin=margin,
        total=BENCHMARKS[pair.benchmark].total,
        assumed=assumed,
        detectable=detectable_difference(pair.n, pair.rate, alpha=level, power=POWER),
        supported_margin=score_smallest_margin(pair.n, pair.rate, alpha=level, power=POWER),
        needed=needed,
        needed_for_equivalence=equal,
        resolution=resolution(pair.n, needed),
        hours=still(needed),
        hours_for_equivalence=still(equal),
    )


def _expected(
    study: Study, pilot: PilotData | None, given_speed: float | None, given_tokens: float | None
) -> Iterator[Expected]:
    for benchmark, settings in study.benchmarks.chosen().items():
        n = BENCHMARKS[benchmark].total if settings.questions == "all" else settings.questions
        for variant in study.variants:
            measured = pilot.measured.get((variant.name, benchmark), _NOT_MEASURED) if pilot else _NOT_MEASURED
            again = asked_again(study, benchmark, n) if variant.name == study.baseline else 0
            answers = n * settings.repeats + again
            answered = min(answers, measured.answered)
            tokens, tokens_from = _tokens(given_tokens, measured, study.sampling.max_tokens)
            speed, speed_from = _speed(given_speed, measured)
            yield Expected(
                variant=variant.name,
                benchmark=benchmark,
                answers=answers,
                answered=answered,
                mean_tokens=tokens,
                tokens_per_second=speed,
                tokens_from=tokens_from,
                speed_from=speed_from,
                seconds=answers * tokens / speed if speed else None,
                seconds_left=(answers - answered) * tokens / speed if speed else None,
            )


_NOT_MEASURED = Measured(answered=0, mean_tokens=None, tokens_per_second=None)


def _tokens(given: float | None, measured: Measured, limit: int) -> tuple[float, Literal["given", "measured", "limit"]]:
    if given:
        return given, "given"
    return (measured.mean_tokens, "measured") if measured.mean_tokens else (limit, "limit")


def _speed(given: float | None, measured: Measured) -> tuple[float | None, Literal["given", "measured", "unknown"]]:
    if given:
        return given, "given"
    return (measured.tokens_per_second, "measured") if measured.tokens_per_second else (None, "unknown")


def _together(study: Study, seconds: dict[tuple[str, str], float | None]) -> float | None:
    """Add up over benchmarks and variants; of variants that run at once the slowest decides."""
    known = {part: time for part, time in seconds.items() if time is not None}
    if len(known) < len(seconds):
        return None
    by_variant = [sum(time for (name, _), time in known.items() if name == v.name) for v in study.variants]
    return max(by_variant) if study.parallel else sum(by_variant)


def _notes(study: Study, pilot: PilotData | None) -> Iterator[str]:
    if pilot and pilot.ignored:
        yield f"{', '.join(pilot.ignored)}: answered with other settings before, which says nothing here."
    if pilot and pilot.concurrency and study.concurrency not in ("auto", pilot.concurrency):
        yield (
            f"Speeds were measured with {pilot.concurrency} questions in flight, and the study now has"
            f" {study.concurrency}."
        )

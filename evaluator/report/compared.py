"""The table of all variants: verdict, scores, and what each takes."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.score import Score
from evaluator.decide.sentences import interval_cell
from evaluator.report import phrases
from evaluator.report.picture import kind


class Verdict(Struct, frozen=True):
    """Of one variant on one benchmark."""

    benchmark: str
    """Its title; empty where the study has only one."""
    words: str
    kind: str


class Scored(Struct, frozen=True):
    """One variant on one benchmark, in words; empty where there is nothing to say."""

    accuracy: str
    counts: str
    interval: str
    difference: str
    within: str
    """Of the difference."""


class Compared(Struct, frozen=True):
    """One row."""

    variant: str
    is_recommended: bool
    is_baseline: bool
    verdicts: tuple[Verdict, ...]
    scores: tuple[Scored, ...]
    """In the order of the benchmarks."""
    takes: tuple[str, ...]
    """Under the headings that `takes` gives."""


def compared(report: Report) -> tuple[Compared, ...]:
    """Write a row for each variant, the baseline first."""
    study = report.plan.study
    columns = takes(report).values()
    recommended = report.recommendation.variant if report.recommendation else None
    names = sorted((variant.name for variant in study.variants), key=lambda name: name != study.baseline)
    return tuple(
        Compared(
            variant=name,
            is_recommended=name == recommended,
            is_baseline=name == study.baseline and not phrases.has_one_variant(report),
            verdicts=tuple(_verdicts(report, name)),
            scores=tuple(_scored(report, name, benchmark) for benchmark in study.benchmarks.chosen()),
            takes=tuple(column.get(name, wording.DASH) for column in columns),
        )
        for name in names
    )


def takes(report: Report) -> dict[str, Mapping[str, str]]:
    """Return by heading what each variant takes: size, speed, memory; what is known of none is left out."""
    resources = {r.variant: r for r in report.resources}
    sizes = {v.name: phrases.size(report, v.name) for v in report.plan.study.variants}
    sizes = {name: _with_ratio(text, report, name, "file_bytes") for name, text in sizes.items()}
    speed, memory = "tokens_per_second", "all_memory_bytes"
    speeds = {
        name: _with_ratio(f"{r.tokens_per_second:,.0f}", report, name, speed)
        for name, r in resources.items()
        if r.tokens_per_second
    }
    memories = {
        name: _with_ratio(phrases.in_bytes(r.all_memory_bytes), report, name, memory)
        for name, r in resources.items()
        if r.all_memory_bytes
    }
    columns = {"size": sizes, f"tokens/s, {phrases.in_flight(report)}": speeds, "memory": memories}
    return {head: texts for head, texts in columns.items() if set(texts.values()) - {wording.DASH}}


def _with_ratio(text: str, report: Report, variant: str, number: str) -> str:
    ratio = next((r.ratios.get(number) for r in report.resources if r.variant == variant), None)
    if ratio is None or variant == report.plan.study.baseline:
        return text
    return f"{text} ({ratio:.2f}\u00a0\u00d7)"


def _verdicts(report: Report, variant: str) -> Iterator[Verdict]:
    benchmarks = report.plan.study.benchmarks.chosen()
    for benchmark in benchmarks:
        c = phrases.against(report, benchmark).get(variant)
        if c is not None:
            yield Verdict(wording.name(benchmark) if len(benchmarks) > 1 else "", c.verdict, kind(c.verdict))


def _scored(report: Report, variant: str, benchmark: str) -> Scored:
    score = next((s for s in phrases.rows(report, benchmark) if s.variant == variant), None)
    if score is None or score.accuracy is None:
        return Scored("not scored", "", "", "", "")
    c = phrases.against(report, benchmark).get(variant)
    accuracy = wording.percent(score.accuracy), wording.correct(score), _own_interval(score)
    if c is None or c.difference is None:
        return Scored(*accuracy, "", "")
    return Scored(*accuracy, f"{wording.signed_points(c.difference)} points", interval_cell(c))


def _own_interval(score: Score) -> str:
    if score.interval is None:
        return ""
    return f"{wording.interval(score.interval)} ({wording.interval_label(score.interval.level)})"

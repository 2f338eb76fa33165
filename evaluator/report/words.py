"""How numbers are written, the same in every report."""

from typing import TYPE_CHECKING

import msgspec

from evaluator.benchmarks import BENCHMARKS
from evaluator.score import UNANSWERED, Score
from evaluator.stats.proportions import Interval

if TYPE_CHECKING:  # they bring the servers with them, of which `whichquant grade` needs nothing
    from evaluator.checks import Check
    from evaluator.report.assemble import Report
    from evaluator.study import Study, Variant
    from evaluator.verdict import Comparison

DASH = "\u2013"


def percent(proportion: float | None, digits: int = 1) -> str:
    """Write 0.8234 as `82.3 %`."""
    return DASH if proportion is None else f"{100 * proportion:.{digits}f} %"


def interval(value: Interval | None) -> str:
    """Write an interval of proportions as `75.2 to 87.8 %`."""
    return DASH if value is None else f"{100 * value.low:.1f} to {100 * value.high:.1f} %"


def points(proportion: float) -> str:
    """Write a difference of proportions in points, with its sign."""
    return f"{100 * proportion:+.1f}".replace("-", "\u2212")


def correct(score: Score) -> str:
    """Write `135/164`: correct replies of graded ones."""
    return f"{score.outcomes.get('correct', 0)}/{score.graded}" if score.graded else "not scored"


def unanswered(score: Score) -> str:
    """Write the replies without an answer by kind: `3 truncated, 1 unparsed`."""
    return ", ".join(f"{score.outcomes[kind]} {kind}" for kind in UNANSWERED if score.outcomes.get(kind)) or "0"


def bounds(score: Score) -> str:
    """Write the accuracy with every unanswered question wrong, and with all of them right."""
    return DASH if score.bounds is None else interval(Interval(*score.bounds, 1.0))


def number(value: float | None, unit: str = "", digits: int = 0) -> str:
    """Write a measured figure, or a dash."""
    return DASH if value is None else f"{value:,.{digits}f}{unit}"


def size(report: "Report", variant: str) -> str:
    """Write the size of a variant's model file."""
    facts = report.facts.get(variant)
    if facts is None or facts.model_bytes is None:
        return DASH
    return f"{facts.model_bytes / 1e9:.2f} GB" if facts.model_bytes >= 1e8 else f"{facts.model_bytes / 1e6:.1f} MB"


def name(benchmark: str) -> str:
    """Name a benchmark for people."""
    return str(BENCHMARKS[benchmark].NAME)


def setting(variant: "Variant") -> str:
    """Say in one line how a variant is served."""
    parts: list[str] = [variant.runtime or "running already"]
    if variant.base_url:
        parts.append(f"at {variant.base_url}")
    if variant.kv_cache:
        parts.append(f"KV cache {variant.kv_cache}")
    if variant.thinking is not None:
        parts.append(f"thinking {'on' if variant.thinking else 'off'}")
    return ", ".join(parts)


def rows(report: "Report", benchmark: str) -> list[Score]:
    """Give a benchmark's scores, the baseline first."""
    baseline = report.plan.study.baseline
    return sorted((s for s in report.scores if s.benchmark == benchmark), key=lambda s: s.variant != baseline)


def about(check: "Check") -> str:
    """Say what a check speaks of, as `q4_0, MMLU-Pro: `; empty when it is the whole run."""
    parts = [part for part in (check.variant, check.benchmark and name(check.benchmark)) if part]
    return ", ".join(parts) + ": " if parts else ""


def alone(report: "Report") -> str:
    """Say why there are no verdicts, where a study has one variant."""
    return "" if report.comparisons or report.problems else "There is one variant only: nothing to compare it with."


def against(report: "Report", benchmark: str) -> "dict[str, Comparison]":
    """Give the comparisons of one benchmark by variant."""
    return {c.variant: c for c in report.comparisons if c.benchmark == benchmark}


def asked(report: "Report", benchmark: str) -> str:
    """Say in one line how a benchmark was put: `100 questions, 5-shot, chat`."""
    settings = report.plan.study.benchmarks.chosen()[benchmark]
    planned = next(score.planned for score in report.scores if score.benchmark == benchmark)
    parts = [f"{planned // settings.repeats:,} of {BENCHMARKS[benchmark].TOTAL:,} questions"]
    if settings.repeats > 1:
        parts.append(f"{settings.repeats} answers each")
    shots = getattr(settings, "shots", None)
    if shots is not None:
        parts.append(f"{shots}-shot")
    return ", ".join([*parts, settings.format, f"margin {settings.margin:g} points"])


def pass_at_k(score: Score) -> str:
    """Write `pass@1 52.0 %, pass@5 71.3 %`."""
    return ", ".join(f"pass@{k} {percent(p)}" for k, p in score.pass_at_k.items())


def sampling(study: "Study") -> str:
    """Write the sampling values that the study sets."""
    told = msgspec.to_builtins(study.sampling)
    return ", ".join(f"{key} {value}" for key, value in told.items() if value is not None)


def method(report: "Report") -> str:
    """Say how the numbers were made."""
    repeats = [settings.repeats for settings in report.plan.study.benchmarks.chosen().values()]
    family = max((comparison.family for comparison in report.comparisons), default=0)
    parts = [
        "Every variant got the same questions in the same order.",
        "Accuracy is strict: a reply without a readable answer counts as wrong.",
    ]
    if min(repeats) == 1:
        parts.append(
            "With one answer a question, accuracy has Wilson's interval, differences are tested on the paired answers"
            " (McNemar, mid-p), and their intervals are Tango's."
        )
    if max(repeats) > 1:
        parts.append(
            "With several answers a question, questions are averaged first; differences are tested by flipping signs,"
            " and intervals are those of a mean (Miller 2024)."
        )
    parts.append("Equivalence is tested against the margin set in the study (two one-sided tests).")
    if family > 1:
        parts.append(
            f"Both tests are corrected by Holm for {family} comparisons; whether a difference is beyond or within the"
            " margin is judged by an interval widened for that number."
        )
    return " ".join(parts)

"""How results and settings are put into words, the same in every report."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from evaluator.benchmarks import BENCHMARKS
from evaluator.decide.asked_twice import itself as of_itself
from evaluator.decide.score import UNANSWERED, Score
from evaluator.decide.wording import DASH, interval, name, percent
from evaluator.stats.proportions import Interval
from evaluator.stats.strata import Estimate

if TYPE_CHECKING:  # they import the servers, which `whichquant grade` does not need
    from evaluator.analyse.report import Report
    from evaluator.checks.rule import Check
    from evaluator.decide.comparison import Comparison
    from evaluator.store.serving import Level
    from evaluator.study.study import Study, Variant

COLUMNS = {
    "no answer": "replies in which no answer could be read: cut off, empty, unreadable or refused; they count as wrong",
    "no reply": "questions to which no reply came, since the request failed or was never sent; they are left out",
    "of the answered": "share of correct ones among the replies in which an answer could be read",
    "bounds": "the accuracy if every question without an answer or a reply were wrong, and if every one were right",
}
"""What columns of a table of scores mean, to be said where they stand."""
_FOUND = {
    "measured": "measured",
    "remembered": "as measured in an earlier run",
    "few questions": "too few questions to find the best number",
}
"""How a number in flight was found."""
_COLOURS = {"worse": "red", "better": "green", "equivalent": "cyan", "cannot": "yellow", "not": "magenta"}


def unanswered(score: Score) -> str:
    """Write the replies without an answer by kind, with intervals: `3 truncated (1.0 to 8.5 %), 1 unparsed (...)`."""
    return ", ".join(_rate(score, kind, kind) for kind in UNANSWERED if score.outcomes.get(kind)) or "0"


def no_reply(score: Score) -> str:
    """Write how many requests failed, with their interval, and how many were never sent."""
    failed = score.outcomes.get("failed", 0)
    unsent = score.no_reply - failed
    parts = [_rate(score, "failed", "failed") if failed else "", f"{unsent} not sent" if unsent else ""]
    return ", ".join(filter(None, parts)) or "0"


def _rate(score: Score, kind: str, label: str) -> str:
    return f"{score.rates[kind].count} {label} ({interval(score.rates[kind].interval)})"


def bounds(score: Score) -> str:
    """Write the accuracy with every unanswered question wrong, and with all of them right."""
    return DASH if score.bounds is None else interval(Interval(*score.bounds, 1.0))


def size(report: "Report", variant: str) -> str:
    """Write the size of a variant's model file."""
    facts = report.facts.get(variant)
    if facts is None or facts.model_bytes is None:
        return DASH
    return in_bytes(facts.model_bytes)


def in_bytes(count: float) -> str:
    """Write a number of bytes as `3.25 GB`, `845 MB` or `7.9 MB`."""
    if count >= 999.5e6:
        return f"{count / 1e9:.2f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 99.95e6 else f"{count / 1e6:.1f} MB"


def number(report: "Report") -> str:
    """Write how many questions were asked at once, as a number or a word for some."""
    return str(report.in_flight or "several")


def in_flight(report: "Report") -> str:
    """Say how many questions were asked at once while speeds were measured: `8 at once`."""
    number = report.in_flight
    return "one question at a time" if number == 1 else f"{number or 'several'} at once"


def questions_at_once(report: "Report") -> str:
    """Say how many questions were in flight, and how that number came about."""
    number = report.in_flight
    found = report.serving.in_flight if report.serving else None
    if number is None:
        return "several questions at once: how many are best was not found yet"
    questions = f"{number} question{'' if number == 1 else 's'} at once"
    if isinstance(report.plan.study.concurrency, int) or found is None:
        return questions
    how = _FOUND.get(found.how, "")
    return f"{questions} ({'; '.join(filter(None, (how, found.why)))})"


def curve(report: "Report") -> str:
    """Write what was measured with which number of questions in flight; empty where nothing was."""
    found = report.serving.in_flight if report.serving else None
    return "; ".join(map(_level, found.curve)) if found else ""


def _level(level: "Level") -> str:
    first = "" if level.first_token_s is None else f", {level.first_token_s:.2f} s to the first token"
    return f"{level.in_flight} at once: {level.tokens_per_second:.0f} tokens/s{first}"


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
    """Return a benchmark's scores, the baseline first."""
    baseline = report.plan.study.baseline
    return sorted((s for s in report.scores if s.benchmark == benchmark), key=lambda s: s.variant != baseline)


def about(check: "Check") -> str:
    """Name what a check is about, as `q4_0, MMLU-Pro: `; empty when it is the whole run."""
    parts = [part for part in (check.variant, check.benchmark and name(check.benchmark)) if part]
    return ", ".join(parts) + ": " if parts else ""


def with_one_remedy(checks: Iterable["Check"], *severities: str) -> tuple[tuple["Check", ...], ...]:
    """Group findings of one kind that have the same remedy; the gravest first."""
    found: dict[tuple[str, str, str], list[Check]] = {}
    for check in sorted(checks, key=lambda check: check.severity != "block"):
        if check.severity in severities:
            found.setdefault((check.severity, check.code, check.advice), []).append(check)
    return tuple(tuple(group) for group in found.values())


def advice(check: "Check") -> str:
    """Write a check's advice, to be put behind its message; empty where there is none."""
    return f". {check.advice}" if check.advice else ""


def has_one_variant(report: "Report") -> bool:
    """Return whether there is only one variant, so that nothing is compared."""
    return len(report.plan.study.variants) == 1


def title(report: "Report") -> str:
    """Write a report's title."""
    end = "how well this build answers" if has_one_variant(report) else "which of these builds to run"
    return f"{report.plan.study.study}: {end}"


def single_results(report: "Report") -> tuple[str, ...]:
    """Say how the only variant scored, benchmark by benchmark; empty where there are several variants."""
    return tuple(_single_result(score) for score in report.scores) if has_one_variant(report) else ()


def _single_result(score: Score) -> str:
    if score.accuracy is None:
        return f"{score.variant} was not scored on {name(score.benchmark)}."
    within = f" (95 % interval {interval(score.interval)})" if score.interval else ""
    questions = f"{score.questions:,} question{'' if score.questions == 1 else 's'}"
    return f"{score.variant} solved {percent(score.accuracy)} of {questions} of {name(score.benchmark)}{within}."


def stratified(scores: Sequence[Score]) -> str:
    """Write the accuracies on one benchmark with its categories weighted; empty where it has none."""
    known = [(score, score.stratified) for score in scores if score.stratified]
    if not known:
        return ""
    benchmark = known[0][0].benchmark
    where, total = name(benchmark), BENCHMARKS[benchmark].total
    accuracies = [f"{score.variant} {_weighted(score, estimate, total)}" for score, estimate in known]
    return (
        f"Accuracy with categories weighted as in all of {where} (95 % interval; for just its {total:,} questions):"
        f" {', '.join(accuracies)}."
    )


def _weighted(score: Score, estimate: Estimate, total: int) -> str:
    # Where every question was asked it has no width: only the variation from run to run is left.
    finite = DASH if score.questions == total else interval(estimate.interval_finite)
    part = "" if estimate.covered == 1 else f", of categories that hold {percent(estimate.covered)} of them"
    return f"{percent(estimate.value)} ({interval(estimate.interval)}; {finite}{part})"


def against(report: "Report", benchmark: str) -> "dict[str, Comparison]":
    """Return the comparisons of one benchmark by variant."""
    return {c.variant: c for c in report.comparisons if c.benchmark == benchmark}


def itself(report: "Report", benchmark: str | None = None) -> str:
    """Say how far the baseline differs from itself, on one benchmark or on each; empty where it was not asked twice."""
    mine = [twice for twice in report.asked_twice if benchmark in (None, twice.benchmark)]
    return " ".join(f"{f'{name(t.benchmark)}: ' if benchmark is None else ''}{of_itself(t)}." for t in mine)


def reuse(report: "Report") -> str:
    """Say whether prompt caches were used, why, and how far answers differ so; empty where nothing is compared."""
    why = report.serving.repeatable_why if report.serving and not has_one_variant(report) else ""
    if not why:
        return ""
    asked_twice = sum(twice.questions for twice in report.asked_twice)
    texts = sum(twice.texts for twice in report.asked_twice)
    noise = f"; of {asked_twice:,} questions asked twice {f'{texts:,}' if texts else 'none'} got other words"
    return f"{why[0].upper()}{why[1:]}{noise if asked_twice else ''}."


def asked(report: "Report", benchmark: str) -> str:
    """Say in one line how a benchmark was asked: `100 questions, 5-shot, chat`."""
    settings, total = report.plan.study.benchmarks.chosen()[benchmark], BENCHMARKS[benchmark].total
    planned = total if settings.questions == "all" else min(settings.questions, total)
    early = any(s.benchmark == benchmark and s.planned < planned * settings.repeats for s in report.scores)
    parts = [f"{'up to ' if early else ''}{planned:,} of {total:,} questions"]
    if settings.repeats > 1:
        parts.append(f"{settings.repeats} answers each")
    shots = getattr(settings, "shots", None)
    if shots is not None:
        parts.append(f"{shots}-shot")
    parts.append(settings.format)
    if not has_one_variant(report):
        parts.append(f"margin {settings.margin:g} point{'' if settings.margin == 1 else 's'}")
    return ", ".join(parts)


def pass_at_k(score: Score) -> str:
    """Write `pass@1 52.0 %, pass@5 71.3 %`."""
    return ", ".join(f"pass@{k} {percent(p)}" for k, p in score.pass_at_k.items())


def sampling(study: "Study") -> str:
    """Write the sampling values that the study sets."""
    values = msgspec.to_builtins(study.sampling)
    return ", ".join(f"{key} {value}" for key, value in values.items() if value is not None)


def order(report: "Report") -> str:
    """Say in which order the questions were put."""
    earlier = " (by an earlier version's rule, which did not ask one of each text first)"
    return f"order of questions: seed {report.plan.study.seed}{earlier if report.plan.order == 1 else ''}"


def colour(verdict: str) -> str:
    """Return the terminal's colour of a verdict."""
    return next((colour for word, colour in _COLOURS.items() if word in verdict.split()), "white")

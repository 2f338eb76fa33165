"""`report-post.md`: a result short enough for a post, in Markdown that Reddit and every other place reads, no HTML."""

from collections.abc import Iterator

from evaluator.analyse.report import Report
from evaluator.checks.rule import Check
from evaluator.decide import wording
from evaluator.decide.comparison import Comparison
from evaluator.decide.score import Score
from evaluator.decide.sentences import interval_cell, opening, reason_of
from evaluator.report import phrases
from evaluator.report.markdown_text import cells, header, safe
from evaluator.report.server import machine
from servers.spec import ServerFacts

_LINES = 3
"""Caveats at most."""
_SHORT = 240
"""Characters of a caveat, or of a study's note."""
_MANY = {"block": "blocks", "warn": "warnings", "note": "notes"}
"""Severities, the worst first, and what several are called."""


def post(report: Report) -> str:
    """Write what a run showed in a few lines: what to run, the table, the verdicts, the caveats, how it was run."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {safe(phrases.title(report))}"
    if report.plan.study.note:
        yield from ("", f"> {safe(report.plan.study.note, _SHORT)}")
    yield from recommended(report)
    yield from ("", *_table(report))
    if verdicts := [c for c in report.comparisons if not _is_above(c, report)]:
        yield from ("", *(f"- {safe(_verdict(c))}" for c in verdicts))
    if report.checks:
        yield from ("", "Before you believe a number:", "", *(f"- {line}" for line in _caveats(report.checks)))
    yield from ("", _how(report))


def recommended(report: Report) -> Iterator[str]:
    """Yield what to run, and what is to be said beside it; nothing where nothing is compared."""
    if report.recommendation is None:
        return
    yield from ("", f"**{safe(report.recommendation.sentence)}**")
    beside = (*report.recommendation.others, *report.recommendation.missing)
    if beside:
        yield from ("", *(f"- {safe(sentence)}" for sentence in beside))


def _table(report: Report) -> Iterator[str]:
    scores = [s for name in report.plan.study.benchmarks.chosen() for s in phrases.rows(report, name)]
    levels = {wording.interval_label(s.interval.level) for s in scores if s.interval} or {wording.interval_label(0.95)}
    yield from header(
        *("Model", "Benchmark", "% (correct/total)", f"{', '.join(sorted(levels))} interval", "cut off"),
        *(f"tokens/s, {phrases.in_flight(report)}", "size", "memory"),
    )
    memory = {one.variant: one.all_memory_bytes for one in report.resources}
    for score in scores:
        used = memory.get(score.variant)
        yield cells(
            (
                score.variant,
                wording.name(score.benchmark),
                _accuracy(score),
                wording.interval(score.interval),
                _cut_off(score),
                wording.number(score.tokens_per_second),
                phrases.size(report, score.variant),
                wording.DASH if used is None else phrases.in_bytes(used),
            )
        )


def _accuracy(score: Score) -> str:
    known = score.accuracy is not None
    return f"{wording.percent(score.accuracy)} ({wording.correct(score)})" if known else wording.correct(score)


def _cut_off(score: Score) -> str:
    rate = score.rates.get("truncated")
    return wording.DASH if not score.graded else wording.percent(rate.count / score.graded if rate else 0.0)


def _is_above(c: Comparison, report: Report) -> bool:
    """Whether the recommendation says already why two variants cannot be compared."""
    if c.verdict != "not comparable" or report.recommendation is None:
        return False
    above = (*report.recommendation.others, *report.recommendation.missing)
    return any(c.variant in sentence and reason_of(c) in sentence for sentence in above)


def _verdict(c: Comparison) -> str:
    if c.verdict == "not comparable" or c.difference is None:
        return c.sentence
    first = opening(c.verdict, c.variant, c.baseline, wording.name(c.benchmark), c.margin)
    return f"{first}: {wording.signed_points(c.difference)} points, {interval_cell(c)}."


def _caveats(checks: tuple[Check, ...]) -> Iterator[str]:
    """Yield the worst findings, and how many more there are."""
    worst = sorted(checks, key=lambda check: [*_MANY].index(check.severity))
    shown = worst if len(worst) <= _LINES else worst[: _LINES - 1]
    for check in shown:
        yield f"{check.severity}: {safe(phrases.about(check) + check.message, _SHORT)}"
    if rest := worst[len(shown) :]:
        kinds = [(kind, sum(check.severity == kind for check in rest)) for kind in _MANY]
        counted = [f"{n} {_MANY[kind]}" if n > 1 else f"one {_MANY[kind][:-1]}" for kind, n in kinds if n]
        yield f"and {wording.listed(counted)} more, in the whole report"


def _how(report: Report) -> str:
    """Say in one line how it was run."""
    study, chosen = report.plan.study, report.plan.study.benchmarks.chosen()
    asked = [f"{wording.name(name)}: {phrases.asked(report, name)}" for name in chosen]
    known = [facts for name, facts in report.facts.items() if name in {v.name for v in study.variants}]
    engines = dict.fromkeys(_engine(facts) for facts in known)
    machines = dict.fromkeys(filter(None, (machine(facts.machine) for facts in known)))
    parts = (*asked, phrases.sampling(study), *engines, *machines)
    return f"whichquant {safe(report.whichquant)}. {safe('; '.join(filter(None, parts)))}."


def _engine(facts: ServerFacts) -> str:
    """Name the program that served, with its version unless that is in its name."""
    version = facts.version or ""
    return facts.engine if not version or version.split()[-1] in facts.engine else f"{facts.engine} {version}"

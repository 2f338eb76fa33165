"""`report.md`: everything that a run showed, in GitHub's Markdown."""

from collections.abc import Iterable, Iterator

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.score import Score
from evaluator.decide.sentences import interval_cell
from evaluator.report import phrases
from evaluator.report.fidelity.markdown import lines as fidelity_lines
from evaluator.report.markdown_text import cells, code, header, row, safe
from evaluator.report.method import method, saved
from evaluator.report.post import recommended
from evaluator.report.prompts import TITLE, prompts
from evaluator.report.resources import resource_table
from evaluator.report.server import describe
from evaluator.report.tables import Table, behind, explored, limits, replies

_RESULTS = ("variant", "size", "correct", "accuracy", "its 95 % interval")


def markdown(report: Report) -> str:
    """Write a report as Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    study = report.plan.study
    yield f"# {safe(phrases.title(report))}"
    if study.note:
        yield from ("", f"> {safe(study.note)}")
    yield from recommended(report)
    yield from ("", "## What the data show", "")
    yield from (f"- {safe(sentence)}" for sentence in phrases.single_results(report))
    yield from (f"- {safe(comparison.sentence)}" for comparison in report.comparisons)
    yield from (f"- {safe(sentence)}" for sentence in (saved(report), phrases.reuse(report)) if sentence)
    for benchmark in study.benchmarks.chosen():
        yield from ("", f"## {wording.name(benchmark)}", "", f"{phrases.asked(report, benchmark)}.", "")
        yield from _tables(report, benchmark)
        if table := behind(report, benchmark):
            yield from ("", *_folded(table.title, (table,)))
        if table := limits(report, benchmark):
            sentences = " ".join(b.sentence for b in report.budgets if b.benchmark == benchmark and b.sentence)
            yield from ("", safe(sentences), "", *_folded(table.title, (table,)))
    if report.fidelity:
        yield from fidelity_lines(report.fidelity, report.fidelity_and_tasks)
    yield from _servers(report)
    if report.checks:
        yield from ("", "## Read this before you believe a number", "")
        for check in report.checks:
            message = safe(phrases.about(check) + check.message + phrases.advice(check))
            yield f"- **{check.severity}** `{check.code}` {message}"
    yield from ("", safe(method(report)), "")
    yield from _details(report)
    if report.exploratory:
        tables = explored(report.exploratory, phrases.itself(report))
        yield from ("", *_folded("Explored beside the verdicts", tables, report.exploratory.sentence))


def _servers(report: Report) -> Iterator[str]:
    """Yield what servers take of the machine, and how prompts were put to them."""
    if table := resource_table(report):
        yield from ("", f"## {table.title}", "", *_drawn(table))
    if known := prompts(report):
        yield from ("", f"## {TITLE}", "", *(f"- {safe(sentence)}" for sentence in known))


def _tables(report: Report, benchmark: str) -> Iterator[str]:
    """Yield two tables: scores with verdicts, and the other measurements."""
    scores, one_variant = phrases.rows(report, benchmark), phrases.has_one_variant(report)
    against = ("difference", "its interval", "answered differently", "verdict")
    yield from header(*_RESULTS, *(() if one_variant else against))
    for score in scores:
        ours = (score.variant, phrases.size(report, score.variant), wording.correct(score), *_accuracy(score))
        yield row(*map(safe, ours), *(() if one_variant else _difference(report, score)))
    if itself := phrases.itself(report, benchmark):
        yield from ("", safe(itself))
    yield ""
    yield from _drawn(replies(report, benchmark))
    if benchmark == next(iter(report.plan.study.benchmarks.chosen())):
        yield from ("", *(f"- *{column}*: {meaning}" for column, meaning in phrases.COLUMNS.items()))
    for score in scores:
        if len(score.pass_at_k) > 1:
            yield from ("", safe(f"{score.variant}: {phrases.pass_at_k(score)}"))
    if weighted := phrases.stratified(scores):
        yield from ("", safe(weighted))


def _folded(title: str, tables: Iterable[Table], sentence: str = "") -> Iterator[str]:
    """Yield tables that are folded away until they are opened."""
    yield from (f"<details><summary>{title}</summary>", "")
    if sentence:
        yield from (safe(sentence), "")
    for table in tables:
        if table.title != title:
            yield from (f"**{table.title}**", "")
        yield from (*_drawn(table), "")
    yield "</details>"


def _drawn(table: Table) -> Iterator[str]:
    yield from header(*map(safe, table.head))
    yield from map(cells, table.rows)
    if table.note:
        yield from ("", safe(table.note))


def _accuracy(score: Score) -> tuple[str, str]:
    return wording.percent(score.accuracy), wording.interval(score.interval)


def _difference(report: Report, score: Score) -> tuple[str, str, str, str]:
    if score.variant == report.plan.study.baseline:
        return "baseline", "", "", ""
    c = phrases.against(report, score.benchmark).get(score.variant)
    if c is None or c.verdict == "not comparable":
        return wording.DASH, wording.DASH, wording.DASH, c.verdict if c else wording.DASH
    flips = f"{c.table.flips}" if c.table else wording.DASH
    return f"{wording.signed_points(c.difference or 0.0)} points", interval_cell(c), flips, f"**{c.verdict}**"


def _details(report: Report) -> Iterator[str]:
    study, plan = report.plan.study, report.plan
    yield from ("<details><summary>How it was done</summary>", "")
    for variant in study.variants:
        facts = report.facts.get(variant.name)
        yield f"- **{safe(variant.name)}**: {safe(phrases.setting(variant))}; model {code(variant.model)}"
        if facts:
            yield from (f"  - {label}: {safe(value)}" for label, value in describe(facts))
        if facts and facts.command:
            yield f"  - {code(' '.join(facts.command))}"
    yield f"- sampling: {safe(phrases.sampling(study))}"
    yield f"- {phrases.questions_at_once(report)}; {phrases.order(report)}"
    if curve := phrases.curve(report):
        yield f"- questions in flight and speed: {curve}"
    yield from (f"- data of {wording.name(b)}: sha256 {digest}" for b, digest in plan.data_sha256.items())
    if not phrases.has_one_variant(report):
        yield f"- alpha {study.decide.alpha:g}; mode {study.decide.mode}; baseline {safe(study.baseline)}"
    yield f"- whichquant {report.whichquant}, graders version {report.grader}"
    yield f"- begun {plan.created}, report written {report.written}"
    yield from ("", "</details>")

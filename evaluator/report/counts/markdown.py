"""A report on bare counts as Markdown, ready to be pasted into a post."""

from collections.abc import Iterator

from evaluator.counts.report import CountsReport
from evaluator.decide import wording
from evaluator.decide.wording import name
from evaluator.report.counts import rows
from evaluator.report.markdown_text import header, row, safe


def markdown(report: CountsReport) -> str:
    """Write a report as Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: CountsReport) -> Iterator[str]:
    yield from (f"# {safe(report.study)}: what these counts show", "")
    if report.note:
        yield from (f"> {safe(report.note)}", "")
    yield from (f"- {safe(remark)}" for remark in report.remarks)
    if report.implausible:
        yield from ("", "## Read this before you believe a number", "")
        yield from (f"- **warn** {safe(item.sentence)}" for item in report.implausible)
    yield from ("", "## Comparison by comparison", "")
    yield from (f"- {safe(sentence)}" for sentence in report.sentences)
    for benchmark in rows.benchmarks(report):
        yield from ("", f"## {safe(name(benchmark))}", "", f"{rows.about(benchmark, report).capitalize()}.", "")
        yield from _scores(report, benchmark)
        yield ""
        yield from _comparisons(report, benchmark)
        yield from _pairings(report, benchmark)
        for item in report.omnibus:
            if item.benchmark == benchmark:
                yield from ("", safe(rows.any_difference(item)))
    yield from ("", "## How it was done")
    for part in report.method:
        yield from ("", safe(part))
    yield from ("", f"whichquant {report.whichquant}, report written {report.written}")


def _scores(report: CountsReport, benchmark: str) -> Iterator[str]:
    yield from header("variant", "correct", "accuracy", f"{wording.interval_label(1 - report.alpha)} interval")
    for score in rows.scores(report, benchmark):
        cells = f"{score.correct}/{score.total}", wording.percent(score.accuracy), wording.interval(score.interval)
        yield row(safe(score.variant), *cells)


def _comparisons(report: CountsReport, benchmark: str) -> Iterator[str]:
    """Yield two tables: differences with verdicts, and the tests, each p value with the corrected one."""
    level = wording.interval_label(1 - report.alpha)
    yield from header("compared", "difference", f"Miettinen-Nurminen, {level}", f"Newcombe, {level}", "verdict")
    for c, _ in rows.comparisons(report, benchmark):
        spans = wording.signed_span(c.interval), wording.signed_span(c.newcombe)
        yield row(safe(rows.pair(c)), f"{wording.signed_points(c.difference)} points", *spans, f"**{c.verdict}**")
    yield ""
    yield from header("p, and p corrected by Holm", *rows.TESTS.values())
    for c, _ in rows.comparisons(report, benchmark):
        cells = []
        for test in (c.tests[key] for key in rows.TESTS):
            value = f"{rows.statistic(test)}: " if test.statistic is not None else ""
            cells.append(safe(f"{value}{wording.p_value(test.p)}, {wording.p_value(test.p_holm)}"))
        yield row(safe(rows.pair(c)), *cells)


def _pairings(report: CountsReport, benchmark: str) -> Iterator[str]:
    known = [(c, c.paired, pairing) for c, pairing in rows.comparisons(report, benchmark) if c.paired]
    if not known:
        return
    yield from ("", "What paired answers could have shown, over every table with these counts:", "")
    yield from header("compared", *rows.paired_head(report.alpha))
    for c, paired, _ in known:
        yield row(safe(rows.pair(c)), *map(safe, rows.paired(paired)))
    yield ""
    yield from (f"- {safe(rows.pair(c))}: {safe(pairing)}" for c, _, pairing in known)

"""Accuracy by category as tables: a row for each category, a column for each variant."""

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.categories import CategoryScore
from evaluator.report.tables import Table


def category_tables(report: Report) -> tuple[Table, ...]:
    """Tabulate the accuracies by category of every benchmark that has some."""
    found = (_table(report, benchmark) for benchmark in report.plan.study.benchmarks.chosen())
    return tuple(table for table in found if table)


def _table(report: Report, benchmark: str) -> Table | None:
    scores = {(s.category, s.variant): s for s in report.categories if s.benchmark == benchmark}
    if not scores:
        return None
    variants = [v.name for v in report.plan.study.variants if any(name == v.name for _, name in scores)]
    categories = sorted({category for category, _ in scores})
    return Table(
        title=f"{wording.name(benchmark)} by category",
        head=("category", "questions", *variants),
        rows=tuple(
            (
                category,
                _questions([score for (name, _), score in scores.items() if name == category]),
                *(_cell(scores.get((category, variant))) for variant in variants),
            )
            for category in categories
        ),
        note=f"In brackets the {wording.interval_label(0.95)} interval of each accuracy, taken alone.",
    )


def _questions(scores: list[CategoryScore]) -> str:
    counts = sorted({score.questions for score in scores})
    return wording.text_range(f"{counts[0]:,}", f"{counts[-1]:,}")


def _cell(score: CategoryScore | None) -> str:
    if score is None:
        return wording.DASH
    within = "" if score.interval is None else f" ({wording.interval(score.interval)})"
    return f"{wording.percent(score.accuracy, 0)}{within}"

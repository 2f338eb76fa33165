"""Compare variants of which only counts are known, correct of total."""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from evaluator import __version__
from evaluator.checks.published import implausible_counts
from evaluator.counts.file import Counts, read_counts
from evaluator.counts.report import CountsReport, CountsScore, ImplausibleCount
from evaluator.counts.sentences import ONE_TEST, WEAKER, method, pairing, remarks, sentence
from evaluator.counts.verdict import compare_all, omnibus
from evaluator.decide.wording import name
from evaluator.stats.proportions import wilson


def compare_counts(
    counts: Mapping[str, Any] | str | Path,
    *,
    baseline: str | None = None,
    margins: Mapping[str, float] = {},
    alpha: float | None = None,
) -> CountsReport:
    """Compare variants of which only counts are known, correct of total.

    Args:
        counts: The path of a YAML file, the YAML itself, or the mapping that it would be, such as
            `{BENCHMARK: {"4bit": "90/100", "6bit": "98/100"}}`; at most 100,000 questions a variant.
        baseline: The variant to compare with; None is the one that the counts name, and if they name none, every pair
            is compared.
        margins: By benchmark, in points (above 0, below 100), "" for all others; they replace those of the counts.
        alpha: Rate of false alarms over all comparisons together, at least 1e-6 and below 0.5; None is that of the
            counts, else 0.05.

    Returns:
        Tests for independent samples, and the range of what a paired test could have shown. Scores, differences and
        intervals are proportions between -1 and 1.

    Raises:
        StudyError: The counts, the baseline, a margin or alpha are wrong; with line and key.
    """
    source = yaml.safe_dump(counts, sort_keys=False) if isinstance(counts, Mapping) else str(counts)
    return analyse_counts(read_counts(source, baseline=baseline, margins=margins, alpha=alpha)[0])


def analyse_counts(counts: Counts) -> CountsReport:
    """Test, judge and describe counts that were read."""
    comparisons = compare_all(counts)
    return CountsReport(
        whichquant=__version__,
        written=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        study=counts.study,
        baseline=counts.baseline,
        note=counts.note,
        alpha=counts.alpha,
        family=len(comparisons),
        scores=tuple(
            CountsScore(
                variant=variant,
                benchmark=benchmark.name,
                correct=count.correct,
                total=count.total,
                accuracy=count.correct / count.total,
                interval=wilson(count.correct, count.total, 1 - counts.alpha),
            )
            for benchmark in counts.benchmarks
            for variant, count in benchmark.counts.items()
        ),
        implausible=tuple(_implausible(counts)),
        comparisons=comparisons,
        sentences=tuple(sentence(comparison, counts.alpha) for comparison in comparisons),
        pairings=tuple(pairing(comparison, counts.alpha) for comparison in comparisons),
        omnibus=omnibus(counts),
        remarks=remarks(counts, comparisons),
        method=(WEAKER, ONE_TEST, method(counts, len(comparisons))),
    )


def _implausible(counts: Counts) -> Iterator[ImplausibleCount]:
    for benchmark in counts.benchmarks:
        for variant, count in benchmark.counts.items():
            model = counts.models.get(variant, "")
            implausible = implausible_counts(model, benchmark.name, count.correct, count.total, variant=variant)
            if implausible:
                yield ImplausibleCount(
                    variant=variant,
                    benchmark=benchmark.name,
                    published=implausible.published,
                    probability=implausible.probability,
                    title=implausible.title,
                    url=implausible.url,
                    sentence=f"{variant}, {name(benchmark.name)}: {implausible.sentence}.",
                )

"""Compare variants of which only counts are known, correct of total: the statistics, the verdict, the report."""

import datetime as dt
from collections.abc import Iterator

from evaluator import __version__
from evaluator.checks.published import implausible_counts
from evaluator.counts.file import Counts
from evaluator.counts.report import CountsReport, CountsScore, ImplausibleCount
from evaluator.counts.sentences import ONE_TEST, WEAKER, method, pairing, remarks, sentence
from evaluator.counts.verdict import compare_all, omnibus
from evaluator.decide.wording import name
from evaluator.stats.proportions import wilson


def assemble(counts: Counts) -> CountsReport:
    """Say what counts show."""
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
            found = implausible_counts(model, benchmark.name, count.correct, count.total, variant=variant)
            if found:
                yield ImplausibleCount(
                    variant=variant,
                    benchmark=benchmark.name,
                    published=found.published,
                    probability=found.probability,
                    title=found.title,
                    url=found.url,
                    sentence=f"{variant}, {name(benchmark.name)}: {found.sentence}.",
                )

"""What stands in the tables of a report on bare counts, the same in every form."""

from evaluator.counts.report import CountsReport, CountsScore
from evaluator.counts.sentences import name
from evaluator.counts.verdict import CountsComparison, Omnibus, Paired, Tested
from evaluator.decide import wording
from evaluator.stats.proportions import Interval

TESTS = {
    "z": "z",
    "chi_squared": "chi-squared",
    "yates": "chi-squared, Yates",
    "fisher": "Fisher, exact",
    "boschloo": "Boschloo, exact",
}

PAIRED = ("disagreed", "mid-p", "corrected", "exact p", "corrected", "Tango's interval, if fewest", "if most")


def benchmarks(report: CountsReport) -> list[str]:
    """Give the benchmarks in the order of the file."""
    return list(dict.fromkeys(score.benchmark for score in report.scores))


def scores(report: CountsReport, benchmark: str) -> list[CountsScore]:
    """Give one benchmark's scores."""
    return [score for score in report.scores if score.benchmark == benchmark]


def comparisons(report: CountsReport, benchmark: str) -> list[tuple[CountsComparison, str]]:
    """Give one benchmark's comparisons, each with what pairing could have shown."""
    both = zip(report.comparisons, report.pairings, strict=True)
    return [(c, pairing) for c, pairing in both if c.benchmark == benchmark]


def pair(c: CountsComparison) -> str:
    """Name a comparison."""
    return f"{c.variant} v {c.baseline}"


def span(interval: Interval) -> str:
    """Write an interval of a difference in points."""
    return f"{wording.points(interval.low)} to {wording.points(interval.high)}"


def p(value: float) -> str:
    """Write a p value in a cell."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def statistic(test: Tested) -> str:
    """Write a test's statistic, or nothing where the p value is all there is."""
    return "" if test.statistic is None else f"{test.statistic:.2f}".replace("-", "\u2212")


def paired(found: Paired) -> tuple[str, ...]:
    """Write the range of McNemar's test over all paired tables with the same counts: cells for PAIRED."""
    r = found.range
    return (
        _between(str(r.fewest.flips), str(r.most.flips)),
        _between(p(r.midp_low), p(r.midp_high)),
        _between(p(found.midp_low_holm), p(found.midp_high_holm)),
        _between(p(r.exact_low), p(r.exact_high)),
        _between(p(found.exact_low_holm), p(found.exact_high_holm)),
        span(r.narrowest),
        span(r.widest),
    )


def about(benchmark: str, report: CountsReport) -> str:
    """Say in one line how differences on a benchmark are judged."""
    margin = next(c.margin for c in report.comparisons if c.benchmark == benchmark)
    return f"margin {100 * margin:g} points, alpha {report.alpha:g} over {_comparisons(report.family)}"


def any_difference(found: Omnibus) -> str:
    """Say whether the variants of a benchmark differ at all."""
    chi = f"chi-squared {found.chi_squared.statistic:.2f} with {found.degrees} degrees of freedom"
    exact = "too many tables to count exactly" if found.exact is None else f"exact (Freeman-Halton) p {p(found.exact)}"
    told = f"Any difference among all variants on {name(found.benchmark)}: {chi}, p {p(found.chi_squared.p)}; {exact}."
    return f"{told} These are not corrected, and no verdict rests on them."


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _comparisons(family: int) -> str:
    return "one comparison" if family == 1 else f"{family} comparisons"

"""Cells of the tables in a report on bare counts, the same in every form."""

from evaluator.counts.report import CountsReport, CountsScore
from evaluator.counts.verdict import CountsComparison, Omnibus, Paired, Tested
from evaluator.decide.wording import interval_label, name, p_value, signed_span, text_range

TESTS = {
    "z": "z",
    "chi_squared": "chi-squared",
    "yates": "chi-squared, Yates",
    "fisher": "Fisher, exact",
    "boschloo": "Boschloo, exact",
}


def benchmarks(report: CountsReport) -> list[str]:
    """Return the benchmarks in the order of the file."""
    return list(dict.fromkeys(score.benchmark for score in report.scores))


def scores(report: CountsReport, benchmark: str) -> list[CountsScore]:
    """Return one benchmark's scores."""
    return [score for score in report.scores if score.benchmark == benchmark]


def comparisons(report: CountsReport, benchmark: str) -> list[tuple[CountsComparison, str]]:
    """Return one benchmark's comparisons, each with what pairing could have shown."""
    pairs = zip(report.comparisons, report.pairings, strict=True)
    return [(c, pairing) for c, pairing in pairs if c.benchmark == benchmark]


def pair(c: CountsComparison) -> str:
    """Name a comparison."""
    return f"{c.variant} v {c.baseline}"


def statistic(test: Tested) -> str:
    """Write a test's statistic, or nothing where the p value is all there is."""
    return "" if test.statistic is None else f"{test.statistic:.2f}".replace("-", "\u2212")


def paired_head(alpha: float) -> tuple[str, ...]:
    """Write the headings of what paired answers could have shown."""
    spans = f"Tango's interval ({interval_label(1 - alpha)}), if fewest", "if most"
    return "disagreed", "mid-p", "corrected", "exact p", "corrected", *spans


def paired(result: Paired) -> tuple[str, ...]:
    """Write the range of McNemar's test over all paired tables with the same counts: cells below `paired_head`."""
    r = result.range
    return (
        text_range(str(r.fewest.flips), str(r.most.flips)),
        text_range(p_value(r.midp_low), p_value(r.midp_high)),
        text_range(p_value(result.midp_low_holm), p_value(result.midp_high_holm)),
        text_range(p_value(r.exact_low), p_value(r.exact_high)),
        text_range(p_value(result.exact_low_holm), p_value(result.exact_high_holm)),
        signed_span(r.narrowest),
        signed_span(r.widest),
    )


def about(benchmark: str, report: CountsReport) -> str:
    """Say in one line how differences on a benchmark are judged."""
    margin = next(c.margin for c in report.comparisons if c.benchmark == benchmark)
    return f"margin {100 * margin:g} points, alpha {report.alpha:g} over {_comparisons(report.family)}"


def any_difference(test: Omnibus) -> str:
    """Say whether the variants of a benchmark differ at all."""
    chi = f"chi-squared {test.chi_squared.statistic:.2f} with {test.degrees} degrees of freedom"
    exact = "too many tables to count exactly"
    if test.exact is not None:
        exact = f"exact (Freeman-Halton) p {p_value(test.exact)}"
    chi_p = p_value(test.chi_squared.p)
    first = f"Any difference among all variants on {name(test.benchmark)}: {chi}, p {chi_p}; {exact}."
    return f"{first} These are not corrected, and no verdict rests on them."


def _comparisons(family: int) -> str:
    return "one comparison" if family == 1 else f"{family} comparisons"

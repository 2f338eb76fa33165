"""What bare counts show of each variant against another, as numbers and a verdict; the words are in `sentences`.

All proportions are between 0 and 1. The test that the verdict rests on is Boschloo's: exact, and chosen before any
count was seen. The others are shown beside it.
"""

from itertools import combinations

from msgspec import Struct

from evaluator.counts.file import Count, CountedBenchmark, Counts
from evaluator.decide.comparison import Verdict
from evaluator.decide.verdict import decide
from evaluator.stats.compatible import CompatibleRange, compatible_range
from evaluator.stats.contingency import chi_squared_of_all, freeman_halton
from evaluator.stats.multiplicity import holm
from evaluator.stats.power import questions_to_see
from evaluator.stats.power_unpaired import questions_unpaired
from evaluator.stats.proportions import Interval, Test
from evaluator.stats.unpaired import (
    boschloo,
    chi_squared,
    fisher,
    miettinen_nurminen,
    newcombe,
    two_proportion_z,
    unpaired_equivalence,
)

PRIMARY = "boschloo"
TESTS = ("z", "chi_squared", "yates", "fisher", "boschloo")


class Tested(Struct, frozen=True):
    """A two-sided test of "no difference"."""

    statistic: float | None
    """None where the p value is all there is."""
    p: float
    p_holm: float
    """Corrected for the family."""


class Paired(Struct, frozen=True, kw_only=True):
    """What McNemar's test could have shown on the same questions; each end is corrected among its kind."""

    range: CompatibleRange
    midp_low_holm: float
    midp_high_holm: float
    exact_low_holm: float
    exact_high_holm: float


class CountsComparison(Struct, frozen=True, kw_only=True):
    """One variant against another on one benchmark."""

    variant: str
    baseline: str
    benchmark: str
    count: Count
    baseline_count: Count
    difference: float
    """Variant minus baseline."""
    interval: Interval
    """Miettinen and Nurminen's, at level 1 - alpha."""
    newcombe: Interval
    """Newcombe's, at level 1 - alpha."""
    family_interval: Interval
    """Miettinen and Nurminen's at level 1 - alpha / family: statements about the size rest on it."""
    equivalence_interval: Interval
    """Miettinen and Nurminen's at level 1 - 2 alpha: inside ±margin exactly where `equivalence_p` <= alpha."""
    tests: dict[str, Tested]
    """By name: z, chi_squared, yates, fisher, boschloo."""
    equivalence_p: float
    """Of a difference of the margin or more."""
    equivalence_p_holm: float
    family: int
    """Comparisons that the p values are corrected for."""
    margin: float
    supported_margin: float
    """The smallest margin within which these counts would show equivalence, this comparison taken alone."""
    paired: Paired | None
    """None where the two were asked different numbers of questions."""
    verdict: Verdict
    questions_unpaired: int | None = None
    """Where the verdict is `cannot tell`: of each variant, for 80 % power to see the margin from counts alone."""
    questions_paired: tuple[int, int] | None = None
    """The same with the same questions to both and the answers kept: with as few disagreements as these counts allow,
    and with as many as two models that have nothing in common."""

    @property
    def p(self) -> float:
        """The primary test's."""
        return self.tests[PRIMARY].p

    @property
    def p_holm(self) -> float:
        """The primary test's, corrected."""
        return self.tests[PRIMARY].p_holm


class Omnibus(Struct, frozen=True, kw_only=True):
    """Whether there is any difference among all variants on one benchmark; corrected for nothing."""

    benchmark: str
    chi_squared: Test
    degrees: int
    exact: float | None
    """Freeman and Halton's p; None where there are too many tables to count."""


class _Pair(Struct, frozen=True, kw_only=True):
    """Two counts, and what they show before it is corrected for the other comparisons."""

    variant: str
    baseline: str
    benchmark: CountedBenchmark
    tests: dict[str, tuple[float | None, float]]
    """Statistic, if there is one, and p value."""
    equivalence_p: float
    range: CompatibleRange | None

    @property
    def counts(self) -> tuple[Count, Count]:
        return self.benchmark.counts[self.variant], self.benchmark.counts[self.baseline]

    @property
    def four(self) -> tuple[int, int, int, int]:
        a, b = self.counts
        return a.correct, a.total, b.correct, b.total

    @property
    def margin(self) -> float:
        return self.benchmark.margin / 100


class _Corrected(Struct, frozen=True, kw_only=True):
    """The same, corrected for all comparisons."""

    tests: dict[str, Tested]
    equivalence_p_holm: float
    paired: Paired | None


def compare_all(counts: Counts) -> tuple[CountsComparison, ...]:
    """Compare every variant with the baseline, or without one every pair, benchmark by benchmark."""
    pairs = [_pair(counts, benchmark, a, b) for benchmark in counts.benchmarks for a, b in _pairs_of(counts, benchmark)]
    corrected = {name: holm([pair.tests[name][1] for pair in pairs]) for name in TESTS}
    equivalence = holm([pair.equivalence_p for pair in pairs])
    paired = _paired([pair.range for pair in pairs])
    return tuple(
        _comparison(
            pair,
            _Corrected(
                tests={name: Tested(*test, corrected[name][i]) for name, test in pair.tests.items()},
                equivalence_p_holm=equivalence[i],
                paired=paired[i],
            ),
            counts.alpha,
            family=len(pairs),
        )
        for i, pair in enumerate(pairs)
    )


def omnibus(counts: Counts) -> tuple[Omnibus, ...]:
    """Test each benchmark with three or more variants for any difference at all."""
    results = []
    for benchmark in counts.benchmarks:
        table = [(count.correct, count.total) for count in benchmark.counts.values()]
        if len(table) > 2:
            exact = freeman_halton(table)
            chi = chi_squared_of_all(table)
            results.append(Omnibus(benchmark=benchmark.name, chi_squared=chi, degrees=len(table) - 1, exact=exact))
    return tuple(results)


def _pairs_of(counts: Counts, benchmark: CountedBenchmark) -> list[tuple[str, str]]:
    if counts.baseline is None:
        return list(combinations(benchmark.counts, 2))
    return [(variant, counts.baseline) for variant in benchmark.counts if variant != counts.baseline]


def _pair(counts: Counts, benchmark: CountedBenchmark, variant: str, baseline: str) -> _Pair:
    a, b = benchmark.counts[variant], benchmark.counts[baseline]
    four = a.correct, a.total, b.correct, b.total
    normal = {
        "z": two_proportion_z(*four),
        "chi_squared": chi_squared(*four),
        "yates": chi_squared(*four, yates=True),
    }
    return _Pair(
        variant=variant,
        baseline=baseline,
        benchmark=benchmark,
        tests={
            **{name: (test.statistic, test.p) for name, test in normal.items()},
            "fisher": (None, fisher(*four)),
            "boschloo": (None, boschloo(*four)),
        },
        equivalence_p=unpaired_equivalence(*four, benchmark.margin / 100),
        range=compatible_range(a.correct, b.correct, a.total, 1 - counts.alpha) if a.total == b.total else None,
    )


def _paired(ranges: list[CompatibleRange | None]) -> list[Paired | None]:
    # Where there is no range, nothing is known; it still counts in the family, with p = 1.
    ends = {
        f"{end}_holm": holm([1.0 if possible is None else getattr(possible, end) for possible in ranges])
        for end in ("midp_low", "midp_high", "exact_low", "exact_high")
    }
    return [
        None if possible is None else Paired(range=possible, **{end: p[i] for end, p in ends.items()})
        for i, possible in enumerate(ranges)
    ]


def _comparison(pair: _Pair, corrected: _Corrected, alpha: float, *, family: int) -> CountsComparison:
    a, b = pair.counts
    interval = miettinen_nurminen(*pair.four, 1 - alpha)
    family_interval = miettinen_nurminen(*pair.four, 1 - alpha / family)
    equivalence_interval = miettinen_nurminen(*pair.four, 1 - 2 * alpha)
    verdict = decide(
        interval,
        family_interval,
        equivalence_interval,
        p=corrected.tests[PRIMARY].p_holm,
        equivalence_p=corrected.equivalence_p_holm,
        margin=pair.margin,
        alpha=alpha,
    )
    undecided = verdict == "cannot tell"
    return CountsComparison(
        variant=pair.variant,
        baseline=pair.baseline,
        benchmark=pair.benchmark.name,
        count=a,
        baseline_count=b,
        difference=a.correct / a.total - b.correct / b.total,
        interval=interval,
        newcombe=newcombe(*pair.four, 1 - alpha),
        family_interval=family_interval,
        equivalence_interval=equivalence_interval,
        tests=corrected.tests,
        equivalence_p=pair.equivalence_p,
        equivalence_p_holm=corrected.equivalence_p_holm,
        family=family,
        margin=pair.margin,
        supported_margin=max(abs(equivalence_interval.low), abs(equivalence_interval.high)),
        paired=corrected.paired,
        verdict=verdict,
        # Holm's strictest level, so that the number holds whatever the other comparisons show.
        questions_unpaired=_needed_unpaired(a, b, pair.margin, alpha / family) if undecided else None,
        questions_paired=_needed_paired(a, b, pair.margin, alpha / family) if undecided else None,
    )


def _needed_unpaired(a: Count, b: Count, margin: float, alpha: float) -> int:
    pooled = (a.correct + b.correct) / (a.total + b.total)
    asked = min(a.total, b.total)

    def needed(difference: float) -> int:
        # Slightly inside, or rounding would take the share out of 0 to 1.
        share = min(1 - difference / 2 - 1e-9, max(difference / 2 + 1e-9, pooled))
        return questions_unpaired(share, difference, alpha=alpha)

    if needed(margin) > asked:
        return needed(margin)
    # The margin could have been seen already. What is left to see is how far the difference lies from zero or from
    # the margin, whichever is farther.
    apart = abs(a.correct / a.total - b.correct / b.total)
    return max(asked + 1, needed(max(apart, margin - apart)))


def _needed_paired(a: Count, b: Count, margin: float, alpha: float) -> tuple[int, int]:
    p_a, p_b = a.correct / a.total, b.correct / b.total
    few = max(margin, abs(p_a - p_b))
    many = max(few, p_a * (1 - p_b) + p_b * (1 - p_a))
    return questions_to_see(margin, few, alpha=alpha), questions_to_see(margin, many, alpha=alpha)

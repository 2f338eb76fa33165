"""The noise floor: how often a variant disagrees with itself, and how much more often two variants disagree.

D is the chance that two runs of one question differ in being right. If A solves question i with chance p_i and B with
q_i, then D_AB - (D_AA + D_BB)/2 estimates the mean of (p_i - q_i)² without bias: what is left of the flips once the
run-to-run variation of each variant is taken away. A question's part depends only on how many of its runs were right,
so questions with the same counts are handled together: 12,032 questions with 5 + 5 runs take a fraction of a second.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import comb, gcd, lcm
from typing import TYPE_CHECKING

from msgspec import Struct

from evaluator.stats.proportions import Interval, critical_z

if TYPE_CHECKING:
    import numpy as np

EXACT_UP_TO = 10_000
"""Longest table of possible sums for which the permutation test counts all permutations."""


class Excess(Struct, frozen=True):
    """Disagreement between two variants beside that within each; shares of run pairs, averaged over questions."""

    between: float
    """Share of questions on which A and B disagree."""
    within_a: float
    """Share on which A disagrees with itself."""
    within_b: float | None
    """None where B ran once; then it is taken to vary as A does."""
    excess: float
    """`between` less the mean of those within A and B."""
    interval: Interval
    p: float
    """p value of "no excess"."""


class _Counts(Struct, frozen=True, order=True):
    """What matters of one question: how many runs of A and B it had, and how many of them were right."""

    runs_a: int
    runs_b: int
    right_a: int
    right_b: int

    @property
    def between(self) -> Fraction:
        right_a, right_b = self.right_a, self.right_b
        differ = right_a * (self.runs_b - right_b) + right_b * (self.runs_a - right_a)
        return Fraction(differ, self.runs_a * self.runs_b)

    @property
    def within_a(self) -> Fraction:
        return _within(self.right_a, self.runs_a)

    @property
    def within_b(self) -> Fraction:
        return _within(self.right_b, self.runs_b)


def excess_flips(
    a: Sequence[Sequence[bool]], b: Sequence[Sequence[bool]], *, level: float = 0.95, seed: int = 0, draws: int = 10_000
) -> Excess:
    """Return how much more often A and B disagree than two runs of one of them; a[i] and b[i] are runs of question i.

    excess = D_AB - (D_AA + D_BB)/2, each D over all pairs of runs (statistic and permutation as for energy distances:
    Szekely & Rizzo 2013, J Stat Plan Inference 143:1249-1272). Where some question has one run of B, D_BB is taken for
    D_AA: excess = D_AB - D_AA. It may come out below 0.

    p is one-sided, for "variant makes no difference to any question": the labels of a question's runs are permuted. All
    permutations count where that is feasible; else `draws` are drawn and p = (1 + as large) / (1 + draws).
    The interval is the bootstrap's over questions, by percentiles; it has no width where all questions came out alike.

    Raises:
        ValueError: no question, not the same questions, a question with fewer than two runs of A or none of B, level
            not between 0 and 1, or no draws.
    """
    import numpy as np  # noqa: PLC0415  slow to import

    critical_z(level)
    if draws < 1:
        raise ValueError(f"at least one draw is needed, and draws is {draws}")
    patterns = _patterns(a, b)
    n = patterns.total()
    repeated = all(counts.runs_b > 1 for counts in patterns)
    rng = np.random.default_rng(seed)
    kinds, repeats = list(patterns), list(patterns.values())
    parts = np.array([float(_excess(counts, repeated=repeated)) for counts in kinds])
    resampled = rng.multinomial(n, np.array(repeats) / n, size=draws) @ parts / n
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])

    def mean(share: Iterable[Fraction]) -> float:
        return float(sum((x * times for x, times in zip(share, repeats, strict=True)), Fraction()) / n)

    return Excess(
        between=mean(counts.between for counts in kinds),
        within_a=mean(counts.within_a for counts in kinds),
        within_b=mean(counts.within_b for counts in kinds) if repeated else None,
        excess=mean(_excess(counts, repeated=repeated) for counts in kinds),
        interval=Interval(float(low), float(high), level),
        p=_p_permuted(patterns, rng, draws, repeated=repeated),
    )


def _patterns(a: Sequence[Sequence[bool]], b: Sequence[Sequence[bool]]) -> Counter[_Counts]:
    if len(a) != len(b):
        raise ValueError(f"both variants must be put to the same questions, and there are {len(a)} and {len(b)}")
    if not a:
        raise ValueError("no question was run, so there are no flips to count")
    if any(len(x) < 2 or not y for x, y in zip(a, b, strict=True)):
        raise ValueError("excess flips need at least two runs of A and one of B for every question")
    rows = Counter((len(x), len(y), sum(map(bool, x)), sum(map(bool, y))) for x, y in zip(a, b, strict=True))
    # Sorted, so that the order of the questions changes nothing that is drawn.
    return Counter({_Counts(*row): rows[row] for row in sorted(rows)})


def _within(right: int, runs: int) -> Fraction:
    return Fraction(2 * right * (runs - right), runs * (runs - 1)) if runs > 1 else Fraction(0)


def _excess(counts: _Counts, *, repeated: bool) -> Fraction:
    other = counts.within_b if repeated else counts.within_a
    return counts.between - (counts.within_a + other) / 2


class _Permutations(Struct, frozen=True):
    """The sums that relabelling can give, in whole steps above the smallest of them."""

    seen: int
    """The sum of the labels as they are."""
    parts: tuple[tuple[int, dict[int, float]], ...]
    """Of questions with the same counts: how many they are, and the chance of each step of one of them."""

    @property
    def most(self) -> int:
        return sum(times * max(chances) for times, chances in self.parts)


def _p_permuted(patterns: Counter[_Counts], rng: "np.random.Generator", draws: int, *, repeated: bool) -> float:
    """Return the share of relabellings with an excess as large as the one seen."""
    permutations = _permutations(patterns, repeated=repeated)
    if permutations.most <= EXACT_UP_TO:
        return _p_counted(permutations)
    return _p_drawn(permutations, rng, draws)


def _permutations(patterns: Counter[_Counts], *, repeated: bool) -> _Permutations:
    """Relabel within questions, in whole multiples of the largest unit that they allow: the shortest table of sums."""
    groups: defaultdict[tuple[int, int, int], int] = defaultdict(int)
    for counts, times in patterns.items():
        groups[counts.runs_a, counts.runs_b, counts.right_a + counts.right_b] += times
    tables = [(times, _relabelled(*group, repeated=repeated)) for group, times in groups.items()]
    unit = lcm(*(value.denominator for _, table in tables for value in table))
    seen = sum(int(_excess(counts, repeated=repeated) * unit) * times for counts, times in patterns.items())
    seen -= sum(times * int(min(table) * unit) for times, table in tables)
    steps = [(times, {int((v - min(table)) * unit): chance for v, chance in table.items()}) for times, table in tables]
    step = gcd(*(value for _, table in steps for value in table)) or 1
    parts = tuple((times, {value // step: chance for value, chance in table.items()}) for times, table in steps)
    return _Permutations(seen // step, parts)


def _p_counted(permutations: _Permutations) -> float:
    """Count all relabellings: the distribution of the sum is the convolution of its parts."""
    import numpy as np  # noqa: PLC0415  slow to import

    total = np.ones(1)
    for times, chances in permutations.parts:
        part = np.zeros(max(chances) + 1)
        for value, chance in chances.items():
            part[value] = chance
        total = np.convolve(total, _power(part, times))
    return min(1.0, float(np.sum(total[permutations.seen :])))


def _p_drawn(permutations: _Permutations, rng: "np.random.Generator", draws: int) -> float:
    import numpy as np  # noqa: PLC0415  slow to import

    drawn = np.zeros(draws, dtype=np.int64)
    for times, chances in permutations.parts:
        if len(chances) > 1:
            drawn += rng.multinomial(times, list(chances.values()), size=draws) @ np.array(list(chances))
    return float((1 + np.sum(drawn >= permutations.seen)) / (1 + draws))


def _relabelled(runs_a: int, runs_b: int, right: int, *, repeated: bool) -> dict[Fraction, float]:
    """Return the chance of each excess of a question when `right` right runs fall to A and B at random."""
    table: defaultdict[Fraction, float] = defaultdict(float)
    for right_a in range(max(0, right - runs_b), min(runs_a, right) + 1):
        ways = comb(runs_a, right_a) * comb(runs_b, right - right_a)
        value = _excess(_Counts(runs_a, runs_b, right_a, right - right_a), repeated=repeated)
        table[value] += ways / comb(runs_a + runs_b, right)
    return dict(table)


def _power(table: "np.ndarray", times: int) -> "np.ndarray":
    """Return the distribution of a sum of `times` equal and independent parts, by repeated squaring."""
    import numpy as np  # noqa: PLC0415  slow to import

    result = np.ones(1)
    while times:
        if times % 2:
            result = np.convolve(result, table)
        times //= 2
        if times:
            table = np.convolve(table, table)
    return result

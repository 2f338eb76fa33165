"""Simulate how often each rule of decision errs, how often it finds what is there, and how many questions it asks.

`python -m tests.bench.simulate_decisions [--runs 10000] [--seed 1]` prints markdown tables; half a minute on one core.
Questions are independent; only A solves one with probability p10, only B with p01; the difference is p10 - p01, the
disagreement p10 + p01. Each figure stands with its simulation error, one standard error. Where a rule of the project
is too slow for millions of looks, a table or a vectorised twin replaces it, checked against it before anything is
printed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from functools import lru_cache
from math import log, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaln
from scipy.stats import binom

from evaluator.stats.equivalence import equivalence
from evaluator.stats.group_sequential import nominal_level, obrien_fleming
from evaluator.stats.paired import PairedTable, mcnemar_midp
from evaluator.stats.sequential import BETS, log_e_no_difference, log_e_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    Rule = Callable[["Prefix"], "Decided"]

ALPHA = 0.05
FIRST_PEEK = 30
CHUNK = 1_000
"""Simulated runs held in memory at a time."""
STEP = 20
"""Questions between two looks of the three-outcome rule."""


class Prefix(NamedTuple):
    """How many of the first 1, 2, 3 ... questions only A, only B solved: a row for each simulated run."""

    b: Ints
    c: Ints


class Decided(NamedTuple):
    """For each run: whether the rule called the two different, and how many questions it had asked by then."""

    different: Flags
    asked: Ints


class Looks(NamedTuple):
    """For each run: questions asked when it was first called different, and equivalent; more than the cap if never."""

    different: Ints
    equivalent: Ints


Results = dict[str, Decided]
"""What came of the runs, by the name of the rule."""


def draw(rng: np.random.Generator, runs: int, questions: int, p10: float, p01: float) -> Prefix:
    """Draw runs of so many questions."""
    chance = rng.random((runs, questions))
    only_a, only_b = chance < p10, (chance >= p10) & (chance < p10 + p01)
    return Prefix(np.cumsum(only_a, axis=1, dtype=np.int64), np.cumsum(only_b, axis=1, dtype=np.int64))


@lru_cache(maxsize=4)
def midp_table(size: int) -> Floats:
    """Return McNemar's mid-p for every b and c below size."""
    b, c = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    fewer, flips = np.minimum(b, c), b + c
    unequal = 2 * binom.cdf(fewer, flips, 0.5) - binom.pmf(fewer, flips, 0.5)
    p: Floats = np.where(b == c, 1 - binom.pmf(fewer, flips, 0.5) / 2, unequal)
    p[0, 0] = 1.0
    return p


@lru_cache(maxsize=4)
def log_e_table(size: int) -> Floats:
    """Return log e against "no difference" for every b and c below size."""
    b, c = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    table: Floats = (b + c) * log(2) + betaln(b + 1, c + 1)
    return table


def size_for(prefix: Prefix) -> int:
    """Return a table size that holds every count, one of few, so that tables are shared."""
    return int(max(prefix.b[:, -1].max(), prefix.c[:, -1].max()) // 100 + 1) * 100


def first(hits: Flags, looks: Ints, cap: int) -> Decided:
    """Return the first look that hits in each row; the cap where none does."""
    different = np.asarray(hits.any(axis=1))
    return Decided(different, np.where(different, looks[hits.argmax(axis=1)], cap))


def fixed(n: int) -> Rule:
    """Ask n questions, then test once by mid-p."""

    def decide(prefix: Prefix) -> Decided:
        p = midp_table(size_for(prefix))[prefix.b[:, n - 1], prefix.c[:, n - 1]]
        return Decided(p <= ALPHA, np.full(len(p), n))

    return decide


def five_looks(n: int) -> Rule:
    """Test by mid-p after each fifth of n questions, at the nominal levels of O'Brien and Fleming's spending."""
    looks = np.array([round(n * i / 5) for i in range(1, 6)])
    levels = np.array([nominal_level(z) for z in obrien_fleming([float(look / n) for look in looks], ALPHA)])

    def decide(prefix: Prefix) -> Decided:
        p = midp_table(size_for(prefix))[prefix.b[:, looks - 1], prefix.c[:, looks - 1]]
        return first(p <= levels, looks, n)

    return decide


def always(cap: int) -> Rule:
    """Look after every question whether the e-value against "no difference" has reached 1/alpha."""

    def decide(prefix: Prefix) -> Decided:
        e = log_e_table(size_for(prefix))[prefix.b[:, :cap], prefix.c[:, :cap]]
        return first(e >= -log(ALPHA), np.arange(1, cap + 1), cap)

    return decide


def peeking(cap: int) -> Rule:
    """Test by mid-p after every question from the 30th, as if each look were the only one: what one must not do."""

    def decide(prefix: Prefix) -> Decided:
        p = midp_table(size_for(prefix))[prefix.b[:, FIRST_PEEK - 1 : cap], prefix.c[:, FIRST_PEEK - 1 : cap]]
        return first(p <= ALPHA, np.arange(FIRST_PEEK, cap + 1), cap)

    return decide


def simulate(
    rng: np.random.Generator, runs: int, p10: float, p01: float, rules: dict[str, tuple[int, Rule]]
) -> Results:
    """Put each rule, with the questions it may ask at most, to the same runs."""
    most = max(cap for cap, _ in rules.values())
    found: dict[str, list[Decided]] = {name: [] for name in rules}
    for start in range(0, runs, CHUNK):
        prefix = draw(rng, min(CHUNK, runs - start), most, p10, p01)
        for name, (_, rule) in rules.items():
            found[name].append(rule(prefix))
    return {
        name: Decided(np.concatenate([p.different for p in parts]), np.concatenate([p.asked for p in parts]))
        for name, parts in found.items()
    }


def log_e_twin(b: Ints, c: Ints, n: int, d0: float, *, above: bool) -> Floats:
    """Return log e for d > d0 (above) or d < d0 after n questions, for many counts b and c at once."""
    edge = 1 / (1 + d0) if above else -1 / (1 - d0)
    bets = (np.arange(BETS) + 0.5) * (edge / BETS)
    gains = np.log1p(np.outer([1 - d0, -d0, -1 - d0], bets))
    logs = np.stack([b, n - b - c, c], axis=1).astype(float) @ gains
    largest = logs.max(axis=1)
    return np.asarray(largest + np.log(np.exp(logs - largest[:, None]).mean(axis=1)))


def three_outcomes(rng: np.random.Generator, runs: int, truth: tuple[float, float], margin: float, cap: int) -> Looks:
    """Look every 20 questions for "different" and for "equivalent within the margin", to the cap whatever was found."""
    p10, p01 = truth
    steps = rng.multinomial(STEP, [p10, p01, 1 - p10 - p01], size=(runs, cap // STEP))
    b, c = np.cumsum(steps[:, :, 0], axis=1), np.cumsum(steps[:, :, 1], axis=1)
    looks = np.arange(STEP, cap + 1, STEP)
    never = cap + 1
    size = size_for(Prefix(b, c))
    different = first(log_e_table(size)[b, c] >= -log(ALPHA), looks, never).asked
    not_worse, not_better = np.full(runs, never), np.full(runs, never)
    for i, n in enumerate(looks):
        for reached, d0, above in ((not_worse, -margin, True), (not_better, margin, False)):
            open_runs = np.flatnonzero(reached > cap)
            if len(open_runs) == 0:
                continue
            pairs, of = np.unique(b[open_runs, i] * size + c[open_runs, i], return_inverse=True)
            hits = log_e_twin(pairs // size, pairs % size, int(n), d0, above=above)[of] >= -log(ALPHA)
            reached[open_runs[hits]] = n
    return Looks(different, np.maximum(not_worse, not_better))


def fixed_equivalence(rng: np.random.Generator, runs: int, truth: tuple[float, float], margin: float, n: int) -> float:
    """Return the share of runs of n questions that the two one-sided score tests call equivalent."""
    counts = rng.multinomial(n, [truth[0], truth[1], 1 - sum(truth)], size=runs)
    seen = Counter((int(b), int(c)) for b, c, _ in counts)
    called = sum(k for (b, c), k in seen.items() if equivalence(PairedTable(0, b, c, n - b - c), margin) <= ALPHA)
    return called / runs


def check_twins(seed: int) -> None:
    """Refuse to go on where a table or twin disagrees with the project's own function."""
    rng = random.Random(seed)
    for _ in range(200):
        b, c, more, d0 = rng.randrange(60), rng.randrange(60), rng.randrange(1, 900), rng.uniform(-0.2, 0.2)
        n = b + c + more
        pairs = [
            (midp_table(100)[b, c], mcnemar_midp(PairedTable(0, b, c, more))),
            (log_e_table(100)[b, c], log_e_no_difference(b, c)),
        ]
        for above in (True, False):
            own = log_e_value({1.0: b, 0.0: more, -1.0: c}, d0, "above" if above else "below")
            pairs.append((log_e_twin(np.array([b]), np.array([c]), n, d0, above=above)[0], own))
        for twin, own in pairs:
            if abs(twin - own) > 1e-9 * max(1.0, abs(own)):
                raise AssertionError(f"at b={b}, c={c}, n={n}, d0={d0} the simulation has {twin}, the project {own}")


DISAGREEMENTS = (0.02, 0.04, 0.10, 0.20)
CAP = 2_000
FALSE_ALARM_RULES = {
    "one mid-p test at 216": (216, fixed(216)),
    "one mid-p test at 2,000": (CAP, fixed(CAP)),
    "five looks on 223": (223, five_looks(223)),
    "five looks on 2,000": (CAP, five_looks(CAP)),
    "e-value after every question to 2,000": (CAP, always(CAP)),
    "mid-p after every question to 2,000 (invalid)": (CAP, peeking(CAP)),
}
# p10, p01, questions of the fixed plan with power 0.8, of the five looks (3 % more), caps of the e-value
ALTERNATIVES = (
    (0.02, 0.08, 216, 223, (432, 1_000)),
    (0.03, 0.05, 1_565, 1_619, (3_130, 4_000)),
    (0.00, 0.05, 134, 138, (268, 500)),
)
AT_MARGIN = ((0.03, 0.05), (0.03, 0.10), (0.05, 0.10), (0.05, 0.20))
"""Margin, also the true difference, and disagreement."""
NO_DIFFERENCE = ((0.03, 0.02, 191), (0.03, 0.05, 476), (0.03, 0.10, 952), (0.05, 0.10, 343), (0.05, 0.20, 686))
"""Margin, disagreement, questions of the fixed plan with power 0.8 (statistics.md 1)."""


def power_rules(plan: int, budget: int, caps: tuple[int, ...]) -> dict[str, tuple[int, Rule]]:
    """Return the rules to put to one alternative."""
    return {
        f"one mid-p test at {plan:,}": (plan, fixed(plan)),
        f"five looks on {budget:,}": (budget, five_looks(budget)),
        **{f"e-value after every question to {cap:,}": (cap, always(cap)) for cap in caps},
        f"mid-p after every question to {caps[0]:,} (invalid)": (caps[0], peeking(caps[0])),
    }


def share(rate: float, runs: int) -> str:
    """Return a rate with its simulation error, which one more hit and miss keep from 0 where all runs agree."""
    steadied = (rate * runs + 1) / (runs + 2)
    return f"{rate:.4f} ± {sqrt(steadied * (1 - steadied) / runs):.4f}"


def average(asked: Ints) -> str:
    """Return a mean number of questions with its simulation error."""
    return f"{asked.mean():,.0f} ± {asked.std() / sqrt(len(asked)):.1f}"


def rows_of_false_alarms(rng: np.random.Generator, runs: int) -> Iterator[str]:
    """Give the table of how often each rule calls equals different."""
    yield "## False alarms: no difference, nominal 0.05\n"
    yield "| rule | " + " | ".join(f"disagreement {psi:.0%}" for psi in DISAGREEMENTS) + " |"
    yield "|---" * (len(DISAGREEMENTS) + 1) + "|"
    results = [simulate(rng, runs, psi / 2, psi / 2, FALSE_ALARM_RULES) for psi in DISAGREEMENTS]
    for name in FALSE_ALARM_RULES:
        yield f"| {name} | " + " | ".join(share(r[name].different.mean(), runs) for r in results) + " |"


def rows_of_power(rng: np.random.Generator, runs: int) -> Iterator[str]:
    """Give the table of how often each rule sees a difference that is there, and what it asks."""
    yield "\n## Power and questions asked: a difference is there\n"
    yield "| p10, p01 | rule | called different | mean questions |\n|---|---|---|---|"
    for p10, p01, plan, budget, caps in ALTERNATIVES:
        for name, found in simulate(rng, runs, p10, p01, power_rules(plan, budget, caps)).items():
            yield f"| {p10}, {p01} | {name} | {share(found.different.mean(), runs)} | {average(found.asked)} |"


def rows_at_margin(rng: np.random.Generator, runs: int) -> Iterator[str]:
    """Give the table of how often variants that differ by the margin are called equivalent."""
    yield "\n## False equivalence: the true difference is the margin, nominal 0.05\n"
    yield "| margin | disagreement | two one-sided tests at 500 | at 2,000 | e-values every 20 questions to 2,000 |"
    yield "|---|---|---|---|---|"
    for margin, psi in AT_MARGIN:
        truth = ((psi - margin) / 2, (psi + margin) / 2)
        at = [share(fixed_equivalence(rng, runs, truth, margin, n), runs) for n in (500, CAP)]
        ever = float((three_outcomes(rng, runs, truth, margin, CAP).equivalent <= CAP).mean())
        yield f"| {margin} | {psi:.0%} | {at[0]} | {at[1]} | {share(ever, runs)} |"


def rows_of_equivalence(rng: np.random.Generator, runs: int) -> Iterator[str]:
    """Give the table of what becomes of variants that do not differ."""
    yield "\n## Equivalence: no difference; e-values every 20 questions to 3,000, stopping at the first verdict\n"
    yield "| margin | disagreement | one TOST | equivalent | different | undecided | mean questions |"
    yield "|---" * 7 + "|"
    cap = 3_000
    for margin, psi, plan in NO_DIFFERENCE:
        truth = (psi / 2, psi / 2)
        once = f"{share(fixed_equivalence(rng, runs, truth, margin, plan), runs)} at {plan}"
        looks = three_outcomes(rng, runs, truth, margin, cap)
        equivalent = (looks.equivalent <= cap) & (looks.equivalent < looks.different)
        different = (looks.different <= cap) & ~equivalent
        rates = [float(flags.mean()) for flags in (equivalent, different, ~equivalent & ~different)]
        asked = np.minimum(np.minimum(looks.equivalent, looks.different), cap)
        shares = " | ".join(share(rate, runs) for rate in rates)
        yield f"| {margin} | {psi:.0%} | {once} | {shares} | {average(asked)} |"


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description="Simulate the rules of decision.")
    parser.add_argument("--runs", type=int, default=10_000, help="simulated runs behind each figure")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same tables")
    chosen = parser.parse_args()
    started = time.monotonic()
    check_twins(chosen.seed)
    rng = np.random.default_rng(chosen.seed)
    sys.stdout.write(f"{chosen.runs:,} runs behind each figure, seed {chosen.seed}.\n\n")
    for rows in (rows_of_false_alarms, rows_of_power, rows_at_margin, rows_of_equivalence):
        for row in rows(rng, chosen.runs):
            sys.stdout.write(row + "\n")
            sys.stdout.flush()
    sys.stderr.write(f"{time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    main()

"""Looking after every question: published values, exact enumeration of the bets' fairness, and laws."""

import tracemalloc
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import product
from math import comb, exp, fsum, inf, log, prod
from typing import Literal

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.difference import tango
from evaluator.stats.paired import PairedTable
from evaluator.stats.proportions import Interval
from evaluator.stats.sequential import (
    BETS,
    Side,
    anytime_p,
    confidence_sequence,
    e_no_difference,
    e_value,
    log_e_no_difference,
    log_e_path,
    log_e_value,
    log_equivalence_path,
    tally,
)

Sides = Literal[1, 2]
SIDES: tuple[Side, ...] = ("two", "above", "below")
fifths = st.integers(-5, 5).map(lambda k: k / 5)
signs = st.sampled_from([-1.0, 0.0, 1.0])
some_values = st.lists(fifths, min_size=1, max_size=40) | st.lists(signs, min_size=1, max_size=40)
differences = st.floats(-0.9, 0.9)
unhurried = settings(deadline=None, max_examples=60)


def counts(b: int, c: int, n: int) -> dict[float, int]:
    return {1.0: b, 0.0: n - b - c, -1.0: c}


@pytest.mark.parametrize(
    ("b", "c", "e"),
    [
        pytest.param(8, 0, 28.44, id="98 v 90, nested (statistics.md 1)"),
        pytest.param(9, 1, 9.31, id="98 v 90, one against (statistics.md 1)"),
        pytest.param(10, 2, 4.77, id="98 v 90, two against (statistics.md 1)"),
        pytest.param(8, 2, 2.068687, id="both forms (statistics.md 2.8)"),
        pytest.param(0, 0, 1.0, id="nothing seen"),
        pytest.param(1, 0, 1.0, id="the first flip could fall either way"),
    ],
)
def test_published_e_values_against_no_difference(b: int, c: int, e: float) -> None:
    digits = 1e-6 if b == 8 and c == 2 else 5e-3

    assert e_no_difference(b, c) == pytest.approx(e, abs=digits)
    assert e_value(counts(b, c, 100), 0.0) == pytest.approx(e, abs=digits)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (8, 0), (70, 31), (603, 580), (6016, 6016), (6300, 5732)])
def test_the_closed_form_is_exact_for_any_number_of_questions(b: int, c: int) -> None:
    exact = Fraction(2 ** (b + c), (b + c + 1) * comb(b + c, b))

    assert e_no_difference(b, c) == pytest.approx(float(exact), rel=1e-9)


def test_evidence_beyond_the_floats_is_infinite_and_its_logarithm_is_not() -> None:
    assert e_no_difference(12_032, 0) == inf
    assert log_e_no_difference(12_032, 0) == pytest.approx(12_032 * log(2) - log(12_033))
    assert e_value({1.0: 12_032}, -0.5) == inf
    assert e_no_difference(1_000, 0) == pytest.approx(2.0**1000 / 1001)


@pytest.mark.parametrize("n", [10, 100, 1_000, 12_032])
def test_where_decisions_fall_the_bets_at_no_difference_equal_the_closed_form(n: int) -> None:
    checked = 0
    for b, c in product(range(0, n + 1, max(1, n // 60)), repeat=2):
        if b + c <= n and abs(log_e_no_difference(b, c)) < 5:
            checked += 1
            assert e_value(counts(b, c, n), 0.0) == pytest.approx(e_no_difference(b, c), rel=5e-6)
    assert checked > 20


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("d0", [-0.6, 0.0, 0.05])
def test_the_e_value_is_the_mean_of_what_each_bet_wins(d0: float, side: Side) -> None:
    values = [1.0, 1.0, 0.0, -1.0, 0.4, -0.2, 0.4, 0.0]
    least, most = {
        "two": (-1 / (1 - d0), 1 / (1 + d0)),
        "above": (0.0, 1 / (1 + d0)),
        "below": (-1 / (1 - d0), 0.0),
    }[side]
    bets = [least + (i + 0.5) * (most - least) / BETS for i in range(BETS)]
    won = fsum(prod(1 + r * (x - d0) for x in values) for r in bets) / BETS
    integral = scipy.integrate.quad(
        lambda r: prod(1 + r * (x - d0) for x in values), least, most, epsabs=0, epsrel=1e-12
    )[0]

    assert e_value(tally(values), d0, side) == pytest.approx(won, rel=1e-12)
    assert e_value(tally(values), d0, side) == pytest.approx(integral / (most - least), rel=1e-5)


@pytest.mark.parametrize(
    ("interval", "low", "high"),
    [
        pytest.param(confidence_sequence(counts(80, 20, 1000)), 0.0297, 0.0938, id="80 v 20 (statistics.md 2.8)"),
        pytest.param(confidence_sequence({}), -1.0, 1.0, id="no question"),
        pytest.param(confidence_sequence({1.0: 0, -1.0: 0}), -1.0, 1.0, id="counts of nothing"),
        pytest.param(confidence_sequence({1.0: 1}), -0.95, 1.0, id="one question, A: E = 1/(1 + d0)"),
        pytest.param(confidence_sequence({-1.0: 1}), -1.0, 0.95, id="one question, B: E = 1/(1 - d0)"),
        pytest.param(confidence_sequence({0.0: 1}), -(0.95**0.5), 0.95**0.5, id="one tie: E = 1/(1 - d0^2)"),
        pytest.param(confidence_sequence({0.0: 12_032}), -0.000446, 0.000446, id="12,032 ties"),
    ],
)
def test_intervals_that_hold_at_every_look(interval: Interval, low: float, high: float) -> None:
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def outcomes_with_mean(d0: float) -> list[dict[float, float]]:
    """Two ways to answer questions that differ by d0: few ties; several answers to each question."""
    tilt = {1.0: 0.3, -1.0: 0.3, 0.0: 0.4}
    fine = {0.4: 0.25, -0.2: 0.5, 0.0: 0.25}
    return [
        {x: (1 - abs(d0)) * p + (abs(d0) if x == (1.0 if d0 > 0 else -1.0) else 0.0) for x, p in tilt.items()},
        {**{x: (1 - abs(d0)) * p for x, p in fine.items()}, (1.0 if d0 >= 0 else -1.0): abs(d0)},
    ]


def expected_e(chances: dict[float, float], n: int, d0: float, side: Side) -> float:
    """Weigh the e-value of every sequence of n answers by its chance."""
    return fsum(prod(chances[x] for x in seen) * e_value(tally(seen), d0, side) for seen in product(chances, repeat=n))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("d0", [-0.4, -0.05, 0.0, 0.03, 0.5])
def test_the_stake_neither_grows_nor_shrinks_where_the_hypothesis_is_just_true(d0: float, side: Side) -> None:
    for chances in outcomes_with_mean(d0):
        for n in (1, 2, 4):
            # The two-sided bets are a mean over bets of either sign, so nothing is left over for them either.
            assert expected_e(chances, n, d0, side) == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize(("side", "truth"), [("above", -0.2), ("below", 0.2)])
def test_within_a_one_sided_hypothesis_the_stake_shrinks(side: Side, truth: float) -> None:
    for chances in outcomes_with_mean(truth):
        assert expected_e(chances, 4, 0.0, side) < 0.999


def test_the_chance_of_ever_deciding_wrongly_is_below_alpha_by_exact_count() -> None:
    """Among 1,000 flips of a fair coin, looked at after each."""
    alive, decided = {0: 1.0}, 0.0
    for m in range(1, 1_001):
        after: dict[int, float] = {}
        for b, chance in alive.items():
            for reached in (b, b + 1):
                after[reached] = after.get(reached, 0.0) + chance / 2
        decided += fsum(p for b, p in after.items() if log_e_no_difference(b, m - b) >= log(20))
        alive = {b: p for b, p in after.items() if log_e_no_difference(b, m - b) < log(20)}

    assert 0.03 < decided < 0.05
    assert decided + fsum(alive.values()) == pytest.approx(1.0)


@unhurried
@given(values=some_values, d0=differences, side=st.sampled_from(SIDES))
def test_swapping_the_variants_mirrors_everything(values: list[float], d0: float, side: Side) -> None:
    opposite: dict[Side, Side] = {"two": "two", "above": "below", "below": "above"}
    mirrored = opposite[side]
    swapped = tally([-x for x in values])

    assert log_e_value(swapped, -d0, mirrored) == pytest.approx(log_e_value(tally(values), d0, side), abs=1e-9)
    both: tuple[Sides, ...] = (1, 2)
    for sides in both:
        there, here = confidence_sequence(swapped, 0.9, sides), confidence_sequence(tally(values), 0.9, sides)
        assert (there.low, there.high) == pytest.approx((-here.high, -here.low), abs=1e-9)


@unhurried
@given(
    b=st.integers(0, 200), c=st.integers(0, 200), ties=st.integers(0, 2_000), level=st.sampled_from([0.8, 0.95, 0.99])
)
def test_looking_freely_costs_width_so_the_interval_contains_tangos(b: int, c: int, ties: int, level: float) -> None:
    n = b + c + ties
    if n == 0:
        return
    always, once = confidence_sequence(counts(b, c, n), level), tango(PairedTable(0, b, c, ties), level)

    assert always.low <= once.low
    assert once.high <= always.high


@unhurried
@given(values=some_values, level=st.floats(0.5, 0.999), d0=differences)
def test_the_interval_holds_what_the_e_values_do_not_rule_out(values: list[float], level: float, d0: float) -> None:
    seen = tally(values)
    both, each = confidence_sequence(seen, level), confidence_sequence(seen, level, sides=1)
    evidence = max(log_e_value(seen, d0, "above"), log_e_value(seen, d0, "below"))
    if min(abs(d0 - end) for end in (both.low, both.high, each.low, each.high)) < 1e-9:
        return

    assert (both.low < d0 < both.high) == (log_e_value(seen, d0) < -log(1 - level))
    assert (each.low < d0 < each.high) == (evidence < -log((1 - level) / 2))


@unhurried
@given(
    b=st.integers(0, 40), c=st.integers(0, 40), ties=st.integers(0, 1_500), margin=st.sampled_from([0.03, 0.05, 0.1])
)
def test_equivalence_is_an_interval_at_1_minus_2_alpha_within_the_margin(
    b: int, c: int, ties: int, margin: float
) -> None:
    seen = counts(b, c, b + c + ties)
    interval = confidence_sequence(seen, 0.90, sides=1)
    weaker = min(e_value(seen, -margin, "above"), e_value(seen, margin, "below"))

    assert (max(-interval.low, interval.high) < margin) == (weaker > 20)


@unhurried
@given(values=some_values, d0=differences, side=st.sampled_from(SIDES))
def test_a_path_is_the_e_value_at_each_look(values: list[float], d0: float, side: Side) -> None:
    looks = range(1, len(values) + 1)
    each = [log_e_value(tally(values[:look]), d0, side) for look in looks]

    assert list(log_e_path(values, d0, side, looks)) == pytest.approx(each, abs=1e-9)
    assert log_e_path(values[::-1], d0, side, [len(values)])[0] == pytest.approx(each[-1], abs=1e-9)


def test_a_long_path_takes_little_memory() -> None:
    rng = np.random.default_rng(1)
    values = [float(x) for x in rng.choice([1.0, 0.0, -1.0], p=[0.03, 0.94, 0.03], size=12_032)]
    log_e_path(values[:10], 0.05, "below", [10])
    tracemalloc.start()
    path = log_e_path(values, 0.05, "below", range(1, 12_033))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 100e6
    assert path[-1] == pytest.approx(log_e_value(tally(values), 0.05, "below"))
    assert path[999] == pytest.approx(log_e_value(tally(values[:1000]), 0.05, "below"))


def first_above(logs: Iterable[float], e: float) -> int | None:
    return next((i for i, value in enumerate(logs) if value >= log(e)), None)


def test_what_was_decided_stays_decided() -> None:
    values = [1.0] * 8 + [-1.0] * 8
    logs = log_e_path(values, 0.0, "two", range(1, 17))

    assert first_above(logs, 1 / 0.05) == 7
    assert logs[-1] < 0
    assert anytime_p(logs) == pytest.approx(9 / 2**8, rel=1e-5)
    assert first_above(logs, 1 / 0.01) is None


@pytest.mark.parametrize(
    ("logs", "p"),
    [
        pytest.param([], 1.0, id="before the first look"),
        pytest.param([-3.0], 1.0, id="evidence for the hypothesis"),
        pytest.param([log(20), 0.0], 0.05, id="the largest counts"),
        pytest.param([5_000.0], 0.0, id="beyond the floats"),
    ],
)
def test_p_values_that_hold_at_every_look(logs: list[float], p: float) -> None:
    assert anytime_p(logs) == pytest.approx(p)
    assert anytime_p(np.array(logs)) == pytest.approx(p)


def test_equivalence_needs_both_bets_but_not_at_the_same_look() -> None:
    values = [0.0] * 150 + [1.0] * 12 + [0.0] * 100
    looks = range(1, len(values) + 1)
    not_worse, not_better = log_e_path(values, -0.05, "above", looks), log_e_path(values, 0.05, "below", looks)
    both = log_equivalence_path(values, 0.05, looks)

    assert np.all(np.diff(both) >= 0)
    assert anytime_p(both) == pytest.approx(max(anytime_p(not_worse), anytime_p(not_better)))
    assert first_above(both, 20) == max(i for i in (first_above(not_worse, 20), first_above(not_better, 20)) if i)
    assert not_better[-1] < log(20) < both[-1]


def test_thirds_from_different_sums_are_one_value() -> None:
    assert tally([1 / 3, 1 - 2 / 3, -0.0, 0.0, -1.0]) == {0.333333333333: 2, 0.0: 2, -1.0: 1}
    assert exp(log_e_path([1 / 3, 1 - 2 / 3], 0.1, "two", [2])[0]) == pytest.approx(e_value({1 / 3: 2}, 0.1))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        pytest.param(lambda: e_no_difference(-1, 3), "is not negative", id="a negative count"),
        pytest.param(lambda: e_value({1.0: -1}, 0.0), "is not negative", id="a negative count of a value"),
        pytest.param(lambda: e_value({1.5: 1}, 0.0), "between -1 and 1", id="a value too large"),
        pytest.param(lambda: e_value({float("nan"): 1}, 0.0), "between -1 and 1", id="a value that is none"),
        pytest.param(lambda: e_value({1.0: 1}, 1.0), "strictly between", id="d0 at its end"),
        pytest.param(lambda: e_value({1.0: 1}, 0.0, "left"), "none of these", id="a side unknown"),  # type: ignore[arg-type]
        pytest.param(lambda: confidence_sequence({1.0: 1}, 1.0), "level of confidence", id="a level of 1"),
        pytest.param(lambda: confidence_sequence({1.0: 1}, 0.9, 3), "sides is 3", id="three sides"),  # type: ignore[arg-type]
        pytest.param(lambda: log_e_path([1.0], 0.0, "two", [2]), "1 to 1 questions", id="a look too late"),
        pytest.param(lambda: log_e_path([1.0], 0.0, "two", [0]), "1 to 1 questions", id="a look too early"),
        pytest.param(lambda: log_equivalence_path([1.0], 0.0, [1]), "a margin is a proportion", id="no margin"),
    ],
)
def test_refusals_say_what_is_wrong(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call()


def test_nothing_asked_is_no_evidence() -> None:
    assert e_value({}, 0.1) == 1.0
    assert e_value({1.0: 0}, 0.1) == 1.0
    assert len(log_e_path([], 0.1, "two", [])) == 0

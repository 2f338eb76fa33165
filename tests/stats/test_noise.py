"""The noise floor: values worked by hand, the estimate's law, the permutation test against all permutations."""

import random
import time
from itertools import combinations, product
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.noise import excess_flips

Runs = list[list[bool]]
R, W = True, False
unhurried = settings(deadline=None, max_examples=25)


def answered(runs_a: int, runs_b: int, most: int) -> st.SearchStrategy[list[tuple[list[bool], list[bool]]]]:
    one = [st.lists(st.booleans(), min_size=k, max_size=k) for k in (runs_a, runs_b)]
    return st.lists(st.tuples(*one), min_size=1, max_size=most)


def disagreement(x: list[bool], y: list[bool]) -> float:
    return fmean(u != v for u, v in product(x, y))


def within(x: list[bool]) -> float:
    return fmean(u != v for u, v in combinations(x, 2))


def excess(a: Runs, b: Runs) -> float:
    """By pairs of runs, as it is defined."""
    repeated = len(b[0]) > 1
    parts = (disagreement(x, y) - (within(x) + within(y if repeated else x)) / 2 for x, y in zip(a, b, strict=True))
    return fmean(parts)


def permuted(a: Runs, b: Runs) -> float:
    """Over every way to hand out the labels within each question."""
    seen = excess(a, b) - 1e-9
    ways = []
    for x, y in zip(a, b, strict=True):
        runs = x + y
        chosen = list(combinations(range(len(runs)), len(x)))
        ways.append([([runs[i] for i in c], [runs[i] for i in range(len(runs)) if i not in c]) for c in chosen])
    relabelled = list(product(*ways))
    return sum(excess([x for x, _ in way], [y for _, y in way]) >= seen for way in relabelled) / len(relabelled)


def test_a_worked_example() -> None:
    """Two runs each of three questions: one lost by B, one where A wobbles, one alike."""
    found = excess_flips([[R, R], [R, W], [W, W]], [[W, W], [R, R], [W, W]])

    assert found.between == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.within_a == pytest.approx(1 / 3)
    assert found.within_b == 0.0
    assert found.excess == pytest.approx(0.5 - 1 / 6)
    assert found.p == pytest.approx(1 / 3)


def test_with_one_run_of_b_it_is_taken_to_wobble_as_a_does() -> None:
    found = excess_flips([[R, R], [R, W], [W, W]], [[W], [R], [W]])

    assert found.between == 0.5
    assert found.within_a == pytest.approx(1 / 3)
    assert found.within_b is None
    assert found.excess == pytest.approx(0.5 - 1 / 3)


@pytest.mark.parametrize(("runs_a", "runs_b"), [(2, 2), (3, 2), (2, 1), (3, 4)])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
def test_the_excess_is_on_average_the_squared_difference_of_the_chances(runs_a: int, runs_b: int, p: float) -> None:
    """statistics.md 2.9; with one run of B only where it wobbles as A does, here at q = 1 - p."""
    q = 1 - p if runs_b == 1 else 0.8

    def chance(runs: tuple[bool, ...], right: float) -> float:
        return right ** sum(runs) * (1 - right) ** (len(runs) - sum(runs))

    expected = sum(
        chance(x, p) * chance(y, q) * excess_flips([list(x)], [list(y)], draws=1).excess
        for x in product([R, W], repeat=runs_a)
        for y in product([R, W], repeat=runs_b)
    )

    assert expected == pytest.approx((p - q) ** 2)


@pytest.mark.parametrize(("runs_a", "runs_b"), [(2, 2), (3, 2), (2, 1)])
def test_p_counts_every_way_to_hand_out_the_labels(runs_a: int, runs_b: int) -> None:
    @settings(deadline=None, max_examples=25)
    @given(answered(runs_a, runs_b, 3))
    def holds(rows: list[tuple[list[bool], list[bool]]]) -> None:
        a, b = [x for x, _ in rows], [y for _, y in rows]
        found = excess_flips(a, b, draws=1)

        assert found.excess == pytest.approx(excess(a, b), abs=1e-12)
        assert found.p == pytest.approx(permuted(a, b), abs=1e-9)

    holds()


def test_questions_need_not_have_the_same_number_of_runs() -> None:
    a, b = [[R, R], [R, W, R]], [[W, R], [W, W, R]]

    assert excess_flips(a, b).p == pytest.approx(permuted(a, b))


def test_drawn_permutations_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    a = [[rng.random() < 0.6 for _ in range(3)] for _ in range(60)]
    b = [[rng.random() < 0.5 for _ in range(3)] for _ in range(60)]
    exact = excess_flips(a, b).p

    monkeypatch.setattr("evaluator.stats.noise.EXACT_UP_TO", 0)
    drawn = excess_flips(a, b)

    assert 0.001 < exact < 0.999
    assert drawn.p == pytest.approx(exact, abs=0.02)
    assert drawn.p != excess_flips(a, b, seed=1).p
    assert excess_flips([[R, R]] * 500, [[W, W]] * 500, draws=99).p == 1 / 100


def test_the_same_answers_throughout_are_no_excess() -> None:
    found = excess_flips([[R, R], [W, W]], [[R, R], [W, W]])

    assert (found.between, found.excess, found.p) == (0.0, 0.0, 1.0)


def test_a_variant_against_itself_is_rarely_called_different() -> None:
    """400 A/A studies of 30 questions with 2 + 2 runs: at most 5 % at the 5 % level, within simulation error."""
    rng = random.Random(11)
    false_alarms = 0
    for _ in range(400):
        chances = [rng.betavariate(1, 1) for _ in range(30)]
        a, b = ([[rng.random() < chance for _ in range(2)] for chance in chances] for _ in range(2))
        false_alarms += excess_flips(a, b, draws=1).p <= 0.05

    assert 0 < false_alarms / 400 <= 0.07


def test_a_real_difference_is_seen_through_the_wobble() -> None:
    rng = random.Random(5)
    a = [[rng.random() < 0.9 for _ in range(2)] for _ in range(300)]
    b = [[rng.random() < 0.5 for _ in range(2)] for _ in range(300)]

    found = excess_flips(a, b)

    assert found.p < 1e-4
    assert found.interval.low < 0.16 < found.interval.high


def test_the_interval_is_the_bootstraps_over_questions() -> None:
    """For questions that add 0 or 1 its percentiles are those of Bin(n, share) / n."""
    from scipy.stats import binom  # noqa: PLC0415  slow to import

    interval = excess_flips([[R, R]] * 200, [[W, W]] * 40 + [[R, R]] * 160, level=0.9).interval

    assert interval.level == 0.9
    assert interval.low * 200 == pytest.approx(binom.ppf(0.05, 200, 0.2), abs=1)
    assert interval.high * 200 == pytest.approx(binom.ppf(0.95, 200, 0.2), abs=1)


@unhurried
@given(answered(3, 2, 12), st.randoms())
def test_neither_the_order_of_questions_nor_of_runs_changes_anything(
    rows: list[tuple[list[bool], list[bool]]], rng: random.Random
) -> None:
    shuffled = [(rng.sample(x, 3), rng.sample(y, 2)) for x, y in rng.sample(rows, len(rows))]

    first, second = (excess_flips([x for x, _ in r], [y for _, y in r], draws=50) for r in (rows, shuffled))

    assert first == second


@unhurried
@given(answered(2, 3, 12))
def test_swapping_the_variants_changes_neither_excess_nor_p(rows: list[tuple[list[bool], list[bool]]]) -> None:
    a, b = [x for x, _ in rows], [y for _, y in rows]
    found, swapped = excess_flips(a, b, draws=50), excess_flips(b, a, draws=50)

    assert swapped.excess == found.excess
    assert (swapped.within_a, swapped.within_b) == (found.within_b, found.within_a)
    assert swapped.p == pytest.approx(found.p)


def test_all_of_mmlu_pro_with_five_runs_each_takes_well_under_a_second() -> None:
    rng = random.Random(7)
    chances = [rng.betavariate(0.5, 0.3) for _ in range(12_032)]
    a, b = ([[rng.random() < chance for _ in range(5)] for chance in chances] for _ in range(2))
    start = time.perf_counter()

    found = excess_flips(a, b)

    assert time.perf_counter() - start < 1
    assert 0.001 < found.p < 0.999


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        ([], [], "no question"),
        ([[R, R]], [], "same questions"),
        ([[R]], [[R]], "two runs of A"),
        ([[R, R]], [[]], "two runs of A"),
    ],
    ids=["no question", "other questions", "one run of A", "no run of B"],
)
def test_too_little_to_tell_is_refused(a: Runs, b: Runs, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        excess_flips(a, b)


@pytest.mark.parametrize(("level", "draws", "why"), [(1.0, 10, "level"), (0.95, 0, "draw")])
def test_bad_settings_are_refused(level: float, draws: int, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        excess_flips([[R, R]], [[R]], level=level, draws=draws)

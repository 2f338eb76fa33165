"""One estimate from samples by stratum: worked examples, the cases without variance, laws, how often it covers."""

from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.proportions import wilson
from evaluator.stats.repeats import mean_interval, steadied
from evaluator.stats.strata import Estimate, stratified, stratified_mean

SIZES = {"law": 1_000, "math": 3_000}
strata = st.dictionaries(
    st.sampled_from("abcdef"),
    st.integers(0, 30).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(n, 500))),
    min_size=1,
).filter(lambda table: any(asked for _, asked, _ in table.values()))
Table = dict[str, tuple[int, int, int]]


def asked_of(table: Table) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    return {name: row[:2] for name, row in table.items()}, {name: max(1, row[2]) for name, row in table.items()}


def width(estimate: Estimate) -> float:
    return estimate.interval.high - estimate.interval.low


def test_a_worked_example() -> None:
    """1/4 of 6/10 and 3/4 of 16/20; s² = 10 (.24)/9 and 20 (.16)/19, errors after Cochran 1977, chapter 5."""
    estimate = stratified({"law": (6, 10), "math": (16, 20)}, SIZES)
    variance = (1 / 16) * (2.4 / 9) / 10 + (9 / 16) * (3.2 / 19) / 20

    assert estimate.value == pytest.approx(0.25 * 0.6 + 0.75 * 0.8)
    assert estimate.error == pytest.approx(sqrt(variance))
    assert estimate.error == pytest.approx(0.080022, abs=1e-6)
    assert estimate.covered == 1.0


def test_wilsons_interval_at_the_effective_number_of_questions() -> None:
    estimate = stratified({"law": (6, 10), "math": (16, 20)}, SIZES)
    p, effective = 0.75, (0.75 * 0.25 / 29) / estimate.error**2 * 30
    z = 1.959964
    center, half = p + z * z / (2 * effective), z * sqrt(p * (1 - p) / effective + z * z / (4 * effective**2))

    assert estimate.interval.low == pytest.approx((center - half) / (1 + z * z / effective), abs=1e-7)
    assert estimate.interval.high == pytest.approx((center + half) / (1 + z * z / effective), abs=1e-7)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_with_one_stratum_it_is_wilsons_interval(k_n: tuple[int, int]) -> None:
    k, n = k_n
    estimate, plain = stratified({"all": k_n}, {"all": 12_032}), wilson(k, n)

    assert estimate.value == pytest.approx(k / n)
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((plain.low, plain.high), abs=1e-9)


def test_the_share_of_the_benchmark_counts_not_the_share_of_the_sample() -> None:
    few_of_math = stratified({"law": (50, 100), "math": (9, 10)}, SIZES)

    assert few_of_math.value == pytest.approx(0.25 * 0.5 + 0.75 * 0.9)


def test_strata_without_an_answer_are_left_out_and_said_to_be() -> None:
    estimate = stratified({"math": (16, 20), "law": (0, 0)}, {**SIZES, "art": 1_000})

    assert estimate.value == 0.8
    assert estimate.covered == 0.6
    assert estimate.interval == stratified({"math": (16, 20)}, SIZES).interval


def test_a_stratum_with_one_question_takes_the_variance_within_the_others() -> None:
    """Pooled by degrees of freedom: (2.4 + 3.2) / (9 + 19)."""
    sizes = {"a": 100, "b": 100, "c": 200}

    estimate = stratified({"a": (6, 10), "b": (16, 20), "c": (1, 1)}, sizes)

    variance = (2.4 / 9 / 10 + 3.2 / 19 / 20) / 16 + 5.6 / 28 / 4
    assert estimate.error == pytest.approx(sqrt(variance))


def test_where_every_stratum_has_one_question_the_variance_is_that_of_all() -> None:
    estimate = stratified(dict.fromkeys("abc", (1, 1)) | {"d": (0, 1)}, dict.fromkeys("abcd", 50))

    assert estimate.error == pytest.approx(sqrt(0.25 / 4))


@pytest.mark.parametrize("right", [0, 1], ids=["all wrong", "all right"])
def test_all_alike_is_no_certainty(right: int) -> None:
    """In proportion to the strata it is Wilson's interval for all the questions."""
    estimate = stratified({"law": (5 * right, 5), "math": (15 * right, 15)}, SIZES)
    plain = wilson(20 * right, 20)

    assert (estimate.value, estimate.error) == (right, 0.0)
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((plain.low, plain.high))


def test_right_in_one_stratum_and_wrong_in_the_other_is_no_certainty_either() -> None:
    assert width(stratified({"law": (0, 5), "math": (15, 15)}, SIZES)) == pytest.approx(
        width(stratified({"all": (15, 20)}, {"all": 4_000}))
    )


def test_once_all_questions_were_asked_nothing_is_left_to_chance() -> None:
    estimate = stratified({"law": (600, 1_000), "math": (3_000, 3_000)}, SIZES)

    assert estimate.interval_finite.low == estimate.interval_finite.high == estimate.value == 0.9
    assert width(estimate) > 0


@pytest.mark.parametrize(("n", "saved"), [(1_000, 0.04), (3_000, 0.13)])
def test_the_finite_benchmark_narrows_the_interval_as_published(n: int, saved: float) -> None:
    """statistics.md 2.10: of 12,032 questions, 1,000 save 4 % of the error and 3,000 save 13 %."""
    estimate = stratified({"all": (n // 2, n)}, {"all": 12_032})
    finite = estimate.interval_finite.high - estimate.interval_finite.low

    assert 1 - finite / width(estimate) == pytest.approx(saved, abs=5e-3)


@settings(max_examples=50)
@given(strata, st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_the_intervals_hold_the_value_and_the_finite_one_lies_within_the_other(table: Table, level: float) -> None:
    estimate = stratified(*asked_of(table), level)

    assert 0 <= estimate.interval.low <= estimate.value + 1e-12
    assert estimate.value - 1e-12 <= estimate.interval.high <= 1
    assert estimate.interval_finite.low >= estimate.interval.low - 1e-9
    assert estimate.interval_finite.high <= estimate.interval.high + 1e-9


@settings(max_examples=50)
@given(strata)
def test_counts_and_values_give_the_same(table: Table) -> None:
    correct, sizes = asked_of(table)
    values = {name: [1.0] * right + [0.0] * (asked - right) for name, (right, asked) in correct.items()}
    counted, listed = stratified(correct, sizes), stratified_mean(values, sizes, shares=True)

    assert listed.value == pytest.approx(counted.value)
    assert listed.error == pytest.approx(counted.error)
    assert listed.interval.low == pytest.approx(counted.interval.low, abs=1e-9)


@given(
    st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=2, max_size=60).filter(lambda d: len(set(d)) > 1)
)
def test_differences_in_one_stratum_have_millers_interval(differences: list[float]) -> None:
    estimate, plain = stratified_mean({"all": differences}, {"all": 12_032}), mean_interval(differences)

    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((plain.low, plain.high))


def test_differences_between_strata_do_not_widen_the_interval() -> None:
    apart = {"law": [0.5, 0.6] * 5, "math": [-0.5, -0.4] * 15}
    estimate = stratified_mean(apart, SIZES)

    assert estimate.value == pytest.approx(0.25 * 0.55 - 0.75 * 0.45)
    assert width(estimate) < 0.05 < width(stratified_mean({"all": apart["law"] + apart["math"]}, {"all": 4_000}))


def test_differences_of_a_benchmark_asked_in_full_are_certain() -> None:
    interval = stratified_mean({"law": [0.0, 0.5], "math": [1.0, 0.0]}, {"law": 2, "math": 2}).interval_finite

    assert (interval.low, interval.high) == (0.375, 0.375)


def test_without_a_flip_the_interval_is_about_that_of_one_won_and_one_lost() -> None:
    """100 questions: ±2.8 points, where statistics.md 2.4's Bonett-Price gives ±2.7."""
    estimate = stratified_mean({"law": [0.0] * 25, "math": [0.0] * 75}, SIZES)

    assert estimate.error == 0.0
    assert estimate.interval.high == pytest.approx(1.959964 * sqrt(2) / 100, abs=1e-8)
    assert estimate.interval.high == pytest.approx(mean_interval(steadied([0.0] * 100)).high, rel=0.03)


def test_values_alike_but_not_exact_in_binary_have_no_variance() -> None:
    assert stratified_mean({"law": [0.1] * 3, "math": [0.7] * 7}, SIZES).error == 0.0


@pytest.mark.parametrize(
    ("correct", "sizes", "why"),
    [
        ({}, SIZES, "nothing to estimate"),
        ({"law": (0, 0)}, SIZES, "nothing to estimate"),
        ({"art": (1, 2)}, SIZES, "'art' has no size"),
        ({"law": (3, 2)}, SIZES, "3 right of 2 asked"),
        ({"law": (-1, 2)}, SIZES, "-1 right"),
        ({"law": (1, 1_001)}, SIZES, "1000 questions, and 1001"),
    ],
    ids=["nothing", "no question", "unknown stratum", "more right than asked", "negative", "more than there are"],
)
def test_what_cannot_be_is_refused(correct: dict[str, tuple[int, int]], sizes: dict[str, int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        stratified(correct, sizes)


@pytest.mark.parametrize(("value", "shares"), [(-0.5, True), (1.5, True), (-1.5, False), (float("nan"), False)])
def test_values_out_of_range_are_refused(value: float, shares: bool) -> None:
    with pytest.raises(ValueError, match="a value lies between"):
        stratified_mean({"law": [0.5, value]}, SIZES, shares=shares)


def test_it_covers_the_truth_where_the_normal_interval_does_not() -> None:
    """Fourteen strata in proportion, 50 questions, 97 % right: 95 % wanted, and the normal interval has about 77 %."""
    import numpy as np  # noqa: PLC0415  slow to import

    sizes = [1351, 844, 818, 789, 717, 789, 924, 969, 1101, 410, 499, 1299, 381, 1141]
    named = {str(i): size for i, size in enumerate(sizes)}
    asked = [round(50 * size / sum(sizes)) for size in sizes]
    drawn = np.random.default_rng(0).binomial(asked, 0.97, size=(1_000, 14))
    found = [stratified({str(i): (int(k), asked[i]) for i, k in enumerate(row)}, named) for row in drawn]

    assert sum(e.interval.low <= 0.97 <= e.interval.high for e in found) / 1_000 > 0.93
    assert sum(abs(e.value - 0.97) <= 1.96 * e.error for e in found) / 1_000 < 0.85

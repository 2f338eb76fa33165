"""Answers that hang together: statsmodels as witness, laws."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.clusters import (
    cluster_midp,
    cluster_sign_flip,
    clustered_error,
    clustered_share,
    design_effect,
)
from evaluator.stats.difference import tango
from evaluator.stats.paired import PairedTable, mcnemar_midp
from evaluator.stats.proportions import wilson
from evaluator.stats.repeats import sign_flip

values = st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0])
unhurried = settings(deadline=None, max_examples=50)


@unhurried
@given(
    st.lists(st.tuples(values, st.integers(0, 8)), min_size=3, max_size=60).filter(lambda x: len({g for _, g in x}) > 1)
)
def test_the_clustered_error_is_that_of_statsmodels(rows: list[tuple[float, int]]) -> None:
    import numpy as np  # noqa: PLC0415  slow to import
    from statsmodels.regression.linear_model import OLS  # noqa: PLC0415

    y, groups = [v for v, _ in rows], [g for _, g in rows]
    fit = OLS(y, np.ones(len(y))).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(groups), "use_correction": False}
    )

    assert clustered_error(y, groups) == pytest.approx(float(np.sqrt(fit.cov_params()[0, 0])), abs=1e-9)


def test_clusters_of_one_give_the_plain_error() -> None:
    """But for n - 1: CR0 has n (Miller 2024)."""
    y = [1.0, 0.0, 0.0, 1.0, 1.0]

    assert clustered_error(y, range(5)) == pytest.approx((0.6 * 0.4 / 5) ** 0.5)


def test_answers_that_repeat_each_other_count_once() -> None:
    y = [1.0, 0.0, 0.0, 1.0, 1.0]

    assert clustered_error(y * 4, [*range(5)] * 4) == pytest.approx(clustered_error(y, range(5)))


@pytest.mark.parametrize(
    ("groups", "why"), [(["a", "a", "a"], "two clusters"), (["a", "b"], "one cluster")], ids=["one", "too few labels"]
)
def test_a_clustered_error_needs_clusters(groups: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        clustered_error([0.0, 1.0, 1.0], groups)


@unhurried
@given(st.lists(st.tuples(values, st.integers(0, 5)), max_size=30))
def test_whole_clusters_change_sign(rows: list[tuple[float, int]]) -> None:
    sums = [sum(v for v, g in rows if g == group) for group in range(6)]
    seen = abs(sum(sums)) - 1e-9
    patterns = [abs(sum(s * x for s, x in zip(signs, sums, strict=True))) for signs in product((1, -1), repeat=6)]

    p = cluster_sign_flip([v for v, _ in rows], [g for _, g in rows])

    assert p == pytest.approx(sum(x >= seen for x in patterns) / 64)


def test_fourteen_categories_are_counted_exactly() -> None:
    differences = [1.0] * 14

    assert cluster_sign_flip(differences * 30, [*range(14)] * 30) == sign_flip(differences) == 2 / 2**14


def test_many_clusters_are_drawn_with_the_seed() -> None:
    differences, groups = [1.0, 1.0, -1.0] * 40, [*range(60)] * 2

    assert cluster_sign_flip(differences, groups) == cluster_sign_flip(differences, groups)
    assert cluster_sign_flip(differences, groups) != cluster_sign_flip(differences, groups, seed=1)


@unhurried
@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 3))
def test_clusters_of_one_size_give_mcnemars_mid_p(won: int, lost: int, size: int) -> None:
    """Whoever asks every question three times, and gets the same three answers, has seen no more."""
    sums = [size] * won + [-size] * lost + [0] * 5

    assert cluster_midp(sums) == pytest.approx(mcnemar_midp(PairedTable(5, won, lost, 0)), rel=1e-9, abs=1e-300)


@unhurried
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=10))
def test_the_clusters_mid_p_counts_all_sign_patterns(sums: list[int]) -> None:
    patterns = [
        abs(sum(s * x for s, x in zip(signs, sums, strict=True))) for signs in product((1, -1), repeat=len(sums))
    ]
    seen = abs(sum(sums))
    half = sum(x > seen for x in patterns) + sum(x == seen for x in patterns) / 2

    assert cluster_midp(sums) == pytest.approx(half / len(patterns) if any(sums) else 1.0)


def test_a_cluster_that_is_split_says_nothing() -> None:
    assert cluster_midp([0] * 20) == 1.0
    assert cluster_midp([2, 0, 0]) == cluster_midp([1]) == 0.5


@unhurried
@given(st.lists(values, min_size=1, max_size=30), st.integers(1, 4))
def test_the_design_effect_of_values_that_stand_k_times_is_k(y: list[float], k: int) -> None:
    assert design_effect(y * k, [*range(len(y))] * k) == pytest.approx(k)


@unhurried
@given(st.lists(st.tuples(values, st.integers(0, 8)), min_size=1, max_size=60))
def test_the_design_effect_lies_between_that_of_none_and_of_the_largest_cluster(rows: list[tuple[float, int]]) -> None:
    y, groups = [v for v, _ in rows], [g for _, g in rows]

    effect = design_effect(y, groups)

    assert 1 <= effect <= max(groups.count(group) for group in groups) + 1e-9
    assert design_effect(y, range(len(y))) == 1
    assert design_effect([-v for v in y], groups) == pytest.approx(effect)


def test_where_nothing_differs_clusters_count_as_wholly_agreeing() -> None:
    """Kish: the sum of squared sizes over n, here (2² + 1 + 1) / 4."""
    assert design_effect([0.0] * 4, [0, 0, 1, 2]) == 1.5


@unhurried
@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 4))
def test_intervals_of_what_stands_k_times_are_those_of_once(right: int, wrong: int, k: int) -> None:
    n = right + wrong
    if not n:
        return
    table, often = (PairedTable(0, x * right, 0, x * wrong) for x in (1, k))
    hits = ([1.0] * right + [0.0] * wrong) * k

    several, once = clustered_share(hits, [*range(n)] * k), wilson(right, n)
    assert (several.low, several.high) == pytest.approx((once.low, once.high))
    wide, narrow = tango(often, effect=k), tango(table)
    assert (wide.low, wide.high) == pytest.approx((narrow.low, narrow.high), abs=1e-9)


def test_no_value_has_no_design_effect() -> None:
    with pytest.raises(ValueError, match="no value"):
        design_effect([], [])

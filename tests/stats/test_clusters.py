"""Answers that hang together: statsmodels as witness, laws."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.clusters import cluster_sign_flip, clustered_error
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

"""Answers that hang together: the published data sets, statsmodels as witness, laws."""

from collections.abc import Callable, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats.clusters import cluster_sign_flip, clustered_error, durkalski, obuchowski, yang
from evaluator.stats.paired import PairedTable, mcnemar_chi2
from evaluator.stats.proportions import Test
from evaluator.stats.repeats import sign_flip

Tested = Callable[[Sequence[int], Sequence[int], Sequence[int]], Test]

# 29 psychiatrists and their patients, in Durkalski et al. 2003: only the one right, only the other, pairs.
PSYCHIATRY = (
    (0, 1, 1, 1, 0, 3, 3, 3, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0),
    (4, 2, 3, 2, 1, 3, 0, 2, 2, 4, 2, 4, 3, 2, 1, 3, 1, 2, 0, 0, 0, 2, 1, 2, 2, 0, 0, 1, 1),
    (7, 6, 7, 6, 4, 6, 5, 8, 4, 7, 3, 6, 7, 6, 5, 4, 6, 5, 4, 3, 5, 4, 4, 2, 3, 2, 2, 3, 1),
)
# 21 patients' glands by PET and SPECT, in Obuchowski 1998.
THYROIDS = (
    (0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    (2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0),
    (3, 3, 3, 1, 3, 4, 3, 2, 2, 1, 3, 2, 3, 2, 2, 3, 3, 3, 2, 1, 2),
)
ALL = pytest.mark.parametrize("tested", [obuchowski, durkalski, yang])
values = st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0])
unhurried = settings(deadline=None, max_examples=50)


@pytest.mark.parametrize(
    ("tested", "data", "statistic"),
    [
        pytest.param(obuchowski, THYROIDS, 2.86, id="thyroids, Obuchowski 1998"),
        pytest.param(durkalski, THYROIDS, 2.32, id="thyroids, Durkalski et al. 2003"),
        pytest.param(yang, THYROIDS, 3.13, id="thyroids, Yang et al. 2010"),
        pytest.param(obuchowski, PSYCHIATRY, 7.19, id="psychiatry, Obuchowski in Durkalski et al. 2003"),
        pytest.param(durkalski, PSYCHIATRY, 7.542, id="psychiatry, Durkalski et al. 2003"),
        pytest.param(yang, PSYCHIATRY, 8.43, id="psychiatry, Yang et al. 2010"),
    ],
)
def test_published_statistics(tested: Tested, data: tuple[Sequence[int], ...], statistic: float) -> None:
    from scipy.stats import chi2  # noqa: PLC0415  slow to import

    test = tested(*data)

    assert test.statistic == pytest.approx(statistic, abs=5e-3 if statistic != 7.542 else 5e-4)
    assert test.p == pytest.approx(chi2.sf(test.statistic, 1), rel=1e-12)


@given(st.lists(st.sampled_from([(1, 0), (0, 1), (0, 0)]), min_size=1, max_size=60))
def test_with_clusters_of_one_durkalskis_is_mcnemars(pairs: list[tuple[int, int]]) -> None:
    b, c = [x for x, _ in pairs], [y for _, y in pairs]
    plain = mcnemar_chi2(PairedTable(len(b) - sum(b) - sum(c), sum(b), sum(c), 0))

    assert durkalski(b, c, [1] * len(b)).statistic == pytest.approx(plain.statistic)
    assert obuchowski(b, c, [1] * len(b)).statistic == pytest.approx(plain.statistic * (1 - 1 / len(b)))


@ALL
def test_swapping_the_variants_changes_no_test(tested: Tested) -> None:
    b, c, n = PSYCHIATRY

    assert tested(c, b, n) == tested(b, c, n)


@ALL
def test_without_a_difference_p_is_1(tested: Tested) -> None:
    assert tested([1, 0], [1, 0], [4, 2]) == tested([0], [0], [1]) == Test(0.0, 1.0)


@ALL
@pytest.mark.parametrize(
    ("b", "c", "n", "why"),
    [
        ([], [], [], "three counts"),
        ([1], [0, 1], [2, 2], "three counts"),
        ([2], [1], [2], "cannot have"),
        ([-1], [1], [2], "cannot have"),
        ([0], [0], [0], "cannot have"),
    ],
    ids=["none", "unequal", "more than there are", "negative", "empty"],
)
def test_what_are_no_clusters_is_refused(tested: Tested, b: list[int], c: list[int], n: list[int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        tested(b, c, n)


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

"""Intervals of values along a text, where neighbours resemble each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.stats.blocks import (
    FEWEST,
    Blocks,
    block_sums,
    blocks_of,
    correlation_time,
    mean_error,
    mean_interval,
    p_above,
    quantile_interval,
    share_interval,
)
from tests.bench.block_coverage import coverage, process


@pytest.mark.parametrize(
    ("phi", "low", "high"),
    [
        pytest.param(0.0, 1.0, 1.3, id="independent"),
        pytest.param(0.5, 2.4, 3.8, id="some"),  # (1 + phi) / (1 - phi) = 3
        pytest.param(0.8, 7.0, 12.0, id="much"),  # 9
    ],
)
def test_the_correlation_time_is_that_of_the_process(phi: float, low: float, high: float) -> None:
    values = process(np.random.default_rng(5), 20_000, phi)[0]

    assert low <= correlation_time(values) <= high


def test_values_that_never_change_have_no_correlation() -> None:
    assert correlation_time(np.ones(50)) == 1.0
    assert mean_interval(np.ones(50), blocks_of([np.ones(50)])).high == 1.0


@given(st.integers(24, 3000), st.integers(0, 100))
def test_blocks_hold_every_value_once_and_are_never_fewer_than_twelve(n: int, seed: int) -> None:
    values = np.cumsum(np.random.default_rng(seed).normal(size=n))  # as correlated as can be
    blocks = blocks_of([values])

    assert blocks.number >= FEWEST
    assert len(block_sums(values, blocks)) == blocks.number
    assert block_sums(np.ones(n), blocks).sum() == n
    assert block_sums(values, blocks).sum() == pytest.approx(values.sum())


def test_the_most_correlated_series_decides() -> None:
    rng = np.random.default_rng(0)
    plain, tied = process(rng, 4000, 0.0)[0], process(rng, 4000, 0.8)[0]

    assert blocks_of([plain, tied]).length == blocks_of([tied]).length > blocks_of([plain]).length


def test_with_blocks_of_one_the_error_is_the_usual_one() -> None:
    values = np.random.default_rng(1).normal(size=200)

    assert mean_error(values, Blocks(1, 200)) == pytest.approx(values.std(ddof=1) / np.sqrt(200))


@given(st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
def test_an_interval_moves_and_stretches_with_its_values(seed: int, times: float, shift: float) -> None:
    values = np.random.default_rng(seed).normal(size=120)
    blocks = Blocks(5, 24)
    plain, changed = mean_interval(values, blocks), mean_interval(values * times + shift, blocks)

    assert changed.low == pytest.approx(plain.low * times + shift)
    assert changed.high == pytest.approx(plain.high * times + shift)


@pytest.mark.parametrize("skewed", [False, True], ids=["plain", "skewed"])
@given(st.integers(0, 1000), st.floats(0.5, 1.5))
def test_the_test_and_the_interval_say_the_same(skewed: bool, seed: int, limit: float) -> None:
    values, blocks = np.random.default_rng(seed).exponential(size=120), Blocks(5, 24)
    low = mean_interval(values, blocks, 0.9, skewed=skewed).low

    assert (p_above(values, limit, blocks, skewed=skewed) < 0.05) == (low > limit)


def test_of_skewed_values_the_interval_reaches_further_up() -> None:
    values, blocks = np.exp(1.5 * np.random.default_rng(1).normal(size=600)), Blocks(5, 120)
    plain, corrected = mean_interval(values, blocks), mean_interval(values, blocks, skewed=True)

    assert corrected.high > plain.high
    assert corrected.low > plain.low


def test_a_quantile_lies_in_its_interval_and_a_share_between_0_and_1() -> None:
    values = np.random.default_rng(2).exponential(size=600)
    blocks = blocks_of([values])
    for share in (0.5, 0.99):
        around = quantile_interval(values, share, blocks)
        assert around.low <= np.quantile(values, share) <= around.high
    assert share_interval(np.ones(600), blocks).high == 1.0
    assert share_interval(np.ones(600), blocks).low < 1.0


def test_nothing_to_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="no value"):
        blocks_of([np.empty(0)])
    with pytest.raises(ValueError, match="two blocks"):
        mean_error(np.ones(5), Blocks(5, 1))


def test_intervals_hold_what_they_promise_where_neighbours_resemble_each_other() -> None:
    shares = coverage(n=2000, phi=0.8, repeats=200, seed=3)

    assert 0.90 <= shares["mean"] <= 0.98
    assert 0.90 <= shares["median"] <= 0.985
    assert 0.88 <= shares["mean, paired skew"] <= 0.98
    assert shares["mean, token by token"] < 0.7  # what llama.cpp's errors would give here

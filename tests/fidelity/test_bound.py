"""The bound over HTTP: never more than the KL divergence itself, whatever is listed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.fidelity.bound import Listed, bound, is_distribution, whole_row

_LOST = 2.0**-25
unhurried = settings(deadline=None)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Listed, Listed]:
    """Draw two distributions, flat or steep, the same, near each other or far apart."""
    size, made = draw(st.integers(2, 40)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = made.normal(0, draw(st.sampled_from([0.1, 2, 20])), size)
    others = logits + made.normal(0, draw(st.sampled_from([0, 0.01, 1, 10])), size)
    return whole_row(logits.astype(np.float32)), whole_row(others.astype(np.float32))


PAIRS = pairs()


def kl_divergence(reference: Listed, build: Listed) -> float:
    p = np.exp(reference.logprobs)
    return float((p * (reference.logprobs - build.logprobs)).sum())


def some(row: Listed, ids: list[int], too_large: float = 0.0) -> Listed:
    """List some tokens, of a server whose probabilities are all too large by a share."""
    kept = np.array(sorted(set(ids)), dtype=np.int64)
    return Listed(kept, row.logprobs[kept] + np.log1p(too_large))


def likeliest(row: Listed, count: int) -> list[int]:
    return [int(i) for i in np.argsort(-row.logprobs, kind="stable")[:count]]


def listing(row: Listed, data: st.DataObject, vocabulary: int, *, whole: bool) -> Listed:
    """List all tokens, the likeliest, or any that hold the likeliest."""
    size = len(row.ids)
    if whole:
        return row
    more = data.draw(st.integers(0, size - 1), label="listed beside the likeliest")
    ids = [*likeliest(row, data.draw(st.integers(1, size), label="likeliest")), more]
    return some(
        row, ids, data.draw(st.sampled_from([0, vocabulary * _LOST / 2, vocabulary * _LOST]), label="what its sum lost")
    )


@unhurried
@given(PAIRS, st.data(), st.booleans())
def test_it_is_never_above_the_divergence(pair: tuple[Listed, Listed], data: st.DataObject, whole: bool) -> None:
    reference, build = pair

    vocabulary = data.draw(st.sampled_from([len(reference.ids), 262_144]))
    lists = listing(reference, data, vocabulary, whole=whole), listing(build, data, vocabulary, whole=False)
    found = bound(*lists, vocabulary)

    assert 0 <= found.nats <= max(0.0, kl_divergence(reference, build)) + 1e-12
    assert 0 <= found.covered <= 1
    assert found.same_top == (reference.top == build.top) or _is_tie(reference) or _is_tie(build)


def _is_tie(row: Listed) -> bool:
    return int((row.logprobs == row.logprobs.max()).sum()) > 1


@unhurried
@given(PAIRS)
def test_of_all_tokens_it_is_the_divergence(pair: tuple[Listed, Listed]) -> None:
    reference, build = pair

    found = bound(reference, build, len(reference.ids))

    assert found.nats == pytest.approx(max(0.0, kl_divergence(reference, build) - 1e-6), abs=1e-9)
    assert found.covered == pytest.approx(1)


@unhurried
@given(PAIRS, st.data())
def test_more_tokens_never_loosen_it_by_more_than_rounding(pair: tuple[Listed, Listed], data: st.DataObject) -> None:
    reference, build = pair
    few = data.draw(st.integers(1, len(reference.ids)))

    less, more = (bound(reference, some(build, likeliest(build, count)), 0) for count in (few, len(reference.ids)))

    assert less.nats <= more.nats + 1e-9


def test_nothing_in_common_says_nothing() -> None:
    found = bound(
        Listed(np.array([1, 2]), np.log([0.5, 0.3])), Listed(np.array([3, 4]), np.log([0.5, 0.3])), vocabulary=10
    )

    assert (found.nats, found.covered, found.same_top) == (0.0, 0.0, False)


def test_what_the_sides_list_apart_from_each_other_is_one_token() -> None:
    reference = Listed(np.array([0, 1]), np.log([0.6, 0.3]))
    build = Listed(np.array([0, 2]), np.log([0.2, 0.7]))

    found = bound(reference, build, vocabulary=0)

    assert found.nats == pytest.approx(0.6 * np.log(0.6 / 0.2) + 0.4 * np.log(0.4 / 0.8), abs=2e-6)
    assert found.covered == pytest.approx(0.6)


def test_the_token_that_is_there_is_known_of_a_whole_row() -> None:
    assert whole_row(np.log(np.array([0.25, 0.75], dtype=np.float32)), there=0).there == pytest.approx(np.log(0.25))
    assert whole_row(np.zeros(2, dtype=np.float32)).there is None


@pytest.mark.parametrize(
    ("ids", "logprobs", "is_one"),
    [
        pytest.param([4, 9], [-0.5, -2.0], True, id="some-of-one"),
        pytest.param([4, 9], [-0.5, float("-inf")], True, id="impossible-token"),
        pytest.param([4], [1e-6], True, id="rounded-above-one"),
        pytest.param([4, 9], [-0.5, -0.5], False, id="more-than-one-together"),
        pytest.param([4, 9], [7.5, 3.0], False, id="logits"),
        pytest.param([4, 9], [0.6, -2.0], False, id="above-one"),
        pytest.param([4, 4], [-1.0, -2.0], False, id="a-token-twice"),
        pytest.param([4], [float("nan")], False, id="no-number"),
        pytest.param([], [], False, id="nothing"),
    ],
)
def test_probabilities_are_told_from_other_numbers(ids: list[int], logprobs: list[float], is_one: bool) -> None:
    assert is_distribution(Listed(np.array(ids, dtype=np.int64), np.array(logprobs))) == is_one

"""From measured tokens to numbers, intervals and verdicts."""

import numpy as np
import pytest

from evaluator.fidelity.measure import PerToken
from evaluator.fidelity.summary import Measured, summarize

SHAPE = 8, 255


def tokens(kld: float, seed: int = 0, shape: tuple[int, int] = SHAPE, same: float = 0.95) -> PerToken:
    """A build whose KL divergences have this mean, and as much from token to token as real ones."""
    rng, shared = np.random.default_rng(seed + 1), np.random.default_rng(0)
    base = shared.exponential(2.0, shape)
    values = np.exp(shared.normal(0, 1, shape) + 0.3 * rng.normal(size=shape))
    return PerToken(base, base + rng.normal(0, kld, shape), values / values.mean() * kld, rng.random(shape) < same)


def measured(name: str, kld: float, seed: int = 0, **more: object) -> Measured:
    return Measured(build=name, reference="f16", tokens=tokens(kld, seed), **more)  # type: ignore[arg-type]


def test_the_numbers_are_those_of_the_tokens() -> None:
    one = measured("q8", 0.005, size_bytes=7, seconds=2.0)
    (build,), pairs = summarize([one], margin=0.01)
    values = one.tokens

    assert pairs == ()
    assert (build.build, build.reference, build.method, build.size_bytes) == ("q8", "f16", "exact", 7)
    assert build.scored == 8 * 255
    assert build.perplexity is not None
    assert build.perplexity.value == pytest.approx(np.exp(values.nll.mean()))
    assert build.reference_perplexity is not None
    assert build.reference_perplexity.value == pytest.approx(np.exp(values.nll_reference.mean()))
    assert build.perplexity_ratio is not None
    assert build.perplexity_ratio.value == pytest.approx(build.perplexity.value / build.reference_perplexity.value)
    assert build.perplexity_difference is not None
    assert build.perplexity_difference.value == pytest.approx(build.perplexity.value - build.reference_perplexity.value)
    assert build.largest_kld == values.kld.max()
    assert build.top1_agreement is not None
    assert build.top1_agreement.value == values.same_top.mean()
    assert build.rms_delta_p is not None
    assert build.rms_delta_p.value == pytest.approx(np.sqrt((values.delta_p**2).mean()))
    for estimate in (build.perplexity, build.mean_kld, build.median_kld, build.p99_kld, build.perplexity_difference):
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.value < estimate.high


@pytest.mark.parametrize(
    ("kld", "verdict"),
    [
        pytest.param(0.002, "equivalent", id="far-below"),
        pytest.param(0.0098, "cannot tell", id="about-the-margin"),
        pytest.param(0.05, "worse", id="far-above"),
    ],
)
def test_a_build_is_judged_by_the_margin(kld: float, verdict: str) -> None:
    (build,), _ = summarize([measured("build", kld)], margin=0.01)

    assert build.verdict == verdict


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        pytest.param(0.01, 0.1, "better", id="by-more-than-the-margin"),
        pytest.param(0.1, 0.01, "worse", id="the-other-way-round"),
        pytest.param(0.010, 0.014, "better by less than the margin", id="by-less"),
        pytest.param(0.010, 0.010, "equivalent", id="alike"),
    ],
)
def test_two_builds_are_compared_on_the_same_tokens(a: float, b: float, verdict: str) -> None:
    _, (pair,) = summarize([measured("a", a, 1), measured("b", b, 2)], margin=0.01)

    assert (pair.build, pair.other, pair.verdict) == ("a", "b", verdict)
    assert pair.kld_difference.value == pytest.approx(a - b, abs=1e-6)


def test_p_values_are_corrected_for_all_builds() -> None:
    (alone,), _ = summarize([measured("a", 0.0092)], margin=0.01)
    (together, *_), _ = summarize(
        [measured("a", 0.0092), *(measured(f"b{i}", 0.0098, i) for i in range(4))], margin=0.01
    )

    assert alone.p_value is not None
    assert together.p_value is not None
    assert together.p_value > alone.p_value


def test_builds_of_different_references_are_no_pair() -> None:
    other = Measured(build="b", reference="qat-f16", tokens=tokens(0.02, 2))
    builds, pairs = summarize([measured("a", 0.02, 1), other], margin=0.01)

    assert len(builds) == 2
    assert pairs == ()


def test_what_was_not_kept_speaks_against_equivalence() -> None:
    exact = tokens(0.002)
    loose = exact._replace(slack=np.full(SHAPE, 0.05))
    (build,), _ = summarize(
        [Measured(build="a", reference="f16", tokens=loose, method="top_k", covered=0.98)], margin=0.01
    )

    assert build.verdict == "cannot tell"
    assert build.error_bound == pytest.approx(0.05)
    assert build.covered == 0.98


def test_of_a_few_tokens_there_are_no_intervals_and_no_verdict() -> None:
    (build,), _ = summarize([Measured(build="a", reference="f16", tokens=tokens(0.5, shape=(2, 7)))], margin=0.01)

    assert build.mean_kld is not None
    assert (build.mean_kld.low, build.verdict, build.p_value) == (None, None, None)


def test_a_build_that_is_its_reference_is_equivalent() -> None:
    base = np.random.default_rng(0).exponential(2.0, SHAPE)
    same = PerToken(base, base, np.zeros(SHAPE), np.ones(SHAPE, dtype=np.bool_))
    (build,), _ = summarize([Measured(build="a", reference="f16", tokens=same)], margin=0.01)

    assert build.verdict == "equivalent"
    assert build.perplexity_ratio is not None
    assert build.perplexity_ratio.value == 1.0

"""KL divergence and its kin, token by token, against the definitions in float64."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.errors import StudyError
from evaluator.fidelity import kept
from evaluator.fidelity.measure import PerToken, log_probabilities, measure, read, write
from evaluator.fidelity.windows import Windows
from servers.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WINDOWS = Windows(np.array([[0, 1, 2, 3, 4, 1], [5, 4, 3, 2, 1, 0]], dtype=np.int32), 3)  # four scored tokens


def logits(seed: int, vocabulary: int = 8, spread: float = 3.0) -> "NDArray[np.float32]":
    return np.random.default_rng(seed).normal(0, spread, (4, vocabulary)).astype(np.float32)


def exact(values: "NDArray[np.float32]") -> "NDArray[np.float64]":
    wide = values.astype(np.float64)
    wide -= wide.max(1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(1, keepdims=True))
    return wide


def measured(reference: "NDArray[np.float32]", build: "NDArray[np.float32]") -> PerToken:
    return measure(WINDOWS, log_probabilities([reference]), [build[:1], build[1:]])


@pytest.mark.parametrize("vocabulary", [8, 5000], ids=["small", "large"])
@pytest.mark.parametrize("spread", [0.1, 3.0], ids=["flat", "peaked"])
def test_the_numbers_are_the_definitions(vocabulary: int, spread: float) -> None:
    p, q = logits(1, vocabulary, spread), logits(2, vocabulary, spread)
    found, log_p, log_q = measured(p, q), exact(p), exact(q)
    at = np.arange(4), WINDOWS.targets.reshape(-1)

    terms = np.exp(log_p) * (log_p - log_q) * (log_p > -16)  # llama.cpp leaves the others out

    assert found.kld.reshape(-1) == pytest.approx(terms.sum(1), rel=1e-5, abs=1e-5)
    assert found.nll_reference.reshape(-1) == pytest.approx(-log_p[at], abs=1e-5)
    assert found.nll.reshape(-1) == pytest.approx(-log_q[at], abs=1e-5)
    assert found.delta_p.reshape(-1) == pytest.approx(np.exp(log_q[at]) - np.exp(log_p[at]), abs=1e-5)
    assert found.same_top.reshape(-1).tolist() == (p.argmax(1) == q.argmax(1)).tolist()
    assert found.kld.shape == (2, 2)


@given(st.integers(0, 10_000), st.floats(0.01, 20), st.floats(-50, 50))
def test_a_build_is_no_distance_from_itself_and_a_shift_of_all_logits_changes_nothing(
    seed: int, spread: float, shift: float
) -> None:
    values = logits(seed, spread=spread)
    found = measured(values, values + np.float32(shift))

    assert found.same_top.all()
    assert np.abs(found.kld).max() < 1e-4
    assert np.abs(found.delta_p).max() < 1e-4


@given(st.integers(0, 10_000), st.floats(0.01, 8))
def test_kl_divergence_is_never_below_zero_by_more_than_rounding(seed: int, spread: float) -> None:
    assert measured(logits(seed, spread=spread), logits(seed + 1, spread=spread)).kld.min() > -1e-4


@pytest.mark.parametrize(
    ("reference", "build", "words"),
    [
        pytest.param(logits(1, 8), logits(2, 9), "knows 8 tokens and the build 9", id="vocabulary"),
        pytest.param(logits(1)[:3], logits(2), "3 of 4 tokens", id="short-reference"),
        pytest.param(logits(1), logits(2)[:2], "2 of 4 tokens", id="short-build"),
    ],
)
def test_what_does_not_fit_is_refused(
    reference: "NDArray[np.float32]", build: "NDArray[np.float32]", words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        measured(reference, build)


@pytest.mark.parametrize("broken", [np.nan, np.inf], ids=["nan", "infinity"])
@pytest.mark.parametrize("where", ["build", "reference"])
def test_what_is_no_number_is_refused_and_never_averaged(broken: float, where: str, tmp_path: Path) -> None:
    good, bad = logits(1), logits(2)
    bad[2, 4] = broken
    work: dict[str, Callable[[], object]] = {
        "build": lambda: measured(good, bad),
        "reference": lambda: kept.write_whole(tmp_path / "base.kld", WINDOWS, 8, [bad]),
    }

    with pytest.raises(ModelError, match="NaN or infinity"):
        work[where]()
    assert list(tmp_path.iterdir()) == []


def test_a_token_that_neither_knows_is_no_difference() -> None:
    p, q = logits(1), logits(2)
    expected = measured(p[:, :7], q[:, :7])
    p[:, 7] = q[:, 7] = -np.inf

    assert measured(p, q).kld == pytest.approx(expected.kld, abs=1e-5)


def test_what_was_measured_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = measured(logits(1), logits(2))
    write(found, tmp_path / "new" / "build.npz", seconds=2.5)

    again, seconds, covered = read(tmp_path / "new" / "build.npz")
    assert (seconds, covered) == (2.5, None)
    assert again.kld.tolist() == found.kld.tolist()
    assert again.same_top.dtype == np.bool_
    assert again.slack is None
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["build.npz"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"text"], ids=["empty", "cut", "text"])
def test_another_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "build.npz").write_bytes(content)

    with pytest.raises(StudyError, match="no measured tokens"):
        read(tmp_path / "build.npz")

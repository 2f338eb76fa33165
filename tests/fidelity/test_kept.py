"""A reference's probabilities on disk, in llama.cpp's form and in the small one."""

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.errors import StudyError
from evaluator.fidelity import kept
from evaluator.fidelity.measure import log_probabilities, measure, measure_top
from evaluator.fidelity.windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOWS = Windows(np.array([[0, 1, 2, 3, 4, 1], [5, 4, 3, 2, 1, 0]], dtype=np.int32), 3)


def logits(seed: int, vocabulary: int = 9, spread: float = 3.0) -> "NDArray[np.float32]":
    return np.random.default_rng(seed).normal(0, spread, (4, vocabulary)).astype(np.float32)


def by_hand(row: "NDArray[np.float32]") -> tuple[bytes, list[int]]:
    """One token as llama.cpp writes it, in plain Python (tools/perplexity/perplexity.cpp, `log_softmax`)."""
    most = max(map(float, row))
    least = max(min(map(float, row)), most - 16)
    log_sum = float(np.log(np.exp(row.astype(np.float64) - most).sum()))
    scale = (most - least) / 65535
    steps = [round((float(value) - least) / scale) if value > least else 0 for value in row]
    return struct.pack("<ff", scale, least - most - log_sum), steps


@pytest.mark.parametrize("vocabulary", [8, 9], ids=["even", "odd"])
@pytest.mark.parametrize("spread", [2.0, 30.0], ids=["within-16-nats", "beyond"])
def test_the_file_is_as_llama_cpp_writes_it(vocabulary: int, spread: float, tmp_path: Path) -> None:
    path, rows = tmp_path / "base.kld", logits(1, vocabulary, spread)
    kept.write_whole(path, WINDOWS, vocabulary, [rows])
    content = path.read_bytes()

    assert content[:8] == b"_logits_"
    assert struct.unpack("<iii", content[8:20]) == (6, vocabulary, 2)
    assert np.frombuffer(content[20:68], "<i4").tolist() == WINDOWS.ids.reshape(-1).tolist()
    width = 2 * (2 * ((vocabulary + 1) // 2) + 4)
    assert len(content) == 68 + 4 * width == kept.size(vocabulary, WINDOWS)
    for place, row in enumerate(rows):
        one = content[68 + place * width :][:width]
        head, steps = by_hand(row)
        assert np.frombuffer(one[:8], "<f4") == pytest.approx(np.frombuffer(head, "<f4"), rel=1e-5)
        assert np.frombuffer(one[8 : 8 + 2 * vocabulary], "<u2").astype(int) == pytest.approx(steps, abs=1)


@given(st.integers(0, 10_000), st.floats(0.1, 4))
def test_what_is_read_is_what_was_written_to_half_a_step(
    tmp_path_factory: pytest.TempPathFactory, seed: int, spread: float
) -> None:
    path, rows = tmp_path_factory.mktemp("kept") / "base.kld", logits(seed, spread=spread)
    exact = kept.write_whole(path, WINDOWS, 9, [rows[:3], rows[3:]])
    windows, vocabulary, read = kept.read_whole(path)
    true = np.array(list(log_probabilities([rows])))

    assert (windows.ids.tolist(), windows.first, vocabulary) == (WINDOWS.ids.tolist(), 3, 9)
    assert np.abs(np.maximum(true, true.max(1, keepdims=True) - 16) - np.array(list(read))).max() < 16 / 65535
    assert exact.nll == pytest.approx(-true[np.arange(4), WINDOWS.targets.reshape(-1)], abs=1e-4)
    assert exact.top.tolist() == rows.argmax(1).tolist()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda raw: raw[:-1], id="cut"),
        pytest.param(lambda raw: raw[:12], id="head-only"),
        pytest.param(lambda raw: b"", id="empty"),
        pytest.param(lambda raw: b"_digits_" + raw[8:], id="other-mark"),
        pytest.param(lambda raw: raw + b"\0", id="longer"),
        pytest.param(lambda raw: raw[:8] + struct.pack("<iii", 2**31 - 1, 9, 2**31 - 1) + raw[20:], id="huge-numbers"),
        pytest.param(lambda raw: raw[:8] + struct.pack("<iii", -6, 9, 2) + raw[20:], id="below-0"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(change: object, tmp_path: Path) -> None:
    path = tmp_path / "base.kld"
    kept.write_whole(path, WINDOWS, 9, [logits(1)])
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]

    with pytest.raises(StudyError, match="not all of them"):
        kept.read_whole(path)


def test_nothing_appears_where_the_rows_end_early(tmp_path: Path) -> None:
    def rows() -> object:
        yield logits(1)[:2]
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        kept.write_whole(tmp_path / "base.kld", WINDOWS, 9, rows())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@given(st.integers(0, 10_000), st.floats(0.3, 3), st.integers(2, 40))
def test_the_small_form_bounds_the_exact_value(seed: int, spread: float, largest: int) -> None:
    p, q = logits(seed, 60, spread), logits(seed + 1, 60, spread)
    exact = measure(WINDOWS, log_probabilities([p]), [q])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "LARGEST", largest)
        found, covered = measure_top(WINDOWS, *kept.write_top(WINDOWS, [p]), [q])

    assert found.slack is not None
    assert (found.kld <= exact.kld + 1e-4).all()
    assert (exact.kld <= found.kld + found.slack + 1e-4).all()
    assert 0 < covered < 1
    assert found.same_top.tolist() == exact.same_top.tolist()
    assert found.nll == pytest.approx(exact.nll, abs=1e-4)
    assert found.nll_reference == pytest.approx(exact.nll_reference, abs=1e-4)


def test_a_small_vocabulary_is_kept_whole() -> None:
    p, q = logits(1), logits(2)
    found, covered = measure_top(WINDOWS, *kept.write_top(WINDOWS, [p]), [q])

    assert covered == 1
    assert found.kld == pytest.approx(measure(WINDOWS, log_probabilities([p]), [q]).kld, abs=1e-4)


def test_another_text_model_or_way_has_another_name() -> None:
    names = {
        kept.key("a", "b", WINDOWS, "how"),
        kept.key("x", "b", WINDOWS, "how"),
        kept.key("a", "x", WINDOWS, "how"),
        kept.key("a", "b", Windows(WINDOWS.ids + 1, 3), "how"),
        kept.key("a", "b", Windows(WINDOWS.ids, 2), "how"),
        kept.key("a", "b", WINDOWS, "otherwise"),
    }
    assert len(names) == 6
    assert kept.key("a", "b", WINDOWS, "how") in names

"""A text as windows of tokens, cut as llama.cpp cuts it."""

from pathlib import Path

import numpy as np
import pytest

from evaluator.errors import StudyError
from evaluator.fidelity.windows import Windows, cut, read, write


@pytest.mark.parametrize(
    ("tokens", "context", "most", "begin", "ids", "first"),
    [
        pytest.param(range(8), 4, 100, None, [[0, 1, 2, 3], [4, 5, 6, 7]], 2, id="no-begin"),
        pytest.param(range(8), 4, 100, 99, [[99, 1, 2, 3], [99, 5, 6, 7]], 2, id="begin-replaces-the-first"),
        pytest.param(range(11), 4, 100, None, [[0, 1, 2, 3], [4, 5, 6, 7]], 2, id="rest-left-out"),
        pytest.param(range(100), 5, 14, None, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], 2, id="limited-odd-context"),
    ],
)
def test_tokens_are_cut(  # noqa: PLR0917 - a table's columns
    tokens: range, context: int, most: int, begin: int | None, ids: object, first: int
) -> None:
    windows = cut(list(tokens), context, most, begin)

    assert windows.ids.tolist() == ids
    assert windows.first == first
    assert windows.targets.shape == (windows.number, windows.scored)
    assert windows.scored == context - 1 - context // 2


@pytest.mark.parametrize(
    ("have", "most", "words"),
    [
        pytest.param(7, 100, "the text has 7 tokens, and two windows of 4 take 8", id="short-text"),
        pytest.param(100, 7, "7 tokens are to be read, and two windows of 4 take 8", id="few-wanted"),
    ],
)
def test_less_than_two_windows_is_refused(have: int, most: int, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        cut(list(range(have)), 4, most, None)


def test_windows_are_read_as_they_were_written(tmp_path: Path) -> None:
    windows = cut(list(range(12)), 4, 12, 7)
    write(windows.ids, tmp_path / "windows.npy")

    assert read(tmp_path / "windows.npy", 2).ids.tolist() == windows.ids.tolist()


@pytest.mark.parametrize(
    ("content", "first"),
    [
        pytest.param(np.zeros((2, 4)), 2, id="not-whole-numbers"),
        pytest.param(np.zeros(4, dtype=np.int32), 2, id="one-line"),
        pytest.param(np.zeros((2, 4), dtype=np.int32), 3, id="nothing-behind-the-first"),
    ],
)
def test_other_files_are_refused(
    content: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", first: int, tmp_path: Path
) -> None:
    np.save(tmp_path / "windows.npy", content)

    with pytest.raises(StudyError, match="holds no windows"):
        read(tmp_path / "windows.npy", first)


def test_targets_are_the_tokens_behind_the_scored_places() -> None:
    assert Windows(np.arange(12, dtype=np.int32).reshape(2, 6), 3).targets.tolist() == [[4, 5], [10, 11]]

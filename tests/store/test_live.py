"""The file that says how a run stands just now."""

from pathlib import Path

import pytest

from evaluator.errors import StudyError
from evaluator.store.live import Live, LiveFile, live_path, read_live


@pytest.mark.parametrize(
    ("error", "end"),
    [
        pytest.param(StudyError("no such data", source="a"), "a: no such data", id="one-line"),
        pytest.param(StudyError("no such data\nmore of it", source="a"), "a: no such data", id="two-lines"),
        pytest.param(OSError("caf\udce9/study: no space left"), "caf/study: no space left", id="path-that-is-no-text"),
        pytest.param(OSError("a\x1b[31mb"), "a[31mb", id="control-characters"),
        pytest.param(KeyboardInterrupt(), "interrupted", id="interrupted"),
    ],
)
def test_a_run_that_ends_before_its_end_says_why_and_raises_what_it_raised(
    tmp_path: Path, error: BaseException, end: str
) -> None:
    with pytest.raises(type(error)) as raised, LiveFile(tmp_path, lambda: Live(study="s")):
        raise error

    assert raised.value is error
    live = read_live(tmp_path)
    assert live is not None
    assert (live.phase, live.end) == ("ended", end)


def test_a_run_that_reached_its_end_leaves_no_file(tmp_path: Path) -> None:
    with LiveFile(tmp_path, lambda: Live(study="s")):
        assert live_path(tmp_path).exists()

    assert not live_path(tmp_path).exists()

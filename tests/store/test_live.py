"""The file that says how a run stands just now."""

from pathlib import Path

import msgspec
import pytest

from evaluator.errors import StudyError
from evaluator.store.live import Incident, Live, LiveFile, VariantProgress, live_path, read_live

HOSTILE = "a\x1b]0;title\x07\u202eb"


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


def test_a_file_that_another_wrote_says_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    variant = VariantProgress(variant=HOSTILE, server=HOSTILE, wait=HOSTILE)
    incident = Incident(variant=HOSTILE, text=HOSTILE, ago_s=0.0)
    live = Live(study=HOSTILE, host=HOSTILE, variants=(variant,), incident=incident, end=HOSTILE)
    live_path(tmp_path).write_bytes(msgspec.json.encode(live))

    found = read_live(tmp_path)

    assert found == msgspec.json.decode(
        msgspec.json.encode(live).replace(msgspec.json.encode(HOSTILE), b'"a]0;titleb"'), type=Live
    )


def test_a_run_that_reached_its_end_leaves_no_file(tmp_path: Path) -> None:
    with LiveFile(tmp_path, lambda: Live(study="s")):
        assert live_path(tmp_path).exists()

    assert not live_path(tmp_path).exists()

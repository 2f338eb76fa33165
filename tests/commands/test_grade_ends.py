"""However grading ends, it ends at once, in one sentence, and leaves nothing behind."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evaluator.benchmarks import humaneval, mmlu_pro
from tests.support.scripted import Bench, right

WHICHQUANT = [sys.executable, "-m", "evaluator"]


def endless(folder: Path) -> Path:
    """Write answers to ten code problems, none of which ever ends."""
    file = folder / "endless.jsonl"
    with file.open("w") as stream:
        for problem in humaneval.load()[:10]:
            text = f"```python\ndef {problem.answer}(*inputs):\n    while True:\n        pass\n```"
            stream.write(json.dumps({"task_id": problem.id, "text": text}) + "\n")
    return file


def letters(folder: Path) -> Path:
    """Write answers to 3,000 questions."""
    file = folder / "letters.jsonl"
    with file.open("w") as stream:
        for question in mmlu_pro.load(shots=0)[:3000]:
            stream.write(json.dumps({"question_id": question.id, "text": f"The answer is ({question.answer})."}) + "\n")
    return file


def below(pid: int) -> set[int]:
    """Give the processes that a process has started, and those that they have."""
    found: set[int] = set()
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found |= {int(child) for child in children.read_text().split()}
        except OSError:  # the thread has ended
            continue
    return found.union(*map(below, found))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def running_code(process: subprocess.Popen[str]) -> set[int]:
    """Wait until a program that never ends is being run; give all processes there are then."""
    since: dict[int, float] = {}
    until = time.monotonic() + 60
    while not since or time.monotonic() - min(since.values()) < 1.5:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
        since = {pid: since.get(pid, time.monotonic()) for pid in below(process.pid)}
    return set(since)


@pytest.mark.skipif(sys.platform != "linux", reason="there is a sandbox on Linux only")
@pytest.mark.parametrize(
    ("number", "with_output"),
    [
        pytest.param(signal.SIGINT, True, id="ctrl-c"),
        pytest.param(signal.SIGINT, False, id="ctrl-c-to-standard-output"),
        pytest.param(signal.SIGTERM, True, id="terminate"),
    ],
)
def test_an_interrupted_grading_leaves_no_file_and_no_program(
    tmp_path: Path, number: signal.Signals, with_output: bool
) -> None:
    output = tmp_path / "out.jsonl"
    more = ["--output", str(output)] if with_output else []
    process = subprocess.Popen(
        [*WHICHQUANT, "grade", str(endless(tmp_path)), "--benchmark", "humaneval", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    programs = running_code(process)
    started = time.monotonic()

    process.send_signal(number)
    _, told = process.communicate(timeout=30)

    assert time.monotonic() - started < 5
    assert process.returncode == 130
    assert told.startswith("whichquant: interrupted: ")
    assert told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["endless.jsonl"]
    until = time.monotonic() + 5
    while any(map(is_alive, programs)):
        assert time.monotonic() < until, "a program goes on"
        time.sleep(0.05)


def test_an_interrupted_regrading_changes_nothing(bench: Bench) -> None:
    bench.run(bench.study(10, good=right))
    folder = bench.folder / "runs" / "s"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    interrupt = "import os, signal\nfrom evaluator.grade import grader\n"
    interrupt += "grader._judge = lambda *_: os.kill(os.getpid(), signal.SIGINT)\n"
    command = f"{interrupt}from evaluator.cli import main\nmain(['regrade', {str(folder)!r}])"

    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)

    assert done.returncode == 130
    assert done.stderr.startswith("whichquant: interrupted: ")
    assert done.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("into", "code", "said"),
    [
        pytest.param("| head -1", 141, "", id="a-reader-that-has-enough"),
        pytest.param("> /dev/full", 2, "standard output: cannot be written (No space left on device)", id="full-disk"),
        pytest.param(">&-", 2, "standard output: it is closed", id="closed"),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_standard_output_that_takes_no_more_ends_it_without_a_traceback(
    tmp_path: Path, into: str, code: int, said: str
) -> None:
    command = f"{shlex.join([*WHICHQUANT, 'grade', str(letters(tmp_path)), '--benchmark', 'mmlu_pro'])} {into}"

    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False, env=dict(os.environ)
    )

    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == bool(said)


def test_a_full_disk_leaves_no_half_of_an_output(tmp_path: Path) -> None:
    command = shlex.join([*WHICHQUANT, "grade", str(letters(tmp_path)), "--benchmark", "mmlu_pro"])
    output = tmp_path / "out.jsonl"
    output.write_text("of an earlier time")

    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 8; exec {command} --output {output}"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert done.returncode == 2
    assert f"{output}: cannot be written (File too large)" in done.stderr
    assert output.read_text() == "of an earlier time"
    assert {path.name for path in tmp_path.iterdir()} == {"letters.jsonl", "out.jsonl"}

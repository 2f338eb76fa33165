"""However a run ends, nothing is lost and the same command goes on."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluator.store import journal
from servers.fake import Reply
from tests.support.scripted import Bench, right

WHICHQUANT = [sys.executable, "-m", "evaluator"]


def start(bench: Bench, study: Path, *, in_background: bool = False) -> subprocess.Popen[str]:
    command = [*WHICHQUANT, "run", str(study), "--runs", str(bench.folder / "runs"), "--no-check"]
    if in_background:  # as a shell script starts it with `&`: Ctrl-C is ignored
        command = ["sh", "-c", f"trap '' INT; exec {shlex.join(command)}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "code", "in_background"),
    [
        pytest.param(signal.SIGKILL, -9, False, id="kill"),
        pytest.param(signal.SIGINT, 130, False, id="ctrl-c"),
        pytest.param(signal.SIGTERM, 130, False, id="terminate"),
        pytest.param(signal.SIGHUP, 130, False, id="terminal-closed"),
        pytest.param(signal.SIGTERM, 130, True, id="terminate-in-background"),
    ],
)
def test_after_any_end_the_same_command_goes_on_where_it_stopped(
    bench: Bench, number: signal.Signals, code: int, in_background: bool
) -> None:
    ended = False

    def slow(body: Any, _number: int) -> Reply:
        return Reply(text=right(body).text, delay=0 if ended else 0.05)

    study = bench.study(60, good=slow)
    process = start(bench, study, in_background=in_background)
    wait_for(lambda: len(bench.fakes["good"].requests) >= 20)
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    ended = True
    kept = journal.read(bench.folder / "runs/s/records/good.jsonl")
    asked_before = len(bench.fakes["good"].requests)

    again = bench.run(study)

    assert process.returncode == code, output
    assert 20 - 3 <= len(kept) < 60
    assert again.exit_code == 0, again.output
    assert len(bench.fakes["good"].requests) - asked_before == 60 - len(kept), "a finished question was asked again"
    assert bench.report()["scores"][0]["outcomes"] == {"correct": 60}
    assert "Traceback" not in output


def test_a_full_disk_ends_the_run_in_one_sentence_and_loses_nothing(bench: Bench) -> None:
    study = bench.study(30, good=right)
    command = f"ulimit -f 8; exec {' '.join(WHICHQUANT)} run {study} --no-check --runs {bench.folder / 'runs'}"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=environment)

    assert done.returncode == 4
    assert "what was written is kept" in done.stderr
    assert "Traceback" not in done.stderr
    path = bench.folder / "runs/s/records/good.jsonl"
    assert path.read_bytes().endswith(b"\n")
    assert len(journal.read(path)) > 0


@pytest.mark.parametrize(
    ("command", "phase", "number"),
    [
        pytest.param("run", "load_study", signal.SIGTERM, id="reading"),
        pytest.param("run", "sandbox_for", signal.SIGHUP, id="before-the-questions"),
        pytest.param("run", "analyse", signal.SIGINT, id="grading"),
        pytest.param("run", "write_report", signal.SIGTERM, id="reporting"),
        pytest.param("report", "analyse", signal.SIGTERM, id="grading-again"),
    ],
)
def test_a_signal_while_nothing_is_asked_is_an_interruption_too(
    bench: Bench, command: str, phase: str, number: signal.Signals
) -> None:
    study, runs = bench.study(2, good=right), str(bench.folder / "runs")
    assert bench.run(study).exit_code == 0
    words = ["run", str(study), "--runs", runs, "--no-check"] if command == "run" else ["report", f"{runs}/s"]
    module = "pipeline" if command == "run" else "rebuild"
    code = (
        f"import os\nfrom evaluator import {module}\nfrom evaluator.cli import main\n"
        f"{module}.{phase} = lambda *_, **__: os.kill(os.getpid(), {number})\nmain({words!r})"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)

    assert ended.returncode == 130, ended.stderr
    assert ended.stderr.startswith("whichquant: interrupted: ")


@pytest.mark.parametrize("command", ["run", "check"])
def test_where_nobody_reads_any_more_it_ends_without_a_word(bench: Bench, command: str) -> None:
    study = bench.study(5, good=right)
    words = [*WHICHQUANT, command, str(study), "--runs", str(bench.folder / "runs")]
    words += ["--no-check"] if command == "run" else []

    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        said = process.stderr.read()

    assert (process.returncode, said) == (141, "")

"""`whichquant status` and `whichquant watch` say of any run whether it goes on, has ended or was stopped."""

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from rich.console import Console

from evaluator.cli import main
from evaluator.commands import watch as watching
from evaluator.commands.status import read_status
from evaluator.report.follow import phase_of
from evaluator.store.folder import is_being_written, locked, records_path
from evaluator.store.live import Live, live_path, now, read_live
from servers.fake import Reply
from tests.support.scripted import Bench, right, wrong


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def slowly(seconds: float) -> Callable[[Any, int], Reply]:
    def answer(body: Any, _number: int = 0) -> Reply:
        return msgspec.structs.replace(right(body), delay=seconds)

    return answer


@contextmanager
def going_on(bench: Bench, study: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Run a study in a process of its own."""
    command = [sys.executable, "-m", "evaluator", "run", str(study), "--runs", str(bench.folder / "runs"), "--no-check"]
    with subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def asked(folder: Path) -> int:
    live = read_live(folder)
    return sum(variant.asked for variant in live.variants) if live else 0


@pytest.fixture
def finished(bench: Bench) -> Path:
    assert bench.run(bench.study(6, good=right, bad=wrong)).exit_code == 0
    return bench.folder / "runs" / "s"


def test_a_finished_run_has_its_table_and_the_path_of_its_report(finished: Path) -> None:
    result = ask("status", str(finished))

    assert result.exit_code == 0, result.output
    first, header, good, bad, *rest = result.output.splitlines()
    assert first == "s: finished."
    assert header.split() == ["variant", "asked", "MMLU-Pro", "(95", "%)", "tokens/s", "failures", "time", "left"]
    assert "6/6" in good
    assert "100.0 %" in good
    assert good.endswith("done")
    assert "0.0 %" in bad
    assert "".join(rest) == f"The report: {finished / 'report.html'}"
    assert not live_path(finished).exists()


def test_status_as_json_holds_the_same(finished: Path) -> None:
    result = ask("status", str(finished), "--json")
    said = json.loads(result.output)

    assert result.exit_code == said["exit_code"] == 0
    assert said["state"] == "finished"
    assert [(v["variant"], v["benchmarks"][0]["correct"]) for v in said["live"]["variants"]] == [
        ("good", 6),
        ("bad", 0),
    ]


def test_a_run_is_watched_from_another_process_until_its_report(bench: Bench) -> None:
    study, folder = bench.study(12, good=slowly(0.4), bad=slowly(0.4)), bench.folder / "runs" / "s"
    with going_on(bench, study) as process:
        until(lambda: asked(folder) > 0)
        status = ask("status", str(folder))
        live = read_live(folder)
        watched = subprocess.run(
            [sys.executable, "-m", "evaluator", "watch", str(folder)], capture_output=True, text=True, check=False
        )
        assert process.wait(60) == 0

    assert status.exit_code == 5, status.output
    assert status.output.splitlines()[0].startswith(f"s: going on, process {process.pid} on ")
    assert live is not None
    assert live.phase == "asking"
    assert watched.returncode == 0, watched.stderr
    assert "good: " in watched.stdout
    assert "good: 12/12; MMLU-Pro 12/12" in watched.stdout or "What the data show" in watched.stdout
    assert f"The report: {folder / 'report.html'}" in " ".join(watched.stdout.split())


def test_ctrl_c_ends_the_watching_and_not_the_run(bench: Bench) -> None:
    study, folder = bench.study(12, good=slowly(0.5)), bench.folder / "runs" / "s"
    with going_on(bench, study) as process:
        until(lambda: asked(folder) > 0)
        command = [sys.executable, "-m", "evaluator", "watch", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            assert watch.stdout is not None
            assert watch.stdout.readline()
            watch.send_signal(signal.SIGINT)
            _, errors = watch.communicate(timeout=30)
        assert process.wait(60) == 0

    assert watch.returncode == 130
    assert errors == "whichquant: interrupted: the run goes on without this\n"


@pytest.mark.parametrize(
    ("number", "why"), [(signal.SIGKILL, ""), (signal.SIGINT, " (interrupted)")], ids=["killed", "ctrl-c"]
)
def test_a_run_that_was_stopped_says_how_far_it_came(bench: Bench, number: signal.Signals, why: str) -> None:
    study, folder = bench.study(12, good=slowly(1), bad=right), bench.folder / "runs" / "s"
    with going_on(bench, study) as process:
        until(lambda: asked(folder) > 0)
        process.send_signal(number)
        process.wait(30)

    stopped = ask("status", str(folder))
    watched = ask("watch", str(folder))
    again = bench.run(study)

    assert stopped.exit_code == watched.exit_code == 130, stopped.output
    first = " ".join(stopped.output.split())
    assert first.startswith("s: stopped, as of 20")
    assert f" UTC{why}. The same command goes on where it stopped." in first
    assert "/12" in stopped.output
    assert again.exit_code == 0
    assert ask("status", str(folder)).output.startswith("s: finished.")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.unlink(), id="none"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-20]), id="cut"),
        pytest.param(lambda path: path.write_bytes(b'{"study": 3}'), id="other"),
        pytest.param(lambda path: path.write_bytes(b"\xff\xfe" * 40), id="binary"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="folder"),
    ],
)
def test_without_a_readable_live_file_the_records_are_counted(bench: Bench, damage: Callable[[Path], object]) -> None:
    study, folder = bench.study(12, good=slowly(0.1), bad=slowly(60)), bench.folder / "runs" / "s"
    with going_on(bench, study) as process:
        until(lambda: asked(folder) >= 12)
        process.kill()
        process.wait(30)
    damage(live_path(folder))

    result = ask("status", str(folder))

    assert result.exit_code == 130
    good, bad = (
        result.output.splitlines()[-3:-1] if "time left in all" in result.output else result.output.splitlines()[-2:]
    )
    assert "12/12" in good
    assert "100.0 %" in good
    assert "0/12" in bad


def test_a_run_of_an_earlier_version_that_goes_on_is_counted(bench: Bench, finished: Path) -> None:
    with locked(finished):
        status = read_status(finished)

    assert status.state == "going on"
    assert status.counted
    assert [variant.asked for variant in status.live.variants] == [6, 6]


def test_a_question_that_failed_is_missing(bench: Bench, nobody: int) -> None:
    study = bench.study(4, good=right)
    study.write_text(
        study.read_text().replace(
            "benchmarks:", f'  - {{name: gone, model: m, base_url: "http://127.0.0.1:{nobody}/v1"}}\nbenchmarks:'
        )
    )
    code = bench.run(study, "--force").exit_code
    folder = bench.folder / "runs" / "s"

    result = ask("status", str(folder))

    assert result.exit_code == code == 1
    assert "s: not finished (gone could not be asked all questions)." in " ".join(result.output.split())


class _Elsewhere:
    """A live file that another machine wrote, in whose place a lock is of no use."""

    def __init__(self, folder: Path, age_s: float, **further: str) -> None:
        live = Live(study="s", pid=1, host="another-machine", started=now(), updated=now(), phase="asking", **further)  # type: ignore[arg-type]
        written = time.time() - age_s
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(written))
        live_path(folder).write_bytes(msgspec.json.encode(replace(live, updated=stamp)))


@pytest.mark.parametrize(("age_s", "state"), [(5, "going on"), (-20, "going on"), (3600, "stopped")], ids=str)
def test_a_run_on_another_machine_is_judged_by_its_last_sign_of_life(finished: Path, age_s: float, state: str) -> None:
    (finished / "report.json").unlink()
    _Elsewhere(finished, age_s)

    status = read_status(finished)

    assert status.state == state
    assert phase_of(finished) == state.replace(" ", "_")
    if state == "going on":
        assert "process 1 on another-machine" in ask("status", str(finished)).output


@pytest.mark.parametrize("stamp", ["", "yesterday", "2026-01-01T00:00:00", "9999-12-31T23:59:59+00:00"])
def test_an_impossible_time_in_the_live_file_is_no_sign_of_life(finished: Path, stamp: str) -> None:
    (finished / "report.json").unlink()
    live = Live(study="s", host="another-machine", updated=stamp, phase="asking")
    live_path(finished).write_bytes(msgspec.json.encode(live))

    assert read_status(finished).state == "stopped"


def test_hostile_words_in_a_live_file_do_nothing(finished: Path) -> None:
    (finished / "report.json").unlink()
    _Elsewhere(finished, 9999, end="\x1b[2J[red]gone\x07")

    result = ask("status", str(finished))

    assert not {"\x1b", "\x07"} & set(result.output)
    assert "[red]gone" in result.output


def test_status_reads_a_folder_in_which_it_may_not_write(finished: Path) -> None:
    for path in (finished, *finished.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    try:
        result = ask("status", str(finished))
    finally:
        finished.chmod(0o755)

    assert result.exit_code == 0, result.output
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_where_no_run_lies_is_one_sentence(tmp_path: Path) -> None:
    for command in ("status", "watch"):
        result = ask(command, str(tmp_path))
        assert result.exit_code == 2
        assert "no run lies here (no plan.json)" in result.output


def test_looking_at_the_lock_keeps_nobody_from_writing(finished: Path) -> None:
    assert is_being_written(finished) is False
    with locked(finished):
        assert is_being_written(finished) is True
    assert is_being_written(finished.parent) is False


def test_a_run_whose_live_file_cannot_be_written_goes_on(bench: Bench) -> None:
    study, folder = bench.study(4, good=right), bench.folder / "runs" / "s"
    (folder / "live.json" / "in-the-way").mkdir(parents=True)

    result = bench.run(study)

    assert result.exit_code == 0, result.output
    assert (folder / "report.json").exists()


def test_the_live_file_is_written_without_events_too(bench: Bench) -> None:
    """A server that thinks for minutes says nothing, and the run goes on."""
    study, folder = bench.study(1, good=slowly(6.0)), bench.folder / "runs" / "s"
    seen = set()
    with going_on(bench, study) as process:
        while process.poll() is None:
            if live := read_live(folder):
                seen.add(live.updated)
            time.sleep(0.2)

    assert len(seen) >= 3


def test_in_a_terminal_the_table_is_drawn_again_and_gone_at_the_end(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter([replace(read_status(finished), state="going on") for _ in range(3)])
    at_its_end = read_status(finished)
    monkeypatch.setattr(watching, "read_status", lambda _: next(states, at_its_end))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)

    assert watching.watch(finished, console) == 0

    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert text.count("s: going on") >= 3
    assert "What the data show" in text
    assert text.index("What the data show") > text.rindex("s: going on")


def test_records_that_came_after_the_report_are_seen(bench: Bench, finished: Path) -> None:
    """As when a finished run is given more questions by an earlier version, and is killed."""
    path = records_path(finished, "good")
    first = path.read_bytes().splitlines(keepends=True)[0]
    record = json.loads(first)
    record["started"] = "2999-01-01T00:00:00.000+00:00"
    path.write_bytes(path.read_bytes() + json.dumps(record).encode() + b"\n")

    assert read_status(finished).state == "stopped"

"""`whichquant serve-report` beside runs of other processes: going on, killed, ended, gone."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from msgspec.structs import replace

from servers.fake import Reply
from tests.support.scripted import Bench, right, wrong

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "runs" / "example-demo"
WHICHQUANT = [sys.executable, "-m", "evaluator"]


@contextmanager
def served(folder: Path, *more: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve a run; gives the address, and the process."""
    command = [*WHICHQUANT, "serve-report", str(folder), *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        found = re.match(r"(http://127\.0\.0\.1:\d+)/ shows ", process.stdout.readline())
        assert found
        try:
            yield found[1], process
        finally:
            process.kill()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=120) as reply:
        return str(reply.read().decode())


def state(url: str) -> Any:
    return json.loads(get(f"{url}/state"))


def until(fact: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.2)


class Slow:
    """Two servers, the second of which takes its time until it is released."""

    def __init__(self, bench: Bench, extra: str = "") -> None:
        self.released = Event()
        study = bench.study(60, extra, good=right, bad=self._answer)
        command = [*WHICHQUANT, "run", str(study), "--runs", str(bench.folder / "runs"), "--no-check"]
        self.folder = bench.folder / "runs" / "s"
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _answer(self, body: Any, number: int) -> Reply:
        return replace(wrong(body, number), delay=0 if self.released.is_set() else 10 * (number > 6))

    def answered(self, variant: str) -> int:
        journal = self.folder / "records" / f"{variant}.jsonl"
        return journal.read_bytes().count(b"\n") if journal.exists() else 0


@pytest.fixture
def slow(bench: Bench) -> Iterator[Slow]:
    run = Slow(bench)
    yield run
    run.released.set()
    run.process.kill()
    run.process.wait()


def test_a_run_that_goes_on_is_shown_as_far_as_it_is_and_its_report_at_the_end(slow: Slow) -> None:
    until(lambda: slow.answered("bad") >= 3)
    with served(slow.folder) as (url, _):
        first = get(f"{url}/report.html")
        assert re.search(r"Still running: \d+ of 120 answers so far", first)
        assert "Verdicts come at the end" in first
        assert get(f"{url}/").count("<iframe") == 1
        before = state(url)
        assert before["phase"] == "going_on"
        until(lambda: bool(state(url)["version"] != before["version"]))
        assert get(f"{url}/report.html") != first
        assert not (slow.folder / "grades.jsonl").exists()
        assert not list(slow.folder.glob("report*"))

        slow.released.set()
        assert slow.process.wait(60) == 0
        until(lambda: bool(state(url)["phase"] == "ended"))
        final = get(f"{url}/")

    assert final == (slow.folder / "report.html").read_text()
    assert "Verdicts come at the end" not in final


def test_a_run_that_was_killed_has_stopped_and_a_second_client_sees_the_same(slow: Slow) -> None:
    until(lambda: slow.answered("bad") >= 3)
    with served(slow.folder) as (url, _):
        get(f"{url}/report.html")
        slow.process.kill()
        slow.process.wait()
        until(lambda: bool(state(url)["phase"] == "stopped"))
        until(lambda: "Stopped before its end" in get(f"{url}/report.html"))

        assert get(f"{url}/report.html") == get(f"{url}/report.html")
        assert state(url)["words"].startswith("Stopped before its end: ")


def test_a_folder_that_is_removed_leaves_what_was_there_last(slow: Slow) -> None:
    until(lambda: slow.answered("bad") >= 3)
    with served(slow.folder) as (url, process):
        page = get(f"{url}/report.html")
        slow.process.kill()
        slow.process.wait()
        shutil.rmtree(slow.folder)

        assert get(f"{url}/report.html") == page
        assert state(url)["phase"] == "gone"
        assert process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_it_ends_in_order_and_leaves_nothing(number: signal.Signals) -> None:
    before = {path: path.stat().st_mtime_ns for path in EXAMPLE.rglob("*")}
    with served(EXAMPLE) as (url, process):
        assert "<!doctype html>" in get(url)
        process.send_signal(number)
        rest, complaint = process.communicate(timeout=60)
        with pytest.raises(urllib.error.URLError):
            get(url)

    assert (process.returncode, rest, complaint) == (130, "Stopped.\n", "")
    assert {path: path.stat().st_mtime_ns for path in EXAMPLE.rglob("*")} == before


def test_it_ends_at_once_while_a_page_is_in_the_making(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "run"))
    for path in [folder / "grades.jsonl", *folder.glob("report*")]:
        path.unlink()
    with served(folder) as (url, process):
        reader = subprocess.Popen([sys.executable, "-c", f"import urllib.request as u; u.urlopen('{url}/report.html')"])
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=30)
        reader.kill()
        reader.wait()

    assert process.returncode == 130
    assert "Traceback" not in complaint
    assert not [path for path in folder.iterdir() if path.name.startswith(("report", "grades"))]


def done(*arguments: str) -> tuple[int, str]:
    ended = subprocess.run(
        [*WHICHQUANT, "serve-report", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    return ended.returncode, ended.stderr


def test_a_port_that_another_program_holds_is_refused() -> None:
    with served(EXAMPLE) as (url, _):
        port = url.rpartition(":")[2]
        code, complaint = done(str(EXAMPLE), "--port", port)

    assert code == 3
    assert complaint.endswith(f"Port {port} is taken by another program: end it, or choose another port.\n")
    assert complaint.count("\n") == 1


def test_a_folder_without_a_run_is_wrong_input(tmp_path: Path) -> None:
    code, complaint = done(str(tmp_path))

    assert code == 2
    assert "no run lies here" in complaint
    assert complaint.count("\n") == 1

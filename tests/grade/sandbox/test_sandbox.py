"""Model-written code is run, judged by its tests alone, and can do nothing else."""

import gzip
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

import evaluator.benchmarks
from evaluator.grade.sandbox import Run, Sandbox, run_tests
from evaluator.grade.sandbox.workers import _idle

Problem = dict[str, Any]
DATA = Path(evaluator.benchmarks.__file__).parent / "data" / "humaneval.jsonl.gz"
PROBLEMS: list[Problem] = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).decode().splitlines()]
SAMPLE = PROBLEMS[::14]
ONE = "def check(candidate):\n    assert candidate() == 1\n"


def run_all(sandbox: Sandbox, problems: list[Problem], ending: str) -> list[Run]:
    def run(problem: Problem) -> Run:
        program = problem["prompt"] + (problem[ending] if ending == "canonical_solution" else ending)
        return run_tests(sandbox, program, problem["test"], problem["entry_point"], prompt=problem["prompt"])

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, problems))


def test_published_solutions_pass(sandbox: Sandbox) -> None:
    assert {run.reason for run in run_all(sandbox, SAMPLE, "canonical_solution")} == {"passed"}


def test_stubs_do_not_pass(sandbox: Sandbox) -> None:
    assert {run.outcome for run in run_all(sandbox, SAMPLE, "    pass\n")} == {"failed"}


@pytest.mark.live
def test_all_published_solutions_pass(sandbox: Sandbox) -> None:
    assert {run.reason for run in run_all(sandbox, PROBLEMS, "canonical_solution")} == {"passed"}


@pytest.mark.live
def test_no_stub_passes(sandbox: Sandbox) -> None:
    assert {run.outcome for run in run_all(sandbox, PROBLEMS, "    pass\n")} == {"failed"}


FLOOD = """
import os
def f():
    for number in range(3, 64):
        try:
            os.write(number, bytes(1 << 20))
        except OSError:
            pass
"""
NOT_PASSED = {
    "wrong": ("def f():\n    return 2", "AssertionError: assert candidate() == 1"),
    "raises": ("def f():\n    raise ValueError('first\\nlast')", "ValueError: last"),
    "does not parse": ("def f(:", "SyntaxError: invalid syntax (answer.py, line 1)"),
    "raises half a letter": ("def f():\n    raise ValueError(chr(0xD800))", "ValueError: ?"),
    "ends the test's own loop": ("def f():\n    raise StopIteration", "StopIteration"),
    "defines nothing": ("x = 1", "NameError: the answer defines no f"),
    "fails before it defines": ("import nothing_like_it\nf = nothing_like_it.f", "NameError: name 'nothing_like_it'"),
    "exit at import": ("import sys\nsys.exit(0)", "ended without a verdict (exit code 0)"),
    "exit": ("def f():\n    raise SystemExit(0)", "ended without a verdict (exit code 0)"),
    "hard exit": ("import os\ndef f():\n    os._exit(0)", "ended without a verdict (exit code 0)"),
    "prints what a verdict looks like": ("def f():\n    print('{\"token\": 1}', flush=True)", "AssertionError"),
    "own check": ("def f():\n    return 2\ndef check(f):\n    pass", "AssertionError"),
    "memory": ("def f():\n    return len(bytearray(3 << 30))", "memory"),
    "crash": ("import ctypes\ndef f():\n    ctypes.string_at(0)", "died with signal 11"),
    "kills itself": ("import os\ndef f():\n    os.kill(os.getpid(), 9)", ""),
    "kills everyone": ("import os\ndef f():\n    os.kill(-1, 9)\n    return 2", ""),
    "recursion": ("def f():\n    return f()", "RecursionError: maximum recursion depth exceeded"),
    "fork": ("import os\ndef f():\n    while True:\n        os.fork()", "PermissionError"),
    "subprocess": ("import subprocess\ndef f():\n    return subprocess.call(['/bin/true']) + 1", ""),
    "threads": (
        "import threading, time\ndef f():\n    while True: threading.Thread(target=time.sleep, args=(99,)).start()",
        "RuntimeError: can't start new thread",
    ),
    "disk": (
        "def f():\n    for n in range(99):\n        open(f'/tmp/{n}', 'wb').write(bytes(1 << 20))\n    return 1",
        "OSError: [Errno 28]",
    ),
    "writes to the root": ("def f():\n    open('/x', 'w')\n    return 1", "OSError: [Errno 30] Read-only file system"),
    "writes to shared memory": ("def f():\n    open('/dev/shm/x', 'w')\n    return 1", "OSError: [Errno 30]"),
    "namespaces": (
        "import ctypes\ndef f():\n    return ctypes.CDLL(None).unshare(0x10000000) + 1",
        "AssertionError",
    ),
    "floods its verdict": (
        FLOOD,
        "output",
    ),
}


@pytest.mark.parametrize(("program", "reason"), NOT_PASSED.values(), ids=NOT_PASSED)
def test_what_does_not_pass_says_why(sandbox: Sandbox, program: str, reason: str) -> None:
    run = run_tests(sandbox, program, ONE, "f", seconds=5)

    assert run.outcome == "failed"
    assert run.reason.startswith(reason)


def processes() -> int:
    """Count what descends from this process."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
    family, count = {os.getpid()}, 0
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
        count = len(family) - 1
    return count


def test_an_infinite_loop_ends_at_the_deadline_and_leaves_nothing(sandbox: Sandbox) -> None:
    run_tests(sandbox, "def f():\n    return 1", ONE, "f")
    before, started = processes(), time.monotonic()

    run = run_tests(sandbox, "def f():\n    while True:\n        pass", ONE, "f", seconds=1)

    assert run == Run("failed", "timeout after 1 s")
    assert time.monotonic() - started < 3
    assert processes() == before


def test_a_sandbox_that_died_while_idle_is_replaced(sandbox: Sandbox) -> None:
    run_tests(sandbox, "def f():\n    return 1", ONE, "f")
    for idle in _idle[sandbox]:
        idle._judge._process.kill()
        idle._judge._process.wait()

    assert run_tests(sandbox, "def f():\n    return 1", ONE, "f").reason == "passed"


def test_what_one_answer_leaves_the_next_does_not_see(sandbox: Sandbox) -> None:
    leaving = "import os, sys\nsys.modules['left'] = 1\ndef f():\n    open('left', 'w').close()\n    return 1"
    looking = "import os, sys\ndef f():\n    return 1 + len(os.listdir()) + ('left' in sys.modules)"

    assert run_tests(sandbox, leaving, ONE, "f").reason == "passed"
    assert run_tests(sandbox, looking, ONE, "f").reason == "passed"


def test_no_sandbox_is_left_when_this_process_has_ended(tmp_path: Path) -> None:
    program = (
        "import os\nfrom evaluator.grade.sandbox import find_sandbox, run_tests\n"
        "print(run_tests(find_sandbox(), 'def f(): return 1', 'def check(f): assert f() == 1', 'f').reason)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    before = set(Path("/proc").glob("[0-9]*"))

    ended = subprocess.run([sys.executable, "-u", "-c", program], capture_output=True, text=True, check=False)

    assert ended.stdout == "passed\n"
    deadline = time.monotonic() + 10
    while left := [pid for pid in set(Path("/proc").glob("[0-9]*")) - before if is_ours(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def is_ours(process: Path) -> bool:
    """Whether it is of a sandbox, and of none that another test worker beside this one has started."""
    with suppress(OSError):
        return b"/sandbox/" in (process / "cmdline").read_bytes() and not ancestors(process.name) & other_workers()
    return False


def parent_of(pid: str) -> str:
    return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[1]


def ancestors(pid: str) -> set[str]:
    above: set[str] = set()
    while pid not in ("0", "1"):
        pid = parent_of(pid)
        above.add(pid)
    return above


def other_workers() -> set[str]:
    """Name the processes that were started by what started this one."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if parent_of(process.name) == str(os.getppid()) and process.name != str(os.getpid()):
                found.add(process.name)
    return found


PASSED = {
    "plain": "def f():\n    return 1",
    "floods standard output": "def f():\n    for n in range(50):\n        print('x' * (1 << 20))\n    return 1",
    "failing demonstrations": "def f():\n    return 1\nassert f() == 2\nx = input()\nraise SystemExit(3)",
    "not main": "def f():\n    return 1\nif __name__ == '__main__':\n    f = None",
    "future annotations": "from __future__ import annotations\ndef f(x: Nothing = 1) -> Nobody:\n    return x",
    "module-level state": "n = 0\ndef g():\n    global n\n    n += 1\ng()\ndef f():\n    return n",
    "threads": "import threading\ndef f():\n    t = threading.Thread(target=int)\n    t.start()\n    return 1",
    "temporary file": "import tempfile\ndef f():\n    return tempfile.TemporaryFile().write(b'x')",
    "exit handlers": "import atexit, time\natexit.register(time.sleep, 99)\ndef f():\n    return 1",
    "sets in one order": "def f():\n    return int(list({'a', 'b', 'c', 'd', 'e'}) == list({'a', 'b', 'c', 'd', 'e'}))",
}


@pytest.mark.parametrize("program", PASSED.values(), ids=PASSED)
def test_only_the_tests_decide(sandbox: Sandbox, program: str) -> None:
    assert run_tests(sandbox, program, ONE, "f", seconds=5).reason == "passed"


@pytest.mark.parametrize(("returned", "outcome"), [("a + b", "passed"), ("a - b", "failed")])
def test_tests_may_be_asserts_that_call_the_function_by_name(sandbox: Sandbox, returned: str, outcome: str) -> None:
    tests = "assert add(1, 2) == 3\nassert add(b=2, a=-2) == 0"

    assert run_tests(sandbox, f"def add(a, b):\n    return {returned}", tests, "add").outcome == outcome


def test_a_set_has_the_same_order_in_every_run(sandbox: Sandbox) -> None:
    program = "def f():\n    raise ValueError(list({'a', 'b', 'c', 'd', 'e', 'f', 'g'}))"

    assert len({run_tests(sandbox, program, ONE, "f").reason for _ in range(3)}) == 1


def test_the_tests_draw_the_same_random_numbers_in_every_run(sandbox: Sandbox) -> None:
    program = "def f(x):\n    raise ValueError(x)"
    tests = "import random\ndef check(f):\n    f(random.random())\n"

    assert len({run_tests(sandbox, program, tests, "f").reason for _ in range(3)}) == 1


@pytest.mark.parametrize("where", ["temporary", "home"])
def test_files_outside_can_be_neither_read_nor_written(sandbox: Sandbox, where: str, tmp_path: Path) -> None:
    canary = (tmp_path if where == "temporary" else Path.home()) / f".whichquant-{secrets.token_hex(8)}"
    canary.write_text("canary")
    try:
        read = run_tests(sandbox, f"def f():\n    return len(open({str(canary)!r}).read()) // 6", ONE, "f")
        run_tests(sandbox, f"def f():\n    return open({str(canary)!r}, 'w').write('x')", ONE, "f")
        left = canary.read_text()
    finally:
        canary.unlink()

    assert read.outcome == "failed"
    assert left == "canary"


def test_the_right_answers_cannot_be_read(sandbox: Sandbox) -> None:
    program = f"def f():\n    return bool(open({str(DATA)!r}, 'rb').read())"

    assert run_tests(sandbox, program, ONE, "f").outcome == "failed"


def test_a_local_server_cannot_be_reached(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        program = f"import socket\ndef f():\n    socket.create_connection(('127.0.0.1', {port}), 2)\n    return 1"

        assert run_tests(sandbox, program, ONE, "f").reason.startswith("PermissionError")


def test_the_environment_is_not_seen(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "secret")
    program = "import os\ndef f():\n    return int('SECRET_KEY' in os.environ)"

    assert run_tests(sandbox, program, ONE, "f").outcome == "failed"


NOT_STARTED = {
    "no space": (("/bin/sh", "-c", "echo 'bwrap: No space left' >&2; exit 1"), "(exit code 1): bwrap: No space left"),
    "no program": (("/no/such/bwrap",), "No such file or directory: '/no/such/bwrap'"),
    "silent": (("/bin/true",), "did not start (exit code 0)"),
    "killed": (("/bin/sh", "-c", "kill -9 $$"), "did not start (exit code -9)"),
}


@pytest.mark.parametrize(("command", "ending"), NOT_STARTED.values(), ids=NOT_STARTED)
def test_a_sandbox_that_does_not_start_gives_no_verdict(
    sandbox: Sandbox, command: tuple[str, ...], ending: str
) -> None:
    run = run_tests(msgspec.structs.replace(sandbox, command=command), "def f():\n    return 1", ONE, "f")

    assert run.outcome == "no_verdict"
    assert run.reason.endswith(ending)


def test_a_start_that_takes_too_long_gives_no_verdict(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluator.grade.sandbox.worker.START_SECONDS", 0.5)
    slow = msgspec.structs.replace(sandbox, command=("/bin/sh", "-c", "sleep 60"))

    assert run_tests(slow, "def f():\n    return 1", ONE, "f") == Run(
        "no_verdict", "the sandbox did not start within 0.5 s"
    )


def test_a_slow_start_is_not_charged_to_the_answer(sandbox: Sandbox) -> None:
    slow = msgspec.structs.replace(sandbox, command=("/bin/sh", "-c", 'sleep 2; exec "$@"', "slow", *sandbox.command))

    assert run_tests(slow, "def f():\n    return 1", ONE, "f", seconds=1.5).reason == "passed"

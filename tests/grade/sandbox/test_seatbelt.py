"""The macOS tier: its text, its command, and everything but sandbox-exec itself run for real."""

import itertools
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from evaluator.grade import sandbox as sandbox_package
from evaluator.grade.sandbox import NoSandbox, Run, Sandbox, run_tests
from evaluator.grade.sandbox.fresh import kill_when_over, resident_bytes
from evaluator.grade.sandbox.seatbelt import PROFILE, build_seatbelt, confined
from evaluator.grade.sandbox.workers import close_workers

ONE = "def check(candidate):\n    assert candidate() == 1\n"
HERE = Path(sandbox_package.__file__).parent
# As macOS's own profiles and those of Chromium and Codex have them.
OPERATIONS = {
    *("default", "file-map-executable", "file-read*", "file-read-data", "file-read-metadata", "file-write*"),
    *("file-write-data", "mach-lookup", "mach-register", "network*", "process-exec", "process-fork", "process-info*"),
    *("signal", "sysctl-read"),
}
FILTERS = {"literal", "param", "regex", "subpath", "sysctl-name", "sysctl-name-prefix", "target"}
Expression = list["Expression | str"]


def parse(profile: str) -> Expression:
    tokens = re.findall(r'#?"[^"]*"|[()]|[^\s()"]+', re.sub(r"^;.*$", "", profile, flags=re.MULTILINE))
    stack: list[Expression] = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")":
            inner = stack.pop()
            stack[-1].append(inner)
        else:
            stack[-1].append(token)
    assert len(stack) == 1, "a bracket is open"
    return stack[0]


def rules() -> Iterator[Expression]:
    for rule in parse(PROFILE):
        assert isinstance(rule, list)
        if rule[0] in {"allow", "deny"}:
            yield rule


def test_every_bracket_is_closed_and_what_is_not_allowed_is_refused() -> None:
    first = parse(PROFILE)[:3]

    assert first == [["version", "1"], ["deny", "default"], ["import", '"system.sb"']]


def test_rules_use_known_operations_and_filters() -> None:
    operations = {part for rule in rules() for part in rule[1:] if isinstance(part, str)}
    filters = {part[0] for rule in rules() for part in rule[1:] if isinstance(part, list)}

    assert operations == OPERATIONS
    assert filters <= FILTERS


REFUSED = ["network*", "mach-lookup", "mach-register", "process-fork"]


@pytest.mark.parametrize("operation", REFUSED)
def test_what_is_refused_as_a_whole_is_not_allowed_later(operation: str) -> None:
    assert [rule for rule in rules() if operation in rule] == [["deny", operation]]


def test_only_the_scratch_directory_and_devices_can_be_written() -> None:
    allowed = [
        rule for rule in rules() if rule[0] == "allow" and {"file-write*", "file-write-data"} & set(map(str, rule))
    ]

    assert allowed == [
        ["allow", "file-write-data", ["literal", '"/dev/null"'], ["literal", '"/dev/zero"']],
        ["allow", "file-read*", "file-write*", ["subpath", ["param", '"SCRATCH"']]],
    ]


def test_the_right_answers_are_out_of_reach_in_a_python_that_whichquant_is_installed_in() -> None:
    about = [rule for rule in rules() if any(name in str(rule) for name in ('"LIBRARY"', '"PACKAGES"', '"RUNNER"'))]

    assert [rule[0] for rule in about] == ["allow", "allow", "deny", "allow"]
    assert "RUNNER" in str(about[-1])


def test_every_parameter_is_defined_as_a_real_path() -> None:
    command = confined()
    defined = dict(part.split("=", 1) for flag, part in itertools.pairwise(command) if flag == "-D")

    assert command[0] == "/usr/bin/sandbox-exec"
    assert set(re.findall(r'\(param "(\w+)"\)', PROFILE)) == {*defined, "SCRATCH"}
    assert all(Path(path) == Path(path).resolve() for path in defined.values())
    assert defined["RUNNER"] == str(HERE)
    assert Path(defined["PYTHON"]).is_file()
    assert not Path(defined["PYTHON"]).is_symlink()


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local", "/opt/homebrew"])
def test_of_a_shared_place_only_the_library_is_shown(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "base_prefix", prefix)

    shown = next(part for part in confined() if part.startswith("LIBRARY="))

    assert shown.startswith(f"LIBRARY={prefix}/lib/python3.")


def program(folder: Path, text: str) -> Path:
    path = folder / "sandbox-exec"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


REFUSALS = {
    "inside a sandbox": (
        "echo 'sandbox-exec: sandbox_apply: Operation not permitted' >&2; exit 71",
        "this program runs inside a sandbox itself",
        "terminal",
    ),
    "a profile it does not read": (
        "echo 'sandbox-exec: <input string>:1:0: error' >&2; exit 65",
        "sandbox-exec does not work here (sandbox-exec: <input string>:1:0: error)",
        "report",
    ),
    "silent": ("exit 3", "sandbox-exec does not work here (exit code 3)", "report"),
}


@pytest.mark.parametrize(("script", "reason", "install"), REFUSALS.values(), ids=REFUSALS)
def test_where_it_cannot_confine_it_is_not_used(script: str, reason: str, install: str, tmp_path: Path) -> None:
    result = build_seatbelt(program(tmp_path, script))

    assert isinstance(result, NoSandbox)
    assert reason in result.reason
    assert install in result.install


def test_a_missing_sandbox_exec_is_told(tmp_path: Path) -> None:
    result = build_seatbelt(tmp_path / "none")

    assert isinstance(result, NoSandbox)
    assert "cannot be started" in result.reason


def test_temporary_files_among_the_users_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluator.grade.sandbox.seatbelt._HOMES", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    result = build_seatbelt(program(tmp_path, "exit 0"))

    assert isinstance(result, NoSandbox)
    assert "TMPDIR" in result.install


LETS_ALL = """
while :; do case $1 in
  -D) echo "$2" >>"$0.defined"; shift 2;;
  -p) shift 2;;
  *) break;;
esac; done
exec "$@"
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """Everything of the tier but what it confines with; on Linux the answer's process then confines itself."""
    built = build_seatbelt(program(tmp_path, LETS_ALL))
    assert isinstance(built, Sandbox)
    yield msgspec.structs.replace(built, readable=("/usr", "/lib", "/lib64", sys.base_prefix))
    close_workers()


ENDS = {
    "right": ("def f():\n    return 1", "passed"),
    "wrong": ("def f():\n    return 2", "AssertionError: assert candidate() == 1"),
    "exit": ("import os\ndef f():\n    os._exit(0)", "ended without a verdict (exit code 0)"),
    "killed": ("import os\ndef f():\n    os.kill(os.getpid(), 9)", "died with signal 9"),
    "endless": ("def f():\n    while True: pass", "timeout after 2 s"),
    "asleep": ("import time\ndef f():\n    time.sleep(99)", "timeout after 2 s"),
}


@pytest.mark.parametrize(("answer", "reason"), ENDS.values(), ids=ENDS)
def test_an_answer_runs_in_a_fresh_process(sandbox: Sandbox, answer: str, reason: str) -> None:
    assert run_tests(sandbox, answer, ONE, "f", seconds=2).reason == reason


def test_each_answer_gets_a_scratch_directory_of_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = "import os\ndef f():\n    open('left', 'x')\n    return len(os.listdir('.'))"
    reasons = [run_tests(sandbox, answer, ONE, "f").reason for _ in range(2)]

    lines = (tmp_path / "sandbox-exec.defined").read_text().splitlines()
    scratches = [line for line in lines if line.startswith("SCRATCH=")]
    assert reasons == ["passed", "passed"]
    assert len(set(scratches)) == 2
    assert not any(Path(scratch.removeprefix("SCRATCH=")).exists() for scratch in scratches)


def test_what_confines_and_fails_is_no_verdict_on_the_answer(sandbox: Sandbox, tmp_path: Path) -> None:
    program(tmp_path, "echo 'sandbox-exec: no such profile' >&2; exit 65")

    run = run_tests(sandbox, "def f():\n    return 1", ONE, "f")

    assert run == Run("no_verdict", "the sandbox did not start: sandbox-exec: no such profile")


def test_an_answer_that_takes_too_much_memory_is_killed_for_it(sandbox: Sandbox, tmp_path: Path) -> None:
    low = tmp_path / "low.py"
    low.write_text(
        f"import sys\nsys.path.insert(0, {str(HERE)!r})\nimport fresh\nfresh.MEMORY_BYTES = 150 << 20\n"
        "*command, control, _ = sys.argv[1:]\n"
        "fresh.forks.serve(int(control), lambda files: fresh.work(files, command), 0)\n"
    )
    command = tuple(str(low) if part.endswith("/fresh.py") else part for part in sandbox.command)
    answer = "import time\nkept = []\ndef f():\n    kept.append(b'x' * (400 << 20))\n    time.sleep(60)\n    return 1"

    run = run_tests(msgspec.structs.replace(sandbox, command=command), answer, ONE, "f", seconds=20)

    assert run == Run("failed", "memory")


HOLDER = "import sys\nkept = b'x' * (int(sys.argv[1]) << 20)\nprint('there', flush=True)\nsys.stdin.read()"


@pytest.mark.parametrize(("megabytes", "killed"), [(200, True), (1, False)])
def test_memory_is_watched_from_outside(megabytes: int, killed: bool) -> None:
    command = [sys.executable, "-S", "-c", HOLDER, str(megabytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        held = resident_bytes(holder.pid)
        until = time.monotonic() + 1
        over = kill_when_over(holder.pid, 100 << 20, lambda: time.monotonic() < until)
        holder.communicate()

    assert over is killed
    assert held >> 20 >= megabytes
    assert holder.returncode == (-9 if killed else 0)


def test_a_process_that_is_gone_holds_no_memory() -> None:
    with subprocess.Popen(["/bin/true"]) as ended:
        ended.wait()

    assert resident_bytes(ended.pid) == 0

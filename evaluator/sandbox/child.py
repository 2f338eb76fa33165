"""Run one answer against its tests, inside the sandbox. Started by file name; imports nothing of this package.

Reads one JSON message from standard input: `program`, `tests`, `entry_point`, `token`, `verdict_fd`, and the limits
`memory_bytes`, `cpu_seconds`, `file_bytes`, `open_files`, `processes` (null: not limited). Writes two lines to
`verdict_fd`: `started` before any of the answer's code runs (what goes wrong before is the sandbox's fault and not the
answer's), then, as JSON, the token once `check` has returned, or the error. Exit code and standard output are no
evidence.

A program that digs through the interpreter's frames or memory finds the token and can forge the verdict; to rule that
out the judge has to move out of this process.
"""

import __future__

import json
import os
import random
import resource
import sys
from types import CodeType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_ONLY_AST = 0x0400  # ast.PyCF_ONLY_AST; importing ast would cost a tenth of the start-up time
_LONGEST_REASON = 300


def main() -> None:
    """Limit this process, define the answer's functions, run the tests, report."""
    message = json.load(sys.stdin)
    _limit(message)  # while its complaints can still be heard
    _silence()
    verdict_fd, token, tests = message["verdict_fd"], message["token"], message["tests"]

    def report_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        _write(verdict_fd, {"error": "memory" if kind is MemoryError else _describe(kind, error, trace, tests)})
        os._exit(1)  # do not wait for threads of the answer

    os.write(verdict_fd, b"started\n")
    sys.excepthook = report_error
    scope: dict[str, Any] = {"__name__": "answer", "__builtins__": __builtins__}
    _define(message["program"], message["entry_point"], scope)
    exec(compile(tests, "tests.py", "exec", dont_inherit=True), scope)  # noqa: S102 - this is what the sandbox is for
    random.seed(0)  # the tests of HumanEval/38, /50 and /53 draw their inputs from it
    scope["check"](scope[message["entry_point"]])
    _write(verdict_fd, {"token": token})
    os._exit(0)  # no exit handlers of the answer


def _silence() -> None:
    """Give the answer no input, and let its output lead nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the old one remembers what it has read


def _limit(message: "dict[str, Any]") -> None:
    for limit, amount in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, message["memory_bytes"]),
        (resource.RLIMIT_CPU, message["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, message["file_bytes"]),
        (resource.RLIMIT_NOFILE, message["open_files"]),
        (resource.RLIMIT_NPROC, message["processes"]),
    ):
        if amount is not None:
            resource.setrlimit(limit, (amount, amount))


def _define(program: str, entry_point: str, scope: "dict[str, Any]") -> None:
    """Execute the program statement by statement.

    A demonstration that fails (an assert with a wrong expectation, `input()`, `sys.exit()`) does not take the
    function with it; whether the function is right is for the tests to say.
    """
    tree: Any = compile(program, "answer.py", "exec", _ONLY_AST, dont_inherit=True)
    whole = compile(tree, "answer.py", "exec", dont_inherit=True)  # what Python refuses as a whole is not run in part
    flags = whole.co_flags & __future__.annotations.compiler_flag
    statements, failed = tree.body, None
    for statement in statements:
        tree.body = [statement]
        failed = _execute(compile(tree, "answer.py", "exec", flags, dont_inherit=True), scope) or failed
    if entry_point not in scope:
        raise failed or NameError(f"the answer defines no {entry_point}")


def _execute(code: CodeType, scope: "dict[str, Any]") -> BaseException | None:
    try:
        exec(code, scope)  # noqa: S102 - this is what the sandbox is for
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the answer may raise anything
        return error
    return None


def _describe(kind: type[BaseException], error: BaseException, trace: TracebackType | None, tests: str) -> str:
    """Give the error's last line; of an assert without words, the line of the tests that failed."""
    lines = str(error).strip().splitlines()
    failed = ""
    while trace:
        if trace.tb_frame.f_code.co_filename == "tests.py":
            failed = tests.split("\n")[trace.tb_lineno - 1].strip()
        trace = trace.tb_next
    return f"{kind.__name__}: {lines[-1] if lines else failed}"[:_LONGEST_REASON]


def _write(verdict_fd: int, verdict: dict[str, str]) -> None:
    os.write(verdict_fd, json.dumps(verdict).encode() + b"\n")


if __name__ == "__main__":
    main()

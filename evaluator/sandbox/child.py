"""Run one answer inside the sandbox: define its functions, and call one of them as often as the judge asks.

Started by file name; of this package it imports values.py only, which lies beside it. Reads one JSON message from
standard input: `program`, `entry_point`, `started_fd`, `calls_fd`, `results_fd`, and the limits `memory_bytes`,
`cpu_seconds`, `file_bytes`, `open_files`, `processes` (null: not limited). Writes `started` to `started_fd` before any
of the answer's code runs: what goes wrong before is the sandbox's fault and not the answer's. Then reads from
`calls_fd` a line of arguments for each call, and writes to `results_fd` a line for each result: `v` and the value, or
`e` and what was raised; the first is for the program itself.

Neither the tests nor an expected value is ever in this process. Exit code and output are no evidence.
"""

import __future__

import json
import os
import resource
import sys
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from evaluator.sandbox import values
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib takes 10 ms
    import values

    del sys.path[0]

_ONLY_AST = 0x0400  # ast.PyCF_ONLY_AST; importing ast would cost a tenth of the start-up time
_LONGEST_MESSAGE = 300


def main() -> None:
    """Limit this process, define the answer's functions, answer the judge's calls."""
    message = json.load(sys.stdin)
    _limit(message)  # while its complaints can still be heard
    _silence()
    os.write(message["started_fd"], b"started\n")
    os.close(message["started_fd"])
    try:
        _serve(message)
    except SystemExit as error:
        os._exit(error.code if isinstance(error.code, int) else bool(error.code))  # waits for no thread of the answer
    os._exit(0)  # no exit handlers of the answer


def _serve(message: "dict[str, Any]") -> None:
    results_fd = message["results_fd"]
    scope: dict[str, Any] = {"__name__": "answer", "__builtins__": __builtins__}
    try:
        _define(message["program"], message["entry_point"], scope)
    except Exception as error:  # noqa: BLE001 - the answer may raise anything
        _write(results_fd, b"e" + _raised(error))
        return
    _write(results_fd, b"v" + values.dump(None))
    with open(message["calls_fd"], "rb") as calls:  # noqa: PTH123 - a descriptor
        for line in calls:
            _write(results_fd, _call(scope[message["entry_point"]], line))


def _call(function: "Any", line: bytes) -> bytes:
    try:
        args, named = values.load(line)
        return b"v" + values.dump(function(*args, **named))
    except values.RefusedError as error:
        return b"e" + values.dump(["output", f"{error}"])
    except Exception as error:  # noqa: BLE001 - the answer may raise anything
        return b"e" + _raised(error)


def _raised(error: BaseException) -> bytes:
    if isinstance(error, MemoryError):
        return values.dump(["MemoryError", ""])
    lines = str(error).strip().splitlines()
    return values.dump([type(error).__name__, (lines or [""])[-1][:_LONGEST_MESSAGE]])


def _write(results_fd: int, line: bytes) -> None:
    view = memoryview(line)
    while view:
        view = view[os.write(results_fd, view) :]


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


if __name__ == "__main__":
    main()

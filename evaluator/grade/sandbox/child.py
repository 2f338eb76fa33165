"""Run answers inside the sandbox, each in a process of its own: define its functions, and call one as the judge asks.

Started by file name; what it imports of this package lies beside it. A job's files are its message, and the ends of
three pipes. The message is JSON: `program`, `entry_point`; `scratch`, a directory that the answer may write to, and
`scratch_bytes`, which an empty one is mounted there with (null: it is used as it is); `readable`, the paths that it may
read; `seccomp`, the system call filter in hexadecimal (null: none); and the limits `memory_bytes`, `cpu_seconds`,
`file_bytes`, `open_files`, `processes` (null: not limited).

Into the first pipe goes `started` before any of the answer's code runs, or what went wrong: that is the sandbox's fault
and not the answer's. From the second comes a line of arguments for each call, and into the third goes a line for each
result: `v` and the value, or `e` and what was raised; the first is for the program itself.

Neither the tests nor an expected value is ever in this process. Exit code and output are no evidence.
"""

import __future__

import json
import os
import resource
import sys
import tempfile
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from evaluator.grade.sandbox import confine, forks, values
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib takes 10 ms
    import confine
    import forks
    import values

    del sys.path[0]

_ONLY_AST = 0x0400  # ast.PyCF_ONLY_AST; importing ast would cost a tenth of the start-up time
_LONGEST_MESSAGE = 300
_PRELOADED = (
    *("bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools"),
    *("hashlib", "heapq", "itertools", "math", "operator", "random", "re", "statistics", "string"),
    *("threading", "typing"),
)
"""What answers import: once for all, which takes longer than all else."""


def work(files: list[int]) -> None:
    """Confine this process, define the answer's functions, answer the judge's calls."""
    message_fd, started_fd, calls_fd, results_fd = files
    with open(message_fd, encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        message = json.load(stream)
    try:
        _confine(message)
        _limit(message)
    except (OSError, ValueError) as error:
        os.write(started_fd, f"{error}\n".encode())
        return
    os.write(started_fd, b"started\n")
    os.close(started_fd)
    scope: dict[str, Any] = {"__name__": "answer", "__builtins__": __builtins__}
    try:
        _define(message["program"], message["entry_point"], scope)
    except Exception as error:  # noqa: BLE001 - the answer may raise anything
        forks.write_all(results_fd, b"e" + _raised(error))
        return
    forks.write_all(results_fd, b"v" + values.dump(None))
    with open(calls_fd, "rb") as calls:  # noqa: PTH123 - a descriptor
        for line in calls:
            forks.write_all(results_fd, _call(scope[message["entry_point"]], line))


def _confine(message: "dict[str, Any]") -> None:
    scratch = message["scratch"]
    os.setsid()
    if message["scratch_bytes"] is not None:
        confine.mount_empty(scratch, message["scratch_bytes"])
    os.chdir(scratch)
    tempfile.tempdir = scratch
    if sys.platform != "linux":
        return  # it was confined before it started
    confine.drop_capabilities()
    confine.give_up_privileges()
    confine.restrict_files(message["readable"], scratch)
    if message["seccomp"] is not None:
        confine.filter_calls(bytes.fromhex(message["seccomp"]))


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


def main() -> None:
    """Import what answers import, and do jobs from the socket whose number is the first argument.

    The second argument says whether each job gets namespaces of its own.
    """
    for name in _PRELOADED:
        __import__(name)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # no input, and output leads nowhere
        os.dup2(null, standard)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the old one remembers what it has read
    forks.serve(int(sys.argv[1]), work, confine.NEW_NAMESPACES if sys.argv[2] == "namespaces" else 0)


if __name__ == "__main__":
    main()

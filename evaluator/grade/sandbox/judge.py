"""Judge answers from outside the sandbox, each in a process of its own: run the tests, whose candidate calls into it.

Started by file name. A process of its own can be killed: values that a hostile answer gives back may be slow to
compare. A job's files are its message, and the ends of three pipes: for the verdict, for calls and for their results.
The message is JSON: `prompt` (for its helpers, which tests may call), `tests`, `entry_point`, `memory_bytes`,
`cpu_seconds`. The verdict is one line of JSON: `passed`, or `error`, or `gone` where the answer's process ended before
it had answered.
"""

import builtins
import json
import os
import random
import resource
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

if TYPE_CHECKING:
    from types import TracebackType

    from evaluator.grade.sandbox import forks, values
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib takes 10 ms
    import forks
    import values

    del sys.path[0]

_LONGEST_REASON = 300


class _AnswerEndedError(BaseException):
    """The answer's process has ended; no test may catch this."""


class _OutputError(BaseException):
    """The answer gave back what is no value, or too large a one."""


class _Candidate:
    """What the tests call."""

    def __init__(self, calls_fd: int, results: BinaryIO) -> None:
        self._calls_fd = calls_fd
        self._results = results

    def __call__(self, *args: Any, **named: Any) -> Any:
        try:
            line = values.dump([list(args), named])
        except values.RefusedError as error:
            raise RuntimeError(f"the tests call with a value that is {error}") from None
        try:
            forks.write_all(self._calls_fd, line)
        except OSError:
            raise _AnswerEndedError from None
        return self.result()

    def result(self) -> Any:
        """Wait for a call's result; the first one reports that the function is defined."""
        line = self._results.readline(values.LONGEST + 2)
        if not line:
            raise _AnswerEndedError
        try:
            value = values.load(line[1:]) if line.endswith(b"\n") else None
        except values.RefusedError as error:
            raise _OutputError(str(error)) from None
        if line[:1] == b"v":
            return value
        if line[:1] != b"e" or not isinstance(value, list) or [type(part) for part in value] != [str, str]:
            raise _OutputError("no value")
        return _raise(*value)


def work(files: list[int]) -> None:
    """Limit this process, run the tests, report."""
    message_fd, verdict_fd, calls_fd, results_fd = files
    with open(message_fd, encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        message = json.load(stream)
    for limit, amount in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, message["memory_bytes"]),
        (resource.RLIMIT_CPU, message["cpu_seconds"]),
    ):
        if sys.platform == "linux" or limit != resource.RLIMIT_AS:  # macOS refuses to limit it
            resource.setrlimit(limit, (amount, amount))
    try:
        _check(message, calls_fd, results_fd)
        verdict: dict[str, Any] = {"passed": True}
    except _AnswerEndedError:
        verdict = {"gone": True}
    except _OutputError as error:
        verdict = {"error": f"output: {error}"}
    except MemoryError:
        verdict = {"error": "memory"}
    except BaseException as error:  # noqa: BLE001 - the tests may raise anything
        verdict = {"error": _describe(error, message["tests"])}
    # Half of a surrogate pair, which an answer may raise, cannot be encoded.
    line = json.dumps(verdict, ensure_ascii=False).encode(errors="replace")
    os.write(verdict_fd, line + b"\n")


def _check(message: dict[str, Any], calls_fd: int, results_fd: int) -> None:
    with open(results_fd, "rb") as results:
        candidate = _Candidate(calls_fd, results)
        candidate.result()
        scope: dict[str, Any] = {"__name__": "tests"}
        exec(compile(message["prompt"], "prompt.py", "exec", dont_inherit=True), scope)  # noqa: S102 - the benchmark's
        scope[message["entry_point"]] = candidate
        random.seed(0)  # the tests of HumanEval/38, /50 and /53 draw their inputs from it
        exec(compile(message["tests"], "tests.py", "exec", dont_inherit=True), scope)  # noqa: S102 - the benchmark's
        if "check" in scope:
            scope["check"](candidate)


def _raise(name: str, message: str) -> NoReturn:
    """Raise here what the answer raised there: the builtin exception of that name, else one of its own."""
    if name == "output":
        raise _OutputError(message)
    kind = None if name.startswith("Stop") else getattr(builtins, name, None)  # StopIteration would end a test's map
    if not (isinstance(kind, type) and issubclass(kind, Exception)) or issubclass(kind, BaseExceptionGroup):
        kind = Exception
    # Some of the builtin ones cannot be made from a message alone.
    methods = {"__init__": lambda _: None, "__str__": lambda _: message}
    raise type(name if name.isidentifier() else "Error", (kind,), methods)


def _describe(error: BaseException, tests: str) -> str:
    """Return the error's last line; for an assert without a message, the line of the tests that failed."""
    lines = str(error).strip().splitlines()
    failed = ""
    trace: TracebackType | None = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "tests.py":
            failed = tests.split("\n")[trace.tb_lineno - 1].strip()
        trace = trace.tb_next
    return f"{type(error).__name__}: {lines[-1] if lines else failed}"[:_LONGEST_REASON]


if __name__ == "__main__":
    forks.serve(int(sys.argv[1]), work, 0)

"""Run answers in sandboxes that stay up between them."""

import atexit
from collections import defaultdict
from threading import Lock

from evaluator.sandbox.sandbox import SECONDS, Run, Sandbox
from evaluator.sandbox.worker import LostError, StoppedError, Worker

_idle: dict[Sandbox, list[Worker]] = defaultdict(list)
_lock = Lock()


def run_tests(
    sandbox: Sandbox,
    program: str,
    tests: str,
    entry_point: str,
    *,
    prompt: str = "",
    seconds: float = SECONDS,
    stop: int | None = None,
) -> Run:
    """Run a program's function against its tests, which stay outside of the sandbox.

    May be called from several threads at once: each call has a sandbox and a judge to itself, which serve the next one
    after it.

    Args:
        sandbox: from `find_sandbox`.
        program: the complete program that defines `entry_point`; executed with another `__name__` than `__main__`.
        tests: Python that raises where the answer is wrong: `check(candidate)` as HumanEval has it, or statements that
            call the function by its name, such as MBPP's asserts.
        entry_point: the function's name.
        prompt: what was published with the tests, if they use what it defines.
        seconds: wall clock time for the answer and its tests; the sandbox's start has a limit of its own.
        stop: the reading end of a pipe; when its other end is closed, the run ends without a verdict.
    """
    answer = {"program": program, "entry_point": entry_point}
    judging = {"prompt": prompt, "tests": tests, "entry_point": entry_point}
    with _lock:
        worker = _idle[sandbox].pop() if _idle[sandbox] else None
    try:
        worker = worker or Worker(sandbox)
        run = worker.run(answer, judging, seconds, stop)
    except StoppedError:
        run = Run("no_verdict", "it was stopped")
    except LostError as error:
        run = Run("no_verdict", f"the sandbox did not start {error}")
    except OSError as error:  # no process, pipe or file to be had
        run = Run("no_verdict", f"the sandbox could not be started: {error}")
    else:
        with _lock:
            _idle[sandbox].append(worker)
        return run
    if worker:
        worker.close()
    return run


def close_workers() -> None:
    """End the sandboxes that are idle; those at work end with this process."""
    with _lock:
        workers = [worker for idle in _idle.values() for worker in idle]
        _idle.clear()
    for worker in workers:
        worker.close()


atexit.register(close_workers)

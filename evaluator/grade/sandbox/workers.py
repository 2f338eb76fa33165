"""Run answers in sandboxes that stay up between them."""

import atexit
from collections import defaultdict
from threading import Lock

from evaluator.grade.sandbox.sandbox import SECONDS, Run, Sandbox
from evaluator.grade.sandbox.worker import LostError, StoppedError, Worker

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

    Returns:
        The outcome and its reason. Raises nothing: where the sandbox fails, the outcome is `no_verdict`.
    """
    answer = {"program": program, "entry_point": entry_point}
    judging = {"prompt": prompt, "tests": tests, "entry_point": entry_point}
    lost = ""
    for is_second in (False, True):
        with _lock:
            idle = _idle[sandbox].pop() if _idle[sandbox] and not is_second else None
        try:
            return _run(idle or Worker(sandbox), (answer, judging), seconds, stop)
        except StoppedError:
            return Run("no_verdict", "it was stopped")
        except LostError as error:
            lost = f"the sandbox did not start {error}"
        except OSError as error:  # no process, pipe or file to be had
            lost = f"the sandbox could not be started: {error}"
        if idle is None:  # one that was idle may have died since, which says nothing about the answer
            break
    return Run("no_verdict", lost)


def _run(worker: Worker, job: tuple[dict[str, str], dict[str, str]], seconds: float, stop: int | None) -> Run:
    """Run an answer, and keep the worker for the next one if it is still good for that."""
    is_usable = False
    try:
        run = worker.run(*job, seconds, stop)
        is_usable = worker.is_usable
        return run
    finally:
        if is_usable:
            with _lock:
                _idle[worker.sandbox].append(worker)
        else:
            worker.close()


def close_workers() -> None:
    """End the idle sandboxes; busy ones end with this process."""
    with _lock:
        workers = [worker for idle in _idle.values() for worker in idle]
        _idle.clear()
    for worker in workers:
        worker.close()


atexit.register(close_workers)

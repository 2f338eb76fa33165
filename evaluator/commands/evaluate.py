"""`whichquant eval`: evaluate one server that runs already, without a study file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from evaluator.commands.outcome import watched
from evaluator.endpoint import evaluate
from evaluator.errors import StudyError

_OPTIONS = {
    "study": "--name",
    "variants[0].base_url": "--base-url",
    "benchmarks": "--mmlu-pro, --humaneval and --gsm8k",
    "benchmarks.mmlu_pro.questions": "--mmlu-pro",
    "benchmarks.mmlu_pro.shots": "--shots",
    "benchmarks.humaneval.questions": "--humaneval",
    "benchmarks.gsm8k.questions": "--gsm8k",
    "sampling.max_tokens": "--max-tokens",
    "sampling.temperature": "--temperature",
    "concurrency": "--concurrency",
}
"""Which option sets a study's key."""


def evaluate_server(base_url: str, console: Console, *, runs: Path, settings: Mapping[str, Any]) -> int:
    """Evaluate a running server and show its report; give the exit code.

    Args:
        base_url: Where it answers, up to and including `/v1`.
        console: Where it is shown.
        runs: Folder in which each run has its own.
        settings: Further arguments of `evaluate`.

    Raises:
        StudyError: An option is impossible; it names the option.
    """
    try:
        return watched(lambda on_event: evaluate(base_url, runs=runs, on_event=on_event, **settings), runs, console)
    except StudyError as error:
        raise _about_option(error) from None


def _about_option(error: StudyError) -> StudyError:
    """Name the option in place of the study's key: the user has written no study file."""
    if error.key is None:
        return error
    option = _OPTIONS.get(error.key, error.key)
    if error.key == "benchmarks":
        return StudyError("all 0, so nothing is asked", source=option)
    return StudyError(error.problem, source=option, remedy=error.remedy)

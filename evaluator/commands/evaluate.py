"""`whichquant eval`: evaluate one server that runs already, without a study file."""

from collections.abc import Mapping
from typing import Any, Literal

from rich.console import Console

from evaluator.benchmarks import BENCHMARKS
from evaluator.commands.margin import read_margin
from evaluator.commands.outcome import Output, watched
from evaluator.decide.wording import listed
from evaluator.endpoint import evaluate
from evaluator.errors import StudyError
from servers.spec import Sampling

_SAMPLING = Sampling.__struct_fields__
_OPTIONS = {
    "study": "--name",
    "variants[0].base_url": "--base-url",
    "benchmarks": "--mmlu-pro, --humaneval and --gsm8k",
    "benchmarks.mmlu_pro.shots": "--shots",
    "concurrency": "--concurrency",
    **{f"benchmarks.{name}.questions": f"--{name.replace('_', '-')}" for name in BENCHMARKS},
    **{f"benchmarks.{name}.{key}": f"--{key}" for name in BENCHMARKS for key in ("repeats", "margin")},
    **{f"sampling.{key}": f"--{key.replace('_', '-')}" for key in _SAMPLING},
}
"""Which option sets a study's key."""


def evaluate_server(options: Mapping[str, Any], console: Console) -> int:
    """Evaluate a running server and show its report; give the exit code.

    Args:
        options: Those of the command, by name.
        console: Where it is shown.

    Raises:
        StudyError: An option is impossible; it names the option.
    """
    thinking = None if options["thinking"] is None else options["thinking"] == "on"
    settings = {
        **{key: options[key] for key in ("model", "api_key_env", "name", "runs", "force")},
        "concurrency": _concurrency(options["concurrency"]),
        "thinking": thinking,
        "benchmarks": _benchmarks(options),
        "sampling": {key: options[key] for key in _SAMPLING if options[key] is not None},
        "check": not options["no_check"],
    }
    try:
        return watched(
            lambda on_event: evaluate(options["base_url"], on_event=on_event, **settings),
            options["runs"],
            console,
            Output(options["quiet"], options["json_log"]),
        )
    except StudyError as error:
        raise _about_option(error) from None


def _benchmarks(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Make a study's keys of the options."""
    margins = dict(map(read_margin, options["margins"]))
    if unknown := [name for name in margins if name not in ("", *BENCHMARKS)]:
        raise StudyError(f"there is no benchmark {unknown[0]}", source="--margin", remedy=f"use {listed(BENCHMARKS)}")
    benchmarks: dict[str, dict[str, Any]] = {}
    for name in BENCHMARKS:
        if questions := _count(name, options[name]):
            benchmarks[name] = {"questions": questions, "repeats": options["repeats"]}
            if (margin := margins.get(name, margins.get(""))) is not None:
                benchmarks[name]["margin"] = margin
    if "mmlu_pro" in benchmarks:
        benchmarks["mmlu_pro"]["shots"] = options["shots"]
    return benchmarks


def _concurrency(text: str) -> int | Literal["auto"]:
    if text.strip().lower() == "auto":
        return "auto"
    try:
        return int(text)
    except ValueError:
        raise StudyError(
            f"{text!r:.40} is no number of questions", source="--concurrency", remedy="give a number, or auto"
        ) from None


def _count(name: str, text: str) -> int | str:
    if text.strip().lower() == "all":
        return "all"
    try:
        return int(text)
    except ValueError:
        option = _OPTIONS[f"benchmarks.{name}.questions"]
        raise StudyError(
            f"{text!r:.40} is no number of questions", source=option, remedy="give a number, or all"
        ) from None


def _about_option(error: StudyError) -> StudyError:
    """Name the option in place of the study's key: the user has written no study file."""
    if error.key is None:
        return error
    option = _OPTIONS.get(error.key, error.key)
    if error.key == "benchmarks":
        return StudyError("all 0, so nothing is asked", source=option)
    return StudyError(error.problem, source=option, remedy=error.remedy)

"""TODO: evaluator/commands/plan.py."""

from math import isfinite
from pathlib import Path

import msgspec
from rich.console import Console

from evaluator.analyse.pilot import read_pilot
from evaluator.decide.power import plan_study
from evaluator.report import power as words
from evaluator.study.file import read
from evaluator.study.study import StudyError


def show_plan(
    path: Path,
    runs: Path,
    *,
    tokens_per_second: float | None,
    tokens_per_answer: float | None,
    as_json: bool,
    console: Console,
) -> int:
    """Print what the study at `path` can show and how long it takes; nothing is started and nothing is fetched.

    Raises:
        StudyError: the study, a given figure, or a file of its run is wrong.
    """
    study, _ = read(path)
    limit = study.sampling.max_tokens
    for option, value in (("--tokens-per-second", tokens_per_second), ("--tokens-per-answer", tokens_per_answer)):
        if value is not None and not (isfinite(value) and value > 0):
            raise StudyError(f"{option}: a number above 0 is needed, and {value:g} is not")
    if tokens_per_answer is not None and tokens_per_answer > limit:
        told = f"{tokens_per_answer:g} is more than the study lets an answer have (sampling.max_tokens: {limit})"
        raise StudyError(f"--tokens-per-answer: {told}: give what an answer takes on average")
    past = read_pilot(study, runs / study.study)
    plan = plan_study(study, past, tokens_per_second=tokens_per_second, tokens_per_answer=tokens_per_answer)
    if as_json:
        console.file.write(msgspec.json.format(msgspec.json.encode(plan), indent=2).decode() + "\n")
    else:
        words.show(plan, console)
    return 0

"""What a study can show and how long it takes, before anything is asked."""

from math import isfinite
from pathlib import Path

from msgspec.structs import replace

from evaluator.analyse.pilot import read_pilot
from evaluator.decide import power
from evaluator.errors import StudyError
from evaluator.preflight.reuse import foreseen
from evaluator.report.power import sentences
from evaluator.study.file import StudySource, load_study
from evaluator.study.study import Study


def plan_study(
    study: StudySource,
    *,
    runs: str | Path = "runs",
    tokens_per_second: float | None = None,
    tokens_per_answer: float | None = None,
) -> power.StudyPlan:
    """Say what a study can show and how long it takes; nothing is started and nothing is fetched.

    Args:
        study: The study, the mapping that its YAML would be, or the path of its YAML file.
        runs: Folder in which each run has a folder of its own; speed and rate of disagreement are taken from this
            study's run, if there is one.
        tokens_per_second: Completion tokens per second of one variant over all concurrent requests; None takes what
            was measured.
        tokens_per_answer: Average completion tokens of an answer, thinking included; None takes what was measured.

    Returns:
        For each benchmark what can be detected and called equivalent, as proportions between 0 and 1, and the time
        that asking takes, in seconds.

    Raises:
        StudyError: The study, one of the figures, or a file of its run is wrong.
    """
    loaded = load_study(study)
    _check_figures(loaded.study, tokens_per_second, tokens_per_answer)
    pilot = read_pilot(loaded.study, Path(runs) / loaded.study.study)
    study_plan = power.plan_study(
        loaded.study, pilot, tokens_per_second=tokens_per_second, tokens_per_answer=tokens_per_answer
    )
    if why := foreseen(loaded.study, Path(runs) / loaded.study.study):
        study_plan = replace(study_plan, notes=(*study_plan.notes, f"{why[0].upper()}{why[1:]}."))
    return replace(study_plan, sentences=tuple(sentences(study_plan)))


def _check_figures(study: Study, tokens_per_second: float | None, tokens_per_answer: float | None) -> None:
    for option, value in (("--tokens-per-second", tokens_per_second), ("--tokens-per-answer", tokens_per_answer)):
        if value is not None and not (isfinite(value) and value > 0):
            raise StudyError(f"a number above 0 is needed, and {value:g} is not", source=option)
    limit = study.sampling.max_tokens
    if tokens_per_answer is not None and tokens_per_answer > limit:
        problem = f"{tokens_per_answer:g} is more than the study lets an answer have (sampling.max_tokens: {limit})"
        raise StudyError(problem, source="--tokens-per-answer", remedy="give what an answer takes on average")

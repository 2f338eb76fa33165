"""A look at a run before its end: how far it is, and what may be said of it by then."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.decide.score import Score

_WHEN = {
    "fixed": "Verdicts come at the end: a test that is looked at before shows differences where there are none.",
    "sequential": "Verdicts hold whenever one looks.",
    "group_sequential": "Verdicts hold as of the last planned look.",
}
"""By mode, what is said of verdicts before the end."""


def interim(report: Report, *, going_on: bool) -> Report:
    """Return what may be shown of a report that was made before the end of its run.

    Without verdicts and a recommendation where all questions have to be asked first; what has not been asked yet is no
    finding against a variant.

    Args:
        report: Made of the records that there are.
        going_on: Whether questions are being asked now; else the run has stopped.
    """
    mode = report.plan.study.decide.mode
    looks_early = mode != "fixed"
    return replace(
        report,
        comparisons=report.comparisons if looks_early else (),
        recommendation=report.recommendation if looks_early else None,
        exploratory=None,
        saved=None,
        checks=tuple(check for check in report.checks if check.code != "no_reply"),
        unfinished=(
            f"{'Still running' if going_on else 'Stopped before its end'}: {_answers(report.scores)} so far.",
            *_by_variant(report.scores),
            _WHEN[mode],
            *(() if going_on else ("whichquant run, with its study, goes on where it stopped.",)),
        ),
    )


def _answers(scores: Sequence[Score]) -> str:
    asked, planned = (sum(counts) for counts in zip(*map(_counts, scores), strict=True))
    return f"{asked:,} of {planned:,} answers"


def _by_variant(scores: Sequence[Score]) -> Iterator[str]:
    names = dict.fromkeys(score.variant for score in scores)
    if len(names) > 1:
        each = (f"{name} {_answers([score for score in scores if score.variant == name])}" for name in names)
        yield f"{', '.join(each)}."


def _counts(score: Score) -> tuple[int, int]:
    return sum(score.outcomes.values()), score.planned

"""How long questions take, from the speed that was measured."""

from collections.abc import Iterable
from typing import Protocol


class Pace(Protocol):
    """How fast a variant answered; `evaluator.decide.score.Score` is one."""

    @property
    def mean_tokens(self) -> float | None:
        """Completion tokens of an answer."""

    @property
    def tokens_per_second(self) -> float | None:
        """Completion tokens per second, over all requests in flight."""


def hours(questions: int, paces: Iterable[Pace], *, repeats: int = 1, parallel: bool = False) -> float | None:
    """Estimate the hours that further questions to these variants take; None where a pace was not measured.

    Args:
        questions: To ask each of them.
        paces: Of the variants involved, on the benchmark in question: for a comparison the variant and its baseline.
        repeats: Answers to each question.
        parallel: All variants run at once, as they did when measured: the slowest decides.
    """
    seconds = [seconds_an_answer(pace) for pace in paces]
    known = [value for value in seconds if value is not None]
    if not known or len(known) < len(seconds):
        return None
    return questions * repeats * (max(known) if parallel else sum(known)) / 3600


def seconds_an_answer(pace: Pace) -> float | None:
    """Return the seconds between two finished answers, with all requests in flight; None where it was not measured."""
    if pace.mean_tokens is None or not pace.tokens_per_second:
        return None
    return pace.mean_tokens / pace.tokens_per_second

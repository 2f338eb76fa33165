"""What several rules look at: the replies of a variant, and whether they hold thoughts."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from evaluator.checks.rule import CheckInput
from evaluator.grade.thinking import split_thinking
from evaluator.records import Answer, Record

ALMOST_ALL = 0.95
"""What is called all of the replies: a model may leave out its thoughts now and then, or think unbidden."""


def answers(given: CheckInput, variant: str) -> list[Answer]:
    """Give the replies of a variant, in the order of its records; none before the run."""
    return [record.answer for record in given.records.get(variant, ()) if record.answer]


def parts(given: CheckInput) -> dict[tuple[str, str], list[Record]]:
    """Group the records by variant and benchmark."""
    found: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for variant in given.study.variants:
        for record in given.records.get(variant.name, ()):
            found[variant.name, record.key.benchmark].append(record)
    return found


def share_that_thinks(replies: Sequence[Answer]) -> float | None:
    """Give the share of replies that hold thoughts, in a field of their own or between tags; None without replies."""
    return sum(map(_thinks, replies)) / len(replies) if replies else None


def thinks(given: CheckInput, variant: str) -> float | None:
    """Give the share of a variant's replies that hold thoughts; before the run of the one that was tried."""
    share = share_that_thinks(answers(given, variant))
    if share is not None:
        return share
    proofs = given.proofs.get(variant)
    thought = proofs.thought if proofs else None
    if thought is None or (not thought.reasoned and thought.finish_reason == "length"):
        return None  # what was cut off may have been a thought that nobody marked
    return float(thought.reasoned)


def listed(words: Iterable[str]) -> str:
    """Write `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def share(part: float) -> str:
    """Write 0.123 as `12 %`, and what is under a tenth with a digit more; never 0 % of something."""
    percent = 100 * part
    return f"{percent:.0f} %" if percent >= 10 or math.isclose(percent, round(percent)) else f"{percent:.1f} %"


def _thinks(answer: Answer) -> bool:
    if answer.reasoning.strip():
        return True
    thought = split_thinking(answer.text)
    return thought.unclosed or bool(thought.reasoning.strip())

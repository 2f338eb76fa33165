"""What several rules look at: the replies of a variant, and whether they hold thoughts."""

import math
from collections import defaultdict
from collections.abc import Sequence

from evaluator.checks.rule import CheckInput
from evaluator.finish import end_of
from evaluator.grade.outline import Outline, Reply

ALMOST_ALL = 0.95
"""The share of replies that counts as all: a model may skip thinking now and then, or think unasked."""


def replies_of(given: CheckInput, variant: str) -> list[Reply]:
    """Return the replies of a variant, in the order of its records; none before the run."""
    return [record.reply for record in given.records.get(variant, ()) if record.reply]


def records_by_part(given: CheckInput) -> dict[tuple[str, str], list[Outline]]:
    """Group the records by variant and benchmark."""
    grouped: dict[tuple[str, str], list[Outline]] = defaultdict(list)
    for variant in given.study.variants:
        for record in given.records.get(variant.name, ()):
            grouped[variant.name, record.key.benchmark].append(record)
    return grouped


def share_that_thinks(replies: Sequence[Reply]) -> float | None:
    """Return the share of replies that hold thoughts, in a field of their own or between tags; None without replies."""
    return sum(reply.thinks for reply in replies) / len(replies) if replies else None


def thinks(given: CheckInput, variant: str) -> float | None:
    """Return the share of a variant's replies that hold thoughts; before the run, of the one reply of the preflight."""
    share = share_that_thinks(replies_of(given, variant))
    if share is not None:
        return share
    proofs = given.proofs.get(variant)
    thought = proofs.thought if proofs else None
    if thought is None or (not thought.reasoned and end_of(thought.finish_reason) == "limit"):
        return None  # the cut-off text may itself be a thought without tags
    return float(thought.reasoned)


def share(part: float) -> str:
    """Write 0.123 as `12 %`, and a share under a tenth with one more digit."""
    percent = 100 * part
    return f"{percent:.0f} %" if percent >= 10 or math.isclose(percent, round(percent)) else f"{percent:.1f} %"

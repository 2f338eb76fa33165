"""How many questions would be needed where the present ones do not decide."""

from collections.abc import Sequence

from msgspec import Struct

from evaluator.decide.evidence import Evidence
from evaluator.decide.pace import Pace, hours
from evaluator.stats.power import questions_to_see


class Outlook(Struct, frozen=True):
    """How well these questions resolve the margin, and how many would be needed."""

    resolution: float
    """Questions compared, as a share of those that show a difference of the margin with 80 % power."""
    questions_needed: int | None = None
    """For 80 % power to see a difference of `sought`; None where a verdict was reached."""
    sought: float | None = None
    hours_needed: float | None = None
    """For the questions still to be asked, of both variants."""


def outlook(shown: Evidence, margin: float, alpha: float, paces: Sequence[Pace | None], *, undecided: bool) -> Outlook:
    """Estimate how many questions would be needed.

    Args:
        shown: What the answers show.
        margin: Within which two variants count as equal.
        alpha: The level that a difference is to be seen at.
        paces: How fast the variant and the baseline answered; None where it was not measured.
        undecided: Whether the verdict is `cannot tell`.
    """
    sought = max(margin, abs(shown.difference)) if undecided else margin
    # One answer each: a difference of the margin takes that many flips at least, even where fewer were seen.
    mean_square = max(shown.mean_square, sought if shown.table else sought**2)
    resolution = shown.n / questions_to_see(margin, max(mean_square, margin), alpha=alpha)
    if not undecided:
        return Outlook(resolution)
    needed = questions_to_see(sought, mean_square, alpha=alpha)
    if needed <= shown.n:
        # The margin could have been seen already. What is left to see is how far the difference lies from zero or
        # from the margin, whichever is farther.
        sought = max(abs(shown.difference), margin - abs(shown.difference))
        needed = max(shown.n + 1, questions_to_see(sought, mean_square, alpha=alpha))
    known = [pace for pace in paces if pace is not None]
    time = hours(needed - shown.n, known, repeats=shown.answers) if len(known) == len(paces) else None
    return Outlook(resolution, needed, sought, time)

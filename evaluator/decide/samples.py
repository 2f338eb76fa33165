"""Two variants' answers to the same questions, and the tests and intervals for a fixed number of questions.

With one answer a question: McNemar's mid-p, Tango's interval and score test. With several: signs flipped, and the
interval of a mean. All proportions are between 0 and 1; a difference is variant minus baseline.
"""

from collections.abc import Mapping, Sequence
from math import fsum

from msgspec import Struct

from evaluator.stats.difference import tango, tango_z
from evaluator.stats.equivalence import equivalence, noninferiority, upper_tail
from evaluator.stats.paired import PairedTable, mcnemar_midp, paired_table
from evaluator.stats.proportions import Interval
from evaluator.stats.repeats import mean_equivalence, mean_interval, mean_z, sign_flip, steadied

Repeats = tuple[bool, ...]
"""Whether each answer to one question is correct; empty for a question that was asked and has no answer."""
Answers = Mapping[str, Repeats]
"""By question."""
Scores = Mapping[str, Mapping[str, Answers]]
"""By variant and benchmark."""


class Sample(Struct, frozen=True):
    """Questions that both answered equally often."""

    differences: tuple[float, ...]
    """Share of right answers, variant minus baseline, for each question in the order in which they are asked."""
    table: PairedTable | None
    """A is the variant, B the baseline; None where a question was answered more than once."""
    answers: int = 1
    """The largest number of answers to a question."""

    @property
    def n(self) -> int:
        """Questions."""
        return len(self.differences)

    @property
    def difference(self) -> float:
        """The mean."""
        return fsum(self.differences) / self.n

    @property
    def won(self) -> int:
        """Questions that the variant solved, or solved more often, and the baseline did not."""
        return sum(d > 0 for d in self.differences)

    @property
    def lost(self) -> int:
        """Questions that the baseline solved, or solved more often, and the variant did not."""
        return sum(d < 0 for d in self.differences)


def sample_of(pairs: Sequence[tuple[Repeats, Repeats]]) -> Sample:
    """Pair the variant's answers with the baseline's, equally many to each question."""
    once = all(len(a) == 1 for a, _ in pairs)
    table = paired_table([a[0] for a, _ in pairs], [b[0] for _, b in pairs]) if once else None
    most = max((len(a) for a, _ in pairs), default=0)
    return Sample(tuple((sum(a) - sum(b)) / len(a) for a, b in pairs), table, most)


def comparable(ours: Repeats, theirs: Repeats) -> bool:
    """Return whether both answered a question, equally often."""
    return len(ours) == len(theirs) > 0


def difference_p(sample: Sample) -> float:
    """Return the p value of "no difference"."""
    return mcnemar_midp(sample.table) if sample.table else sign_flip(sample.differences)


def equivalence_p(sample: Sample, margin: float) -> float:
    """Return the p value of "differs by the margin or more"."""
    return equivalence(sample.table, margin) if sample.table else mean_equivalence(steadied(sample.differences), margin)


def noninferiority_p(sample: Sample, margin: float) -> float:
    """Return the p value of "worse by the margin or more"."""
    return noninferiority(sample.table, margin) if sample.table else upper_tail(score_z(sample, -margin))


def score_z(sample: Sample, d0: float) -> float:
    """Return the statistic of "the difference is d0"."""
    return tango_z(sample.table, d0) if sample.table else mean_z(steadied(sample.differences), d0)


def difference_interval(sample: Sample, level: float) -> Interval:
    """Return the interval of the difference."""
    return tango(sample.table, level) if sample.table else mean_interval(steadied(sample.differences), level)

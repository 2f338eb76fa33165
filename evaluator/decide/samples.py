"""Two variants' answers to the same questions, and the tests and intervals for a fixed number of questions.

With one answer a question: McNemar's mid-p, Tango's interval and score test. With several: signs flipped, and the
interval of a mean. Questions that repeat one another are clusters: their signs flip together, and variances grow by the
design effect. All proportions are between 0 and 1; a difference is variant minus baseline.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import fsum, sqrt

from msgspec import Struct

from evaluator.stats.clusters import cluster_midp, cluster_sums, clustered_share, design_effect
from evaluator.stats.difference import tango, tango_z
from evaluator.stats.equivalence import check_margin, upper_tail
from evaluator.stats.paired import PairedTable, mcnemar_midp, paired_table
from evaluator.stats.proportions import Interval
from evaluator.stats.repeats import mean_interval, mean_z, sign_flip, steadied

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
    clusters: tuple[str, ...] = ()
    """For each question what it repeats, or itself; empty where no two of them repeat one another."""
    effect: float = 1.0
    """Design effect: the variance of the mean over that of independent questions."""

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

    @property
    def flips(self) -> list[bool]:
        """Whether the two disagree, for each question."""
        return [d != 0 for d in self.differences]

    @property
    def repeated(self) -> int:
        """Questions that repeat, or are repeated by, another one here."""
        several = Counter(self.clusters)
        return sum(count for count in several.values() if count > 1)

    @property
    def distinct(self) -> tuple[float, ...]:
        """The differences without those of questions that repeat an earlier one: each is a step of its own."""
        first = {cluster: place for place, cluster in reversed([*enumerate(self.clusters)])}
        return tuple(self.differences[place] for place in sorted(first.values())) if first else self.differences


def sample_of(pairs: Sequence[tuple[Repeats, Repeats]], clusters: Sequence[str] = ()) -> Sample:
    """Pair the variant's answers with the baseline's, equally many to each question; `clusters` as in `Sample`."""
    once = all(len(a) == 1 for a, _ in pairs)
    table = paired_table([a[0] for a, _ in pairs], [b[0] for _, b in pairs]) if once else None
    most = max((len(a) for a, _ in pairs), default=0)
    differences = tuple((sum(a) - sum(b)) / len(a) for a, b in pairs)
    if len(set(clusters)) == len(clusters):
        return Sample(differences, table, most)
    return Sample(differences, table, most, tuple(clusters), design_effect(differences, clusters))


def comparable(ours: Repeats, theirs: Repeats) -> bool:
    """Return whether both answered a question, equally often."""
    return len(ours) == len(theirs) > 0


def difference_p(sample: Sample) -> float:
    """Return the p value of "no difference"."""
    if not sample.clusters:
        return mcnemar_midp(sample.table) if sample.table else sign_flip(sample.differences)
    sums = cluster_sums(sample.differences, sample.clusters)
    return cluster_midp([round(total) for total in sums]) if sample.table else sign_flip(sums)


def equivalence_p(sample: Sample, margin: float) -> float:
    """Return the p value of "differs by the margin or more"."""
    check_margin(margin)
    return max(noninferiority_p(sample, margin), upper_tail(-score_z(sample, margin)))


def noninferiority_p(sample: Sample, margin: float) -> float:
    """Return the p value of "worse by the margin or more"."""
    return upper_tail(score_z(sample, -margin))


def score_z(sample: Sample, d0: float) -> float:
    """Return the statistic of "the difference is d0"."""
    z = tango_z(sample.table, d0) if sample.table else mean_z(steadied(sample.differences), d0)
    return z / sqrt(sample.effect)


def difference_interval(sample: Sample, level: float) -> Interval:
    """Return the interval of the difference."""
    if sample.table:
        return tango(sample.table, level, sample.effect)
    return mean_interval(steadied(sample.differences), level, sample.effect)


def flips_interval(sample: Sample, level: float) -> Interval:
    """Return the interval of the share of questions on which the two disagree."""
    return clustered_share(sample.flips, sample.clusters or range(sample.n), level)

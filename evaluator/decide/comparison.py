"""One variant compared with the baseline on one benchmark: the numbers and the verdict."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from evaluator.decide.asked_twice import AskedTwice
from evaluator.stats.noise import Excess
from evaluator.stats.paired import PairedTable
from evaluator.stats.proportions import Interval
from evaluator.study.study import Mode

Verdict = Literal[
    "clearly worse",
    "worse by less than the margin",
    "worse, size uncertain",
    "equivalent",
    "cannot tell",
    "not comparable",
    "better by less than the margin",
    "better, size uncertain",
    "clearly better",
]


class Comparison(Struct, frozen=True, kw_only=True):
    """One variant against the baseline on one benchmark. None: not known, or not applicable in this design."""

    variant: str
    baseline: str
    benchmark: str
    mode: Mode = "fixed"
    """How differences are tested; p values and intervals of one mode are never mixed with another's."""
    n: int
    """Questions compared: answered by both, equally often."""
    repeated: int | UnsetType = UNSET
    """Of these, questions whose text another of them has: tests and intervals take them together, as one cluster. Left
    out where there are none."""
    planned: int | None = None
    """Questions that the study plans."""
    put: int = 0
    """Questions that the variant was asked, those without an answer included."""
    stopped: bool = False
    """Whether it was decided, and so ended, before all planned questions were asked."""
    table: PairedTable | None = None
    """A is the variant, B the baseline; None where a question was answered more than once."""
    difference: float | None = None
    """Variant minus baseline."""
    interval: Interval | None = None
    """Of the difference, at level 1 - alpha."""
    family_interval: Interval | None = None
    """Of the difference, at level 1 - alpha / family: statements about its size rest on it."""
    equivalence_interval: Interval | None = None
    """Of the difference, at level 1 - 2 alpha: inside ±margin exactly where `equivalence_p` <= alpha."""
    flips: Interval | None = None
    """Of the share of questions on which the two disagree, at level 1 - alpha."""
    changed: int | None = None
    """Questions on which another letter was read, right or wrong; None where answers are no letters."""
    won: int | None = None
    """Questions that only the variant solved; with repeats, that it solved more often."""
    lost: int | None = None
    """Questions that only the baseline solved; with repeats, that it solved more often."""
    p: float | None = None
    """p value of "no difference"."""
    p_holm: float | None = None
    """`p`, corrected for all comparisons (Holm)."""
    equivalence_p: float | None = None
    """p value of "a difference of the margin or more"."""
    equivalence_p_holm: float | None = None
    """`equivalence_p`, corrected for all comparisons (Holm)."""
    noninferiority_p: float | None = None
    """p value of "worse by the margin or more"; not corrected, and no verdict rests on it."""
    chance_better: float | None = None
    """Posterior chance that the variant solves more than the baseline (uniform prior); no verdict rests on it."""
    family: int
    """Comparisons that the p values are corrected for."""
    margin: float
    """As a proportion: 0.05 is five points."""
    supported_margin: float | None = None
    """The smallest margin within which these data would show equivalence, this comparison taken alone."""
    noise: Excess | None = None
    """Disagreement of the baseline (A) with the variant (B), in excess of that of each with itself."""
    noise_questions: int | None = None
    """Questions that were asked more than once, on which `noise` rests."""
    noise_p_holm: float | None = None
    """p value of "no more disagreement than with itself", corrected for all comparisons."""
    asked_twice: AskedTwice | UnsetType = UNSET
    """How often the baseline gave another text or outcome when it was asked again; left out where it was not."""
    verdict: Verdict = "not comparable"
    """What may be said; `sentence` says it in words."""
    sentence: str = ""
    """The verdict with its numbers, for people."""
    questions_needed: int | None = None
    """Where the verdict is `cannot tell`: for 80 % power to see a difference of `sought`. May exceed the benchmark."""
    sought: float | None = None
    """The margin, or the difference seen where that is larger; where either could have been seen already, the larger
    of the distances to zero and to the margin."""
    hours_needed: float | None = None
    """For the questions still to be asked, of both variants, at the speed that was measured."""
    resolution: float | None = None
    """Questions compared, as a share of those that show a difference of the margin with 80 % power."""

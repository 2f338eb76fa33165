"""How one build stands against the baseline, by its verdicts on all benchmarks together."""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from evaluator.decide.comparison import Comparison, Verdict

Standing = Literal["better", "good", "mixed", "worse", "perhaps worse", "blocked", "undecided"]
"""better: on a benchmark, by more than the margin or perhaps by more, and on none worse so. good: within the margin, or
better by less, where it is decided. mixed: better on one, worse on another. worse: by more than the margin. perhaps
worse: shown worse, and whether by more than the margin is uncertain. blocked: a comparison is not valid, or there is
none. undecided: no benchmark tells."""
GAINS: frozenset[Verdict] = frozenset({"clearly better", "better, size uncertain"})
"""By more than the margin, or perhaps by more."""
LOSSES: frozenset[Verdict] = frozenset({"clearly worse", "worse, size uncertain"})
WITHIN: frozenset[Verdict] = frozenset(
    {"equivalent", "better by less than the margin", "worse by less than the margin"}
)
"""Shown to differ by less than the margin: a difference that is small, and shown to be one, is within it as well."""


class Build(Struct, frozen=True, kw_only=True):
    """One variant and its comparisons with the baseline, in the benchmarks' order."""

    variant: str
    comparisons: tuple[Comparison, ...]

    @property
    def standing(self) -> Standing:
        """Say how it stands; what is shown goes before what is not."""
        verdicts = {comparison.verdict for comparison in self.comparisons}
        if verdicts & GAINS and verdicts & LOSSES:
            return "mixed"
        if "clearly worse" in verdicts:
            return "worse"
        if not verdicts or "not comparable" in verdicts:
            return "blocked"
        if verdicts & LOSSES:
            return "perhaps worse"
        if verdicts & GAINS:
            return "better"
        return "good" if verdicts & WITHIN else "undecided"

    @property
    def is_open(self) -> bool:
        """Whether it may still turn out to be as good as the baseline."""
        return self.standing in ("blocked", "undecided")

    @property
    def is_compared(self) -> bool:
        """Whether any comparison of it is valid."""
        return any(comparison.verdict != "not comparable" for comparison in self.comparisons)

    def having(self, verdicts: Iterable[Verdict]) -> tuple[Comparison, ...]:
        """Return its comparisons with one of these verdicts."""
        wanted = frozenset(verdicts)
        return tuple(comparison for comparison in self.comparisons if comparison.verdict in wanted)


def builds(comparisons: Sequence[Comparison], variants: Iterable[str]) -> tuple[Build, ...]:
    """Sort comparisons by variant, in the order of `variants`, each once."""
    return tuple(
        Build(variant=variant, comparisons=tuple(c for c in comparisons if c.variant == variant))
        for variant in dict.fromkeys(variants)
    )

"""What a run measured so far, as planning needs it."""

from msgspec import Struct

from evaluator.stats.proportions import Interval

Part = tuple[str, str]
"""A variant and a benchmark, by name."""


class Measured(Struct, frozen=True, kw_only=True):
    """How far one variant got on one benchmark, and how fast."""

    answered: int
    mean_tokens: float | None
    tokens_per_second: float | None


class Disagreement(Struct, frozen=True, kw_only=True):
    """How often a variant and the baseline disagreed on one benchmark."""

    variant: str
    baseline: str
    benchmark: str
    n: int
    """Questions that both answered."""
    differ: int
    """Questions of these on which they disagree."""
    rate: float
    """Share of them; with several answers a question the mean squared difference, which is what planning needs."""
    interval: Interval
    """Wilson's, of the share of questions on which they disagree."""
    difference: float
    """Variant minus baseline, a proportion."""


class PilotData(Struct, frozen=True, kw_only=True):
    """What a study's run has measured so far."""

    measured: dict[Part, Measured]
    disagreements: tuple[Disagreement, ...]
    """For comparisons that are not decided yet."""
    concurrency: int | None
    """Questions in flight when it was measured; None where it was still being found how many are best."""
    ignored: tuple[str, ...]
    """Variants whose answers were made with other settings."""

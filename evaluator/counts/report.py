"""What a report on bare counts holds."""

from msgspec import Struct

from evaluator.counts.verdict import CountsComparison, Omnibus
from evaluator.stats.proportions import Interval


class CountsScore(Struct, frozen=True, kw_only=True):
    """One variant on one benchmark."""

    variant: str
    benchmark: str
    correct: int
    total: int
    accuracy: float
    interval: Interval
    """Wilson's, at level 1 - alpha."""


class ImplausibleCount(Struct, frozen=True, kw_only=True):
    """A count far from the published scores of the model."""

    variant: str
    benchmark: str
    published: float
    """A proportion."""
    probability: float
    """Of a count so far off, or further, if the published score were this model's true share."""
    title: str
    """Of the source."""
    url: str
    sentence: str


class CountsReport(Struct, frozen=True, kw_only=True):
    """Everything in a report on bare counts; `report.json` is this."""

    whichquant: str
    written: str
    """UTC, ISO 8601."""
    study: str
    baseline: str | None
    """None: every pair was compared."""
    note: str
    alpha: float
    family: int
    """Comparisons that the p values are corrected for."""
    scores: tuple[CountsScore, ...]
    implausible: tuple[ImplausibleCount, ...]
    comparisons: tuple[CountsComparison, ...]
    sentences: tuple[str, ...]
    """One for each comparison."""
    pairings: tuple[str, ...]
    """What pairing could have shown, one for each comparison; empty where the two were not asked equally many."""
    omnibus: tuple[Omnibus, ...]
    remarks: tuple[str, ...]
    method: tuple[str, ...]

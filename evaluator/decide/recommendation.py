"""Which build to run, by a stated rule, from verdicts and measured resources alone."""

from msgspec import Struct

from evaluator.study.study import Prefer


class Recommendation(Struct, frozen=True, kw_only=True):
    """What to run, in words, and what speaks against the other builds."""

    prefer: Prefer
    """What the study wants most of."""
    variant: str | None
    """None where nothing can be recommended."""
    sentence: str
    """What to run and why; or that nothing can be recommended, and why."""
    others: tuple[str, ...] = ()
    """What is to be said of other builds, one sentence each: not worth it, not decided yet, not comparable."""
    missing: tuple[str, ...] = ()
    """What would be needed for a recommendation, or for a smaller build, and what it costs; one sentence each."""
    rule: str = ""
    """The rule itself, in words."""

"""How long the replies are, and how much of them is thinking: to be looked at, nothing is tested here."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from evaluator.grade.outline import Outline
from evaluator.records import Grade


class Spread(Struct, frozen=True, kw_only=True):
    """How values are spread; percentiles by linear interpolation, as numpy's."""

    n: int
    """Number of values."""
    p5: float
    """5 % of the values are below."""
    p25: float
    """25 % of the values are below."""
    median: float
    """Half of the values are below."""
    p75: float
    """75 % of the values are below."""
    p95: float
    """95 % of the values are below."""
    largest: float
    """The largest value."""


class Lengths(Struct, frozen=True, kw_only=True):
    """Lengths of the replies of one variant on one benchmark."""

    variant: str
    benchmark: str
    replies: int
    """That came whole or cut off; failures have no length."""
    tokens: Spread | None
    """Completion tokens as the server counted them, thinking included; None where no reply was counted."""
    uncounted: int
    """Replies without a full count of tokens from the server; they are not in `tokens`."""
    thinking: Spread | None
    """Characters of thinking, of the replies that hold some; servers do not count its tokens apart. None: none does."""
    cut_off: int
    """Replies that are graded as cut off: how long they would have become is not known."""
    limit: int | None
    """Tokens that a reply could have, the largest limit in use; None where none was set."""


def lengths(
    records: Mapping[str, Iterable[Outline]], grades: Iterable[Grade], benchmarks: Iterable[str]
) -> tuple[Lengths, ...]:
    """Measure the replies of each variant, benchmark by benchmark; a benchmark without a reply is left out.

    Args:
        records: By variant.
        grades: Of all of them.
        benchmarks: Their names, in the study's order.
    """
    asked: dict[tuple[str, str], list[Outline]] = defaultdict(list)
    for variant, mine in records.items():
        for record in mine:
            if record.reply is not None:
                asked[variant, record.key.benchmark].append(record)
    cut = Counter((grade.variant, grade.key.benchmark) for grade in grades if grade.outcome == "truncated")
    parts = [(variant, name) for variant in records for name in benchmarks if asked[variant, name]]
    return tuple(_lengths(*part, asked[part], cut[part]) for part in parts)


def _lengths(variant: str, benchmark: str, records: Sequence[Outline], cut_off: int) -> Lengths:
    replies = [record.reply for record in records if record.reply is not None]
    counts = [reply.tokens for reply in replies if reply.tokens is not None]
    limits = [record.limit for record in records if record.limit is not None]
    return Lengths(
        variant=variant,
        benchmark=benchmark,
        replies=len(replies),
        tokens=spread(counts),
        uncounted=len(replies) - len(counts),
        thinking=spread([reply.thinking for reply in replies if reply.thinking]),
        cut_off=cut_off,
        limit=max(limits, default=None),
    )


def spread(values: Iterable[float]) -> Spread | None:
    """Return the percentiles of values; None where there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    return Spread(
        n=len(ordered),
        p5=_percentile(ordered, 0.05),
        p25=_percentile(ordered, 0.25),
        median=_percentile(ordered, 0.5),
        p75=_percentile(ordered, 0.75),
        p95=_percentile(ordered, 0.95),
        largest=float(ordered[-1]),
    )


def _percentile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])

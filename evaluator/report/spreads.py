"""How long the replies are: what is drawn, and where."""

from collections.abc import Iterator, Sequence
from math import log10

from msgspec import Struct

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.lengths import Lengths, Spread
from evaluator.report.axis import Axis, Tick
from evaluator.report.drawing import SMALL, Box, Drawing, Label, Line, Mark, fitting, width_of
from evaluator.report.tables import Table

_ROW, _TEXT = 42.0, 20.0
"""Height of a row, and of the text in it."""


class Spreads(Struct, frozen=True, kw_only=True):
    """Lengths of all variants on one benchmark, on an axis of powers of ten."""

    title: str
    axis: Axis
    rows: tuple[tuple[str, Spread], ...]
    limit: float | None
    """Tokens that a reply could have, the largest in use."""


def lengths_picture(report: Report, benchmark: str) -> Spreads | None:
    """Show the tokens of the replies; None where no server counted them."""
    known = [(each.variant, each.tokens, each.limit) for each in _of(report, benchmark)]
    rows = tuple((variant, tokens) for variant, tokens, _ in known if tokens)
    if not rows:
        return None
    limit = max((limit for _, _, limit in known if limit), default=None)
    ends = [max(1.0, tokens.p5) for _, tokens in rows] + [max(1.0, tokens.largest) for _, tokens in rows]
    return Spreads(
        title=wording.name(benchmark),
        axis=_powers(min(ends), max(*ends, limit or 1.0)),
        rows=rows,
        limit=limit,
    )


def lengths_table(report: Report, benchmark: str) -> Table | None:
    """Tabulate the lengths of replies and of the thinking in them; None without replies."""
    found = _of(report, benchmark)
    if not found:
        return None
    thought = any(each.thinking for each in found)
    thinking = ("with thinking", "its characters, median", "95 % have at most") if thought else ()
    return Table(
        title=f"{wording.name(benchmark)}: tokens of a reply",
        head=("variant", "replies", "median", "middle half", "95 % have at most", "longest", "cut off", *thinking),
        rows=tuple(_cells(each, thought=thought) for each in found),
        note=" ".join(_notes(found)),
    )


def _of(report: Report, benchmark: str) -> list[Lengths]:
    return [each for each in report.lengths if each.benchmark == benchmark]


def _cells(each: Lengths, *, thought: bool) -> tuple[str, ...]:
    tokens, thinking = each.tokens, each.thinking
    middle = wording.DASH if tokens is None else f"{tokens.p25:,.0f} to {tokens.p75:,.0f}"
    numbers = (
        (wording.DASH, middle, wording.DASH, wording.DASH)
        if tokens is None
        else (f"{tokens.median:,.0f}", middle, f"{tokens.p95:,.0f}", f"{tokens.largest:,.0f}")
    )
    cut = f"{each.cut_off:,}" if each.cut_off else "0"
    cells = (each.variant, f"{each.replies:,}", *numbers, cut)
    if not thought:
        return cells
    if thinking is None:
        return *cells, "0", wording.DASH, wording.DASH
    return *cells, f"{thinking.n:,}", f"{thinking.median:,.0f}", f"{thinking.p95:,.0f}"


def _notes(found: Sequence[Lengths]) -> Iterator[str]:
    yield "Completion tokens as each server counts them, thinking included."
    if any(each.cut_off for each in found):
        yield "Replies that were cut off would have become longer: their lengths end at the limit."
    if any(each.thinking for each in found):
        yield "Thinking is given in characters, of the replies that hold some: servers do not count its tokens apart."
    elif found:
        yield "No reply holds thinking."
    for each in found:
        if each.uncounted:
            yield f"{each.variant}: {each.uncounted:,} replies came without a full count of tokens and are left out."


def _powers(low: float, high: float) -> Axis:
    """Make an axis of logarithms to base ten."""
    begin, end = log10(low) - 0.06, log10(max(high, 2 * low)) + 0.06
    values = [factor * 10**power for power in range(8) for factor in (1, 2, 5)]
    ticks = [Tick(log10(value), f"{value:,}") for value in values if begin <= log10(value) <= end]
    kept = ticks if len(ticks) <= 7 else [tick for tick in ticks if tick.text.strip("0,") == "1"]
    return Axis(label="tokens of a reply, thinking included", low=begin, high=end, ticks=tuple(kept))


def spreads(picture: Spreads, width: float) -> Drawing:
    """Lay out a box for each variant: the middle half, its median, 5 to 95 %, and a tick for the longest."""
    left, right, top = 10.0, width - 10, 4.0
    bottom = top + _ROW * len(picture.rows)

    def place(value: float) -> float:
        return left + picture.axis.place(log10(max(1.0, value))) * (right - left)

    parts: list[Line | Box | Mark | Label] = []
    for number, (name, spread) in enumerate(picture.rows):
        y = top + _ROW * number
        for tick in picture.axis.ticks:
            x = place(10**tick.value)
            parts.append(Line(x, y + _TEXT, x, y + _ROW - 2, "grid"))
        if picture.limit:
            x = place(picture.limit)
            parts.append(Line(x, y + _TEXT, x, y + _ROW - 2, "limit"))
        numbers = f"median {spread.median:,.0f}, longest {spread.largest:,.0f}"
        parts.append(Label(left, y + 14, fitting(name, right - left - width_of(numbers, SMALL) - 8)))
        parts.append(Label(right, y + 14, numbers, "number", "end", SMALL))
        parts += _box([place(v) for v in _five(spread)], y + (_TEXT + _ROW - 2) / 2)
    for tick in picture.axis.ticks:
        parts.append(Label(place(10**tick.value), bottom + 15, tick.text, "tick", "middle", SMALL))
    parts.append(Label(right, bottom + 31, picture.axis.label, "tick", "end", SMALL))
    return Drawing(width, bottom + 38, tuple(parts))


def _five(spread: Spread) -> tuple[float, ...]:
    return spread.p5, spread.p25, spread.median, spread.p75, spread.p95, spread.largest


def _box(places: Sequence[float], y: float) -> Iterator[Line | Box | Mark]:
    p5, p25, median, p75, p95, largest = places
    yield Line(p5, y, p95, y, "whisker plain")
    yield Box(p25, y - 5, max(1.5, p75 - p25), 10, "middle")
    yield Line(median, y - 6, median, y + 6, "median")
    yield Mark(largest, y, "bar", "plain")

"""How a run stands, drawn: a table that fits the terminal with a few lines below it, or one plain line a variant."""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Literal, NamedTuple

from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column, Table
from rich.text import Text

from evaluator.decide import wording
from evaluator.report.names import fitted
from evaluator.stats.proportions import wilson
from evaluator.store.live import BenchmarkProgress, Live, VariantProgress

GIVES_WAY = ("server", "bar", "intervals", "failures", "whole names", "every benchmark")
"""What a narrow terminal does without, the first of these first.

Name, questions asked, accuracy on one benchmark, tokens per second and time left are always there; in the end names
take what the others leave.
"""
_BAR = 12
_SERVER = 16
"""Columns that the state of a server takes at least."""
_LONG_NAME = 24
"""Columns that a name keeps as long as there is something else to do without."""
_SHORTEST_NAME = 4
_BELOW = 3
"""Lines of one kind below the table at most."""
_TITLE = 9
"""Columns of a benchmark's title beside its accuracy."""
_ASKED = "asked"


class _Cells(NamedTuple):
    """A column of the table: one cell for each variant."""

    heading: str
    cells: Sequence[str]
    left: bool = False
    """Whether it is aligned at the left."""
    least: int = 0
    """Its width at least: that of the longest cell to come, or the table would change its columns on the way."""

    @property
    def width(self) -> int:
        return max(
            self.least, len(self.heading), 0 if self.left and self.least else max(map(len, self.cells), default=0)
        )

    def drawn(self, number: int) -> ProgressColumn:
        """Make a column of rich's that takes the cell of this number."""
        side: Literal["left", "right"] = "left" if self.left else "right"
        column = Column(self.heading, justify=side, no_wrap=True, width=self.width, overflow="ellipsis")
        if self.heading == _ASKED:
            return MofNCompleteColumn(table_column=column)
        return TextColumn(f"{{task.fields[cells][{number}]}}", justify=side, markup=False, table_column=column)


def drawing(live: Live, console: Console) -> Group:
    """Draw the table, and below it what found no room in it, what is waited for, and what went wrong last."""
    below = list(_below(live, with_servers=not _has_servers(live, console.width)))
    shown = _that_fit(live, console.height - len(below) - 3)
    if further := len(live.variants) - len(shown):
        kinds = [v.phase for v in live.variants if v not in shown]
        counts = wording.listed(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        below = [_one_line(f"and {further} further: {counts}", "dim"), *below]
    return Group(table(live, console, shown), *below)


def table(live: Live, console: Console, shown: Sequence[VariantProgress] | None = None) -> Table:
    """Draw one row for each variant, or for those that are `shown`, no wider than the terminal."""
    variants = live.variants if shown is None else shown
    columns, bar = _layout(live, variants, console.width)
    drawn = [column.drawn(number) for number, column in enumerate(columns)]
    if bar:
        drawn.insert(1, BarColumn(_BAR, table_column=Column(width=_BAR)))
    progress = Progress(*drawn, console=console)
    for row, variant in enumerate(variants):
        cells = [column.cells[row] for column in columns]
        progress.add_task("", total=variant.planned, completed=variant.asked, cells=cells)
    made = progress.make_tasks_table(progress.tasks)
    made.show_header, made.header_style = True, "dim"
    return made


def line(variant: VariantProgress, *, at_most: bool = False) -> str:
    """Write how one variant stands, for where there is no terminal."""
    titles = [(wording.name(part.benchmark), _counted(part)) for part in variant.benchmarks]
    counts = ", ".join(f"{title} {text}" for title, text in titles if text)
    left = _left(variant)
    left = left if left in ("done", "not done") else f"time left {'at most ' if at_most else ''}{left}"
    speed = wording.number(variant.tokens_per_second)
    asked = f"{variant.variant}: {variant.asked}/{variant.planned}"
    return f"{asked}; {counts}; {speed} tokens/s; {variant.failed} failed; {left}"


def waiting(variant: VariantProgress) -> str:
    """Say what is waited for, and for how many seconds more; empty where nothing is."""
    return f"{variant.wait} {ceil(variant.wait_s)} s" if variant.wait else ""


def clock(seconds: float) -> str:
    """Write a time as `m:ss`, `h:mm:ss`, or `5 days`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 100:
        return f"{hours / 24:.0f} days"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ago(seconds: float) -> str:
    """Write how long ago something was: `12 s ago`, `3 min ago`, `2.5 h ago`."""
    if seconds < 90:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h ago"


def _layout(live: Live, variants: Sequence[VariantProgress], width: int) -> tuple[list[_Cells], bool]:
    """Choose what fits: the columns, and whether a bar stands behind the name."""
    for gone in range(len(GIVES_WAY) + 1):
        without = GIVES_WAY[:gone]
        columns, bar = list(_columns(live, variants, without)), "bar" not in without
        room = width - sum(column.width + 1 for column in columns) + 1 - (_BAR + 1 if bar else 0)
        if room >= 0:
            break
    names = [variant.variant for variant in variants]
    if "whole names" in without:
        columns[0] = columns[0]._replace(cells=fitted(names, max(_SHORTEST_NAME, columns[0].width + room)))
    if "server" not in without:
        columns[-1] = columns[-1]._replace(least=columns[-1].least + room)
    return columns, bar


def _has_servers(live: Live, width: int) -> bool:
    columns, _ = _layout(live, live.variants, width)
    return columns[-1].heading == "server"


def _columns(live: Live, variants: Sequence[VariantProgress], without: Sequence[str]) -> Iterator[_Cells]:
    """Give the columns but for the bar: the name first, the questions asked second."""
    names = [variant.variant for variant in variants]
    yield _Cells("variant", fitted(names, _LONG_NAME) if "whole names" in without else names, left=True)
    yield _Cells("asked", [f"{variant.planned}/{variant.planned}" for variant in variants])
    yield from _accuracies(variants, intervals="intervals" not in without, every="every benchmark" not in without)
    yield _Cells("tokens/s", [wording.number(variant.tokens_per_second) for variant in variants])
    if "failures" not in without:
        yield _Cells("failures", [str(variant.failed) for variant in variants])
    yield _Cells("time left", [_left(variant, "\u2264" if live.at_most else "") for variant in variants])
    if "server" not in without:
        yield _Cells("server", [variant.server for variant in variants], left=True, least=_SERVER)


def _accuracies(variants: Sequence[VariantProgress], *, intervals: bool, every: bool) -> Iterator[_Cells]:
    """Give a column for each benchmark, or one for the benchmark that each variant answered last."""
    benchmarks = list({part.benchmark: None for variant in variants for part in variant.benchmarks})
    if every or len(benchmarks) == 1:
        for name in benchmarks:
            parts = [next((p for p in v.benchmarks if p.benchmark == name), None) for v in variants]
            heading = f"{wording.name(name)}{' (95 %)' if intervals else ''}"
            longest = len("100.0 % (99.9-100.0)" if intervals else "100.0 %")
            yield _Cells(heading, [_accuracy(part, intervals=intervals) for part in parts], least=longest)
        return
    titles = fitted([wording.name(name) for name in benchmarks], _TITLE)
    shown = dict(zip(benchmarks, titles, strict=True))
    longest = max(map(len, titles)) + len(" 100.0 %")
    yield _Cells("accuracy", [_current(variant, shown) for variant in variants], least=longest)


def _current(variant: VariantProgress, titles: dict[str, str]) -> str:
    part = next((part for part in variant.benchmarks if part.benchmark == variant.now), None)
    return wording.DASH if part is None else f"{titles[part.benchmark]} {_accuracy(part, intervals=False):>7}"


def _accuracy(part: BenchmarkProgress | None, *, intervals: bool) -> str:
    if part is None or not part.scored:
        return "no score" if part is not None and part.asked else wording.DASH
    if not intervals:
        return wording.percent(part.correct / part.scored)
    interval = wording.interval(wilson(part.correct, part.scored)).removesuffix(" %").replace(" to ", wording.DASH)
    return f"{wording.percent(part.correct / part.scored)} ({interval})"


def _counted(part: BenchmarkProgress) -> str:
    if not part.scored:
        return f"0 of {part.asked} scored" if part.asked else ""
    interval = wording.interval(wilson(part.correct, part.scored)).replace(" to ", wording.DASH)
    return f"{part.correct}/{part.scored} ({interval})"


def _left(variant: VariantProgress, sign: str = "") -> str:
    if variant.phase in ("done", "lost"):
        return "done" if variant.phase == "done" else "not done"
    return wording.DASH if variant.left_s is None else f"{sign}{clock(variant.left_s)}"


def _that_fit(live: Live, rows: int) -> list[VariantProgress]:
    """Choose the variants that a low terminal has rows for: those that are asked, then those to come, then the rest."""
    urgent = ("asking", "lost", "checking", "waiting", "done")
    chosen = sorted(live.variants, key=lambda variant: urgent.index(variant.phase))[: max(1, rows)]
    return [variant for variant in live.variants if variant in chosen]


def _below(live: Live, *, with_servers: bool) -> Iterator[Text]:
    if live.phase == "writing":
        yield _one_line("comparing the answers and writing the report")
    elif live.left_s and len(live.variants) > 1:
        yield _one_line(f"time left in all: {'at most' if live.at_most else 'about'} {clock(live.left_s)}")
    names = [variant.variant for variant in live.variants]
    short = dict(zip(names, fitted(names, _LONG_NAME), strict=True))
    asking = [v for v in live.variants if v.phase == "asking" and v.server and with_servers]
    for lines in (
        [f"{short[v.variant]}: {v.server}" for v in asking],
        [f"{short[v.variant]}: {waiting(v)}" for v in live.variants if v.wait],
    ):
        yield from (_one_line(text, "dim") for text in lines[:_BELOW])
        if len(lines) > _BELOW:
            yield _one_line(f"and {len(lines) - _BELOW} further", "dim")
    if live.incident is not None:
        where = short.get(live.incident.variant, live.incident.variant)
        yield _one_line(f"last incident: {where}, {ago(live.incident.ago_s)}: {live.incident.text}", "yellow")


def _one_line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")

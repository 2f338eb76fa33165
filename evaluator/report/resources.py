"""What each variant costs, as a table: one column for each variant, with its ratio to the baseline."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.decide.resources import Resources
from evaluator.report import phrases
from evaluator.report.phrases import in_bytes
from evaluator.report.tables import Table

_ALONE = "one request alone"


class _Row(NamedTuple):
    label: str
    """Of all asked at once: with a place for how many."""
    number: str
    """By its name in `Resources`."""
    write: Callable[[float], str]


def _figure(unit: str = "") -> Callable[[float], str]:
    """Write three digits, and whole numbers from 100 on."""

    def written(value: float) -> str:
        return f"{value:,.0f}{unit}" if value >= 100 else f"{value:.3g}{unit}"

    return written


_ROWS = (
    _Row("file size", "file_bytes", in_bytes),
    _Row("bits per weight", "bits_per_weight", _figure()),
    _Row("load time", "load_s", _figure(" s")),
    _Row("memory at most", "memory_bytes", in_bytes),
    _Row("graphics memory at most", "gpu_bytes", in_bytes),
    _Row("KV cache, as the server says", "kv_cache_bytes", in_bytes),
    _Row(f"{_ALONE}: reads the prompt at", "alone.prompt_tokens_per_second", _figure(" tokens/s")),
    _Row(f"{_ALONE}: writes at", "alone.tokens_per_second", _figure(" tokens/s")),
    _Row(f"{_ALONE}: time to first token", "alone.first_token_s", _figure(" s")),
    _Row("{}: all write at", "tokens_per_second", _figure(" tokens/s")),
    _Row("{}: time to first token, median", "first_token_s", _figure(" s")),
    _Row("{}: time for each correct answer", "seconds_per_correct", _figure(" s")),
    _Row("tokens for each correct answer", "tokens_per_correct", _figure()),
    _Row("{}: energy for each correct answer", "energy_per_correct_j", _figure(" J")),
)


def resource_table(report: Report) -> Table | None:
    """Tabulate what each variant costs, a row for each figure that is known of any; None where nothing is.

    Each figure is followed by its ratio to the baseline's: `3.25 GB (0.57 ×)`. The label of a row says whether it was
    measured with one request alone or with several at once.
    """
    every = report.resources
    together = phrases.in_flight(report)
    rows = [(row.label.format(together), *(_cell(one, row) for one in every)) for row in _ROWS]
    known = tuple(row for row in rows if set(row[1:]) != {wording.DASH})
    if not known:
        return None
    return Table(
        title="What each variant takes",
        head=("", *(one.variant for one in every)),
        rows=known,
        note=" ".join(_notes(every, report.plan.study.baseline)),
    )


def _cell(one: Resources, row: _Row) -> str:
    value = one.number(row.number)
    if value is None:
        return wording.DASH
    ratio = one.ratios.get(row.number)
    return row.write(value) if ratio is None else f"{row.write(value)} ({ratio:.2f} \u00d7)"


def _notes(every: Sequence[Resources], baseline: str) -> Iterator[str]:
    if any(one.ratios for one in every):
        yield f"In brackets: as many times {baseline}'s."
    yield from _how("Memory", [(one.variant, one.memory_how) for one in every if one.memory_bytes is not None])
    yield from _how("Graphics memory", [(one.variant, one.gpu_how) for one in every if one.gpu_bytes is not None])
    alone = [(one.variant, _clock(one.alone.by_server)) for one in every if one.alone is not None]
    yield from _how("Speed of one request alone", alone)
    energy = [(one.variant, one.energy_of) for one in every if one.energy_per_correct_j is not None]
    yield from _how("Energy", energy)


def _clock(by_server: bool) -> str:  # noqa: FBT001 - what a field holds
    return "by the server's own figures" if by_server else "by when its tokens arrived here"


def _how(what: str, hows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Say how something was measured: once where it was alike for all, else by variant."""
    ways = {how: [variant for variant, its in hows if its == how] for _, how in hows if how}
    for how, variants in ways.items():
        whose = "" if len(ways) == 1 else f" of {wording.listed(variants)}"
        yield f"{what}{whose}: {how}."

"""The fidelity of the builds in Markdown."""

from collections.abc import Iterator, Sequence

from evaluator.fidelity.drop import published
from evaluator.fidelity.nouns import Fidelity
from evaluator.report.fidelity import words
from evaluator.report.fidelity.rows import pairs, references, table
from evaluator.report.markdown_text import cells, header, safe
from evaluator.report.tables import Table

_TITLE = "Fidelity: how far each build is from its reference"


def markdown(fidelity: Fidelity) -> str:
    """Write what was measured as a report of its own, where no questions were asked."""
    return "\n".join([f"# {_TITLE}", *_lines(fidelity, ())]) + "\n"


def lines(fidelity: Fidelity, apart: Sequence[str] = ()) -> Iterator[str]:
    """Yield the part of a report on fidelity, under a heading of its own.

    Args:
        fidelity: What was measured.
        apart: What is to be said where fidelity and task scores point different ways.
    """
    yield from ("", f"## {_TITLE}", *_lines(fidelity, apart))


def _lines(fidelity: Fidelity, apart: Sequence[str]) -> Iterator[str]:
    if apart:
        yield from ("", *(f"- {safe(sentence)}" for sentence in apart))
    for reference in references(fidelity):
        yield from ("", f"### {safe(f'Against {reference}')}", "", *_drawn(table(fidelity, reference)))
    if between := pairs(fidelity):
        yield from ("", f"### {between.title}", "", *(f"- {safe(words.pair(item))}" for item in fidelity.pairs))
        yield from ("", *_drawn(between))
    if parted := tuple(words.parted(fidelity)):
        yield from ("", "### Training and quantization apart", "", *(f"- {safe(sentence)}" for sentence in parted))
    if said := published(fidelity):
        yield from ("", "### As builds are published", "", *(f"- {safe(sentence)}" for sentence in said))
    yield from ("", "### What this rests on", "")
    yield from (f"- {safe(s)}" for s in (*words.floors(fidelity), *fidelity.notes, *words.rests_on(fidelity)))


def _drawn(table: Table) -> Iterator[str]:
    yield from header(*map(safe, table.head))
    yield from map(cells, table.rows)
    if table.note:
        yield from ("", safe(table.note))

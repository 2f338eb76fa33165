"""The part of the page that shows the fidelity of the builds."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from evaluator.fidelity.drop import published
from evaluator.fidelity.nouns import Fidelity
from evaluator.report.fidelity import words
from evaluator.report.fidelity.picture import agreements, divergences, meanings
from evaluator.report.fidelity.rows import pairs, references, table
from evaluator.report.legend import Meaning
from evaluator.report.panels import Shown, shown
from evaluator.report.tables import Table


class Against(Struct, frozen=True):
    """The builds against one reference."""

    panels: tuple[Shown, ...]
    table: Table


class Section(Struct, frozen=True):
    """What the page fills in."""

    apart: tuple[str, ...]
    """Where fidelity and task scores point different ways."""
    against: tuple[Against, ...]
    """One for each reference."""
    meanings: tuple[Meaning, ...]
    has_floor: bool
    has_margin: bool
    pairs: Table | None
    words: tuple[str, ...]
    """Which of two builds is closer, which build is below the floor, by what share drop and size are reduced."""
    rests_on: tuple[str, ...]


def section(fidelity: Fidelity, apart: Sequence[str] = ()) -> Section:
    """Put together what the page shows of the fidelity of the builds."""
    return Section(
        apart=tuple(apart),
        against=tuple(
            Against(tuple(_panels(fidelity, reference, number)), table(fidelity, reference))
            for number, reference in enumerate(references(fidelity))
        ),
        meanings=meanings(fidelity),
        has_floor=bool(fidelity.floors),
        has_margin=fidelity.margin_kld is not None,
        pairs=pairs(fidelity),
        words=(
            *map(words.pair, fidelity.pairs[: words.PAIRS]),
            *words.parted(fidelity),
            *words.floors(fidelity),
            *published(fidelity),
        ),
        rests_on=(*fidelity.notes, *words.rests_on(fidelity)),
    )


def _panels(fidelity: Fidelity, reference: str, number: int) -> Iterator[Shown]:
    for name, picture in (("kld", divergences(fidelity, reference)), ("top1", agreements(fidelity, reference))):
        if picture:
            yield shown(picture, f"fidelity-{name}-{number}", picture.title)

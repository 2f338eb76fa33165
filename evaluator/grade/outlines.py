"""The records of one variant, read once: their outlines, and what only their texts together show."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from evaluator.grade.astray import Astray, Finder, Openings
from evaluator.grade.outline import Outline, outline
from evaluator.records import Grade, Question, Record

SAME = 5
"""Questions that must get one and the same reply before anything is made of it."""


class Outlines(Struct, frozen=True):
    """One variant's records without their texts."""

    records: Sequence[Outline] = ()
    astray: Mapping[str, Astray] = {}
    """By benchmark."""
    openings: Mapping[str, Mapping[int, str]] = {}
    """By benchmark how the answers begin that several replies share, by their hash."""


def outlines(graded: Iterable[tuple[Record, Question | None, Grade | None]]) -> Outlines:
    """Outline records one after the other, so that their texts need not be held together.

    Args:
        graded: Records of one variant in their order, with their question, where it is known, and grade.
    """
    records: list[Outline] = []
    finders: dict[str, Finder] = defaultdict(Finder)
    openings: dict[str, Openings] = defaultdict(lambda: Openings(SAME))
    for record, question, grade in graded:
        mine = outline(record, grade)
        records.append(mine)
        benchmark = record.key.benchmark
        if question is not None:
            finders[benchmark].add(record, question)
        openings[benchmark].add(mine.reply.answer_hash if mine.reply else 0, record)
    return Outlines(
        records,
        {name: finder.found() for name, finder in finders.items()},
        {name: found for name, each in openings.items() if (found := each.found())},
    )

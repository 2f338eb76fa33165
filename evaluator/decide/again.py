"""What the baseline is asked once more: which of it is still wanted during a run."""

from collections import defaultdict
from collections.abc import Callable, Container, Sequence

from evaluator.decide.asked_twice import first_of
from evaluator.grade.outline import text_hash
from evaluator.records import Key, Record
from evaluator.study.requests import LEAST_AGAIN, Ask
from evaluator.study.study import Study


class Again:
    """Which questions the baseline is still to be asked again: no more, once the first texts all came to the letter.

    Only where the study leaves that number to be found. It rests on the records alone, in whatever order they come.
    """

    def __init__(self, study: Study, asks: Sequence[Ask]) -> None:
        """`asks` is what the baseline is asked again, in its order."""
        self._first: dict[str, list[Key]] = defaultdict(list)
        for ask in asks if study.decide.noise_floor == "auto" else ():
            self._first[ask.key.benchmark].append(ask.key)
        self._first = {name: keys[:LEAST_AGAIN] for name, keys in self._first.items() if len(keys) > LEAST_AGAIN}
        self._baseline = study.baseline
        self._texts: dict[Key, int] = {}
        self._wanted = {key for keys in self._first.values() for key in keys}
        self._wanted |= {first_of(key) for key in self._wanted}

    @property
    def looked_at(self) -> frozenset[Key]:
        """The requests whose texts decide."""
        return frozenset(self._wanted)

    def add(self, record: Record) -> None:
        """Take in a record, of whatever question."""
        if record.answer is not None and record.variant == self._baseline and record.key in self._wanted:
            self._texts[record.key] = text_hash(record.answer)

    def is_open(self, benchmark: str) -> bool:
        """Whether more of it is wanted of a benchmark."""
        first = self._first.get(benchmark)
        return first is None or not all(self._came_again(key) for key in first)

    def _came_again(self, key: Key) -> bool:
        text = self._texts.get(key)
        return text is not None and text == self._texts.get(first_of(key))


def asked_or_open(
    study: Study, asks: Sequence[Ask], asked: Container[Key], read: Callable[[Key], Record | None]
) -> list[Ask]:
    """List what the baseline was asked again or still is to be: less than `asks` where its texts came again.

    Args:
        study: What the run is of.
        asks: What it is asked again at most.
        asked: Of which questions the baseline has records.
        read: Gives one of them.
    """
    rule = Again(study, asks)
    for key in rule.looked_at:
        if (record := read(key)) is not None:
            rule.add(record)
    return [ask for ask in asks if ask.key in asked or rule.is_open(ask.key.benchmark)]

"""What is remembered of each question of a run: there may be a million, and each takes a few bytes here."""

from array import array
from collections.abc import Iterator, MutableMapping
from typing import NamedTuple

from evaluator.records import Key


class Numbers:
    """A number for each question, in the order of first mention; shared by all that speak of the same questions."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self._numbers: dict[Key, int] = {}

    def number(self, key: Key) -> int:
        """Return a question's number; a new one where it has none."""
        number = self._numbers.setdefault(key, len(self.keys))
        if number == len(self.keys):
            self.keys.append(key)
        return number

    def known(self, key: object) -> int:
        """Return a question's number; -1 where it has none."""
        return self._numbers.get(key, -1) if isinstance(key, Key) else -1


class Marks:
    """A small number, 1 to 255, for some of the questions; 0 for all others."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers, self._marks, self._count = numbers, bytearray(), 0

    def __getitem__(self, key: Key) -> int:
        number = self._numbers.known(key)
        return self._marks[number] if 0 <= number < len(self._marks) else 0

    def __setitem__(self, key: Key, mark: int) -> None:
        number = self._numbers.number(key)
        if number >= len(self._marks):
            self._marks.extend(bytes(number + 1 - len(self._marks)))
        self._count += bool(mark) - bool(self._marks[number])
        self._marks[number] = mark

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Key]:
        return (self._numbers.keys[number] for number, mark in enumerate(self._marks) if mark)


class Place(NamedTuple):
    """Where a record stands in its file."""

    start: int
    """Bytes before it."""
    size: int
    """Bytes of its line, the line end included."""
    answered: bool
    """Whether it holds an answer; else it holds a failure."""


class Places(MutableMapping[Key, Place]):
    """Where records stand, by question, in the order of first asking."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._starts, self._sizes = array("q"), array("q")
        """By number; a size is doubled, and one more where there is an answer, 0 where there is no record."""
        self._order = array("q")

    def __getitem__(self, key: Key) -> Place:
        place = self.find(key)
        if place is None:
            raise KeyError(key)
        return place

    def find(self, key: object) -> Place | None:
        """Return where a question's record stands; None where it has none."""
        number = self._numbers.known(key)
        if not 0 <= number < len(self._sizes) or not self._sizes[number]:
            return None
        size = self._sizes[number]
        return Place(self._starts[number], size >> 1, bool(size & 1))

    def __setitem__(self, key: Key, place: Place) -> None:
        number = self._numbers.number(key)
        if number >= len(self._sizes):
            more = bytes(8 * (number + 1 - len(self._sizes)))
            self._starts.frombytes(more)
            self._sizes.frombytes(more)
        if not self._sizes[number]:
            self._order.append(number)
        self._starts[number], self._sizes[number] = place.start, place.size << 1 | place.answered

    def __delitem__(self, key: Key) -> None:
        if key not in self:
            raise KeyError(key)
        number = self._numbers.known(key)
        self._sizes[number] = 0
        self._order.remove(number)

    def __iter__(self) -> Iterator[Key]:
        return (self._numbers.keys[number] for number in self._order)

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, key: object) -> bool:
        number = self._numbers.known(key)
        return 0 <= number < len(self._sizes) and self._sizes[number] > 0

    def is_answered(self, key: Key) -> bool:
        """Whether a question's current record holds an answer."""
        number = self._numbers.known(key)
        return 0 <= number < len(self._sizes) and self._sizes[number] & 1 == 1

"""One variant's outlines as columns of plain values, to be handed to another process or kept in a file.

A column of few different values is a list of these and, for each record, the place of its own: there it takes a byte
or two, and in memory equal values are one object.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from evaluator.grade.astray import Astray
from evaluator.grade.outline import Outline, Reply
from evaluator.grade.outlines import Outlines
from evaluator.records import Grade, Key, Outcome
from evaluator.text import once

T = TypeVar("T")
_RECORD = tuple(name for name in Outline.__struct_fields__ if name not in {"key", "reply", "grade"})
_REPLY = Reply.__struct_fields__
_GRADE = ("variant", "outcome", "extracted", "why")


class _Column(Struct, array_like=True):
    values: list[Any]
    places: bytes = b""
    """Of each record the place of its value, as an array; empty where `values` are those of the records themselves."""


class _Packed(Struct, array_like=True):
    keys: bytes
    """Of each record the place of its key among those that are planned."""
    records: list[_Column]
    has_reply: _Column
    replies: list[_Column]
    has_grade: _Column
    grades: list[_Column]
    astray: dict[str, Astray]
    openings: dict[str, dict[int, str]]


def packed(mine: Outlines, keys: Iterable[Key]) -> bytes:
    """Write outlines down; `keys` are all that are planned, in the order in which `unpacked` is given them.

    Raises:
        UnicodeEncodeError: half a character stands in one of their texts.
    """
    places = {key: number for number, key in enumerate(keys)}
    records = mine.records
    return msgspec.msgpack.encode(
        _Packed(
            array("I", [places[one.key] for one in records]).tobytes(),
            _columns(records, _RECORD),
            _column([one.reply is not None for one in records]),
            _columns([one.reply for one in records if one.reply], _REPLY),
            _column([one.grade is not None for one in records]),
            _columns([one.grade for one in records if one.grade], _GRADE),
            dict(mine.astray),
            {name: dict(found) for name, found in mine.openings.items()},
        )
    )


def unpacked(data: bytes, keys: Sequence[Key]) -> Outlines:
    """Read what `packed` wrote.

    Raises:
        msgspec.MsgspecError: It is something else.
        LookupError: It is damaged.
        ValueError: It is damaged.
    """
    found = msgspec.msgpack.decode(data, type=_Packed)
    mine = [keys[place] for place in _of_bytes("I", found.keys)]
    replies = _where(_values(found.has_reply), map(Reply, *map(_values, found.replies)))
    has_grade = list(_values(found.has_grade))
    graded = (key for key, has in zip(mine, has_grade, strict=True) if has)
    grades = _where(has_grade, map(_grade, graded, *map(_values, found.grades)))
    variants, started, *rest = map(_values, found.records)
    records = list(map(Outline, mine, variants, started, replies, *rest, grades))
    if len(records) != len(mine):
        raise ValueError("columns of different lengths")
    return Outlines(records, found.astray, found.openings)


def _columns(of: Sequence[object], names: Iterable[str]) -> list[_Column]:
    return [_column([getattr(one, name) for one in of]) for name in names]


def _column(values: list[Any]) -> _Column:
    different = dict.fromkeys(values)
    if 2 * len(different) > len(values) or any(type(value) is float for value in different):
        return _Column(values)
    numbers = {value: number for number, value in enumerate(different)}
    return _Column(list(different), array(_type(len(different)), [numbers[value] for value in values]).tobytes())


def _values(column: _Column) -> Iterable[Any]:
    values = [once(value) if isinstance(value, str) else value for value in column.values]
    return [values[place] for place in _of_bytes(_type(len(values)), column.places)] if column.places else values


def _type(values: int) -> str:
    """Choose the array for the places of so many values."""
    return "B" if values <= 1 << 8 else "H" if values <= 1 << 16 else "I"


def _of_bytes(kind: str, data: bytes) -> Sequence[int]:
    numbers = array(kind)
    numbers.frombytes(data)
    return numbers


def _where(has: Iterable[bool], values: Iterator[T]) -> list[T | None]:
    return [next(values) if there else None for there in has]


def _grade(key: Key, variant: str, outcome: Outcome, extracted: str | None, why: str) -> Grade:
    return Grade(key=key, variant=variant, outcome=outcome, extracted=extracted, why=why)

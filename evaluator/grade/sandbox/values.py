"""How values cross between a model's code and the judge: as plain tagged data, never as objects.

Used on both sides, and started by file name inside the sandbox: imports nothing of this package. A line is JSON. What
JSON has not is a list that begins with its kind: `["t", 1, 2]` is a tuple. A subclass is sent as its builtin base,
anything else as its type's name only: an opaque value, which equals nothing. A model's code can write to its end of the
pipe what it likes; whatever it writes is read as such a value, or refused.

Numbers of `fractions` and `decimal` cross, because they equal builtin ones. A dict's views arrive as views of a dict
like it. An iterator is listed where it is made and arrives as one that can be listed once.
"""

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

LONGEST = 16 << 20
"""Bytes of one line."""
_ROOM = 1 << 20
"""What one value may take: 1 for each value in it, and 1 for each `_UNIT` bytes of text and numbers."""
_UNIT = 16
_DEEPEST = 200
_MOST_BITS = 1 << 20
_SMALL = 1 << 62
_LONGEST_NAME = 100
_KEYS: type[Any] = type({}.keys())
_VALUES: type[Any] = type({}.values())
_ITEMS: type[Any] = type({}.items())


class RefusedError(ValueError):
    """A value is too large or too deep, or what was written is no value at all."""


class Opaque:
    """A value that is none of those that cross; it equals nothing."""

    __hash__ = object.__hash__

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<{self.kind} object>"


class _Room:
    """What is left of the room for one value."""

    def __init__(self) -> None:
        self.left = _ROOM

    def take(self, units: int) -> None:
        self.left -= units
        if self.left < 0:
            raise RefusedError("too large")


def dump(value: object) -> bytes:
    """Write a value as one line.

    Raises:
        RefusedError: it is too large or too deep.
    """
    try:
        # Not as ASCII: two halves of a pair that stand beside each other would be read as the one letter they make.
        line = json.dumps(_tagged(value, _Room(), _DEEPEST), ensure_ascii=False).encode("utf-8", "surrogatepass")
    except RecursionError:
        raise RefusedError("nested too deep") from None
    if len(line) >= LONGEST:
        raise RefusedError("too large")
    return line + b"\n"


def load(line: bytes) -> Any:
    """Read a value.

    Raises:
        RefusedError: it is none, or too large or too deep.
    """
    if len(line) > LONGEST:
        raise RefusedError("too large")
    try:
        return _value(json.loads(line.decode("utf-8", "surrogatepass")), _Room(), _DEEPEST)
    except RefusedError:
        raise
    except (ValueError, TypeError, LookupError, RecursionError, ArithmeticError):
        raise RefusedError("no value") from None


def _tagged(value: Any, room: _Room, deep: int) -> Any:
    if deep < 0:
        raise RefusedError("nested too deep")
    room.take(1)
    if value is None or value is True or value is False:
        return value
    kind = type(value)  # isinstance would ask the value itself
    for base, size, write in _SCALARS:
        if issubclass(kind, base):
            room.take(size(value) // _UNIT)
            return write(value)
    for base, tag, items in _CONTAINERS:
        if issubclass(kind, base):
            return [tag, *(_tagged(item, room, deep - 1) for item in items(value))]
    if parts := _parts(value, kind):
        return [_tagged(part, room, deep - 1) for part in parts]
    if issubclass(kind, Iterator):
        return ["n", *(_tagged(item, room, deep - 1) for item in value)]
    return ["o", str(kind.__name__)[:_LONGEST_NAME]]


def _parts(value: Any, kind: type) -> tuple[Any, ...]:
    """Take a range, a fraction or a decimal number apart; empty for anything else."""
    if kind is range:  # nothing can be a subclass of it
        return "r", value.start, value.stop, value.step
    # A program that has such a number has imported its module.
    fractions, decimal = sys.modules.get("fractions"), sys.modules.get("decimal")
    if fractions and issubclass(kind, fractions.Fraction):
        return "q", value.numerator, value.denominator
    if decimal and issubclass(kind, decimal.Decimal):
        return "m", decimal.Decimal.__str__(value)
    return ()


def _integer(value: int) -> Any:
    value = int.__add__(value, 0)  # the number that a subclass holds, whatever its methods return
    if -_SMALL < value < _SMALL:
        return value
    if value.bit_length() > _MOST_BITS:
        raise RefusedError("too large")
    return ["i", hex(value)]


def _real(value: float) -> Any:
    value = float.__pos__(value)
    return value if math.isfinite(value) else ["f", repr(value)]


def _complex(value: complex) -> Any:
    value = complex.__pos__(value)
    return ["c", _real(value.real), _real(value.imag)]


def _pairs(value: dict[Any, Any]) -> Iterator[list[Any]]:
    return ([key, item] for key, item in dict.items(value))


def _pairs_of_view(value: Iterable[tuple[Any, Any]]) -> Iterator[list[Any]]:
    return ([key, item] for key, item in value)


_SCALARS: tuple[tuple[type, Callable[[Any], int], Callable[[Any], Any]], ...] = (
    (int, lambda value: int.bit_length(value) // 4, _integer),
    (float, lambda _: 0, _real),
    (str, str.__len__, lambda value: str.__getitem__(value, slice(None))),
    (complex, lambda _: 0, _complex),
    (bytes, bytes.__len__, lambda value: ["b", bytes.hex(value)]),
    (bytearray, bytearray.__len__, lambda value: ["a", bytearray.hex(value)]),
)
_CONTAINERS: tuple[tuple[type, str, Callable[[Any], Iterable[Any]]], ...] = (
    (list, "l", list.__iter__),
    (tuple, "t", tuple.__iter__),
    (dict, "d", _pairs),
    (set, "s", set.__iter__),
    (frozenset, "z", frozenset.__iter__),
    (_KEYS, "dk", _KEYS.__iter__),
    (_VALUES, "dv", _VALUES.__iter__),
    (_ITEMS, "di", _pairs_of_view),
)


def _value(data: Any, room: _Room, deep: int) -> Any:
    if deep < 0:
        raise RefusedError("nested too deep")
    if isinstance(data, dict):
        raise RefusedError("no value")
    if not isinstance(data, list):
        return data
    tag, *items = data
    if tag in _READ:
        (text,) = items
        if type(text) is not str:
            raise RefusedError("no value")
        return _READ[tag](text)
    room.take(len(items))
    if tag in _PAIRS:
        return _PAIRS[tag](
            {_value(key, room, deep - 2): _value(item, room, deep - 2) for key, item in map(_pair, items)}
        )
    return _BUILD[tag]([_value(item, room, deep - 1) for item in items])


def _pair(data: Any) -> list[Any]:
    """Take apart what must be a tagged list of two."""
    tag, key, item = data
    if tag != "l":
        raise RefusedError("no value")
    return [key, item]


def _read_integer(text: str) -> int:
    if len(text) > _MOST_BITS // 4 + len("-0x"):
        raise RefusedError("too large")
    return int(text, 16)


def _read_decimal(text: str) -> Any:
    from decimal import Decimal  # noqa: PLC0415 - few answers need it, and every judge would wait for it

    return Decimal(text)


def _fraction(parts: list[Any]) -> Any:
    from fractions import Fraction  # noqa: PLC0415 - as above

    if [type(part) for part in parts] != [int, int]:
        raise RefusedError("no value")
    return Fraction(*parts)


_READ: dict[str, Callable[[str], Any]] = {
    "i": _read_integer,
    # A new one each time: an object that is not a number still equals itself within a list.
    "f": lambda text: {"inf": math.inf, "-inf": -math.inf, "nan": float(text)}[text],
    "b": bytes.fromhex,
    "a": bytearray.fromhex,
    "m": _read_decimal,
    "o": lambda text: Opaque(text[:_LONGEST_NAME]),
}
_PAIRS: dict[str, Callable[[dict[Any, Any]], Any]] = {"d": lambda pairs: pairs, "di": dict.items}
_BUILD: dict[str, Callable[[list[Any]], Any]] = {
    "c": lambda parts: complex(*parts),
    "r": lambda parts: range(*parts),
    "q": _fraction,
    "l": list,
    "t": tuple,
    "s": set,
    "z": frozenset,
    "dk": lambda keys: dict.fromkeys(keys).keys(),
    "dv": lambda items: dict(enumerate(items)).values(),
    "n": iter,
}

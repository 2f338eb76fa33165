"""How values cross between a model's code and the judge: as plain tagged data, never as objects.

Used on both sides, and started by file name inside the sandbox: imports nothing of this package. A line is JSON. What
JSON has not is a list that begins with its kind: `["t", 1, 2]` is a tuple. Of a subclass its builtin base is told, of
anything else only the type's name: an opaque value, which equals nothing. A model's code can write to its end of the
pipe what it likes; whatever it writes is read as such a value, or refused.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

LONGEST = 16 << 20
"""Bytes of one line."""
_MOST_NODES = 1_000_000
_DEEPEST = 200
_MOST_BITS = 1 << 20
_SMALL = 1 << 62


class RefusedError(ValueError):
    """A value is too large or too deep, or what was written is no value at all."""


class Opaque:
    """A value that is none of the builtin types; it equals nothing."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<{self.kind} object>"


def dump(value: object) -> bytes:
    """Write a value as one line.

    Raises:
        RefusedError: it is too large or too deep.
    """
    room = [_MOST_NODES]
    try:
        line = json.dumps(_tagged(value, room, _DEEPEST)).encode() + b"\n"
    except RecursionError:
        raise RefusedError("nested too deep") from None
    if len(line) > LONGEST:
        raise RefusedError("too large")
    return line


def load(line: bytes) -> Any:
    """Read a value.

    Raises:
        RefusedError: it is none, or too large or too deep.
    """
    if len(line) > LONGEST:
        raise RefusedError("too large")
    try:
        return _value(json.loads(line), _DEEPEST)
    except RefusedError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError):
        raise RefusedError("no value") from None


def _tagged(value: Any, room: list[int], deep: int) -> Any:
    room[0] -= 1
    if room[0] < 0 or deep < 0:
        raise RefusedError("too large" if deep >= 0 else "nested too deep")
    if value is None or value is True or value is False:
        return value
    for kind, write in _SCALARS:
        if isinstance(value, kind):
            return write(value)
    for kind, tag, each in _CONTAINERS:
        if isinstance(value, kind):
            return [tag, *(_tagged(item, room, deep - 1) for item in each(value))]
    if isinstance(value, range):
        return ["r", *(_integer(part) for part in (value.start, value.stop, value.step))]
    if isinstance(value, Iterator):
        items = list(itertools.islice(value, room[0] + 1))
        return ["n", *(_tagged(item, room, deep - 1) for item in items)]
    return ["o", str(type(value).__name__)]


def _integer(value: int) -> Any:
    value = int.__add__(value, 0)  # the number that a subclass holds, whatever it says it is
    if -_SMALL < value < _SMALL:
        return value
    if value.bit_length() > _MOST_BITS:
        raise RefusedError("too large")
    return ["i", hex(value)]


def _real(value: float) -> Any:
    value = float.__add__(value, 0.0) if float.__ne__(value, 0.0) else float.__pos__(value)
    return value if math.isfinite(value) else ["f", repr(value)]


def _pairs(value: dict[Any, Any]) -> Iterator[list[Any]]:
    return ([key, item] for key, item in dict.items(value))


_SCALARS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (int, _integer),
    (float, _real),
    (str, lambda value: str.__getitem__(value, slice(None))),
    (complex, lambda value: ["c", _real(value.real), _real(value.imag)]),
    (bytes, lambda value: ["b", bytes.hex(value)]),
    (bytearray, lambda value: ["a", bytearray.hex(value)]),
)
_CONTAINERS: tuple[tuple[Any, str, Callable[[Any], Iterable[Any]]], ...] = (
    (list, "l", list.__iter__),
    (tuple, "t", tuple.__iter__),
    (dict, "d", _pairs),
    (set, "s", set.__iter__),
    (frozenset, "z", frozenset.__iter__),
)


def _value(told: Any, deep: int) -> Any:
    if deep < 0:
        raise RefusedError("nested too deep")
    if not isinstance(told, list):
        if isinstance(told, dict):
            raise RefusedError("no value")
        return told
    tag, *items = told
    if tag in _READ:
        return _READ[tag](items)
    inner = [_value(item, deep - 1) for item in items]
    return _BUILD[tag](inner)


_READ: dict[str, Callable[[list[Any]], Any]] = {
    "i": lambda items: int(str(items[0])[: _MOST_BITS // 4 + 4], 16),
    "f": lambda items: {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[items[0]],
    "b": lambda items: bytes.fromhex(items[0]),
    "a": lambda items: bytearray.fromhex(items[0]),
    "o": lambda items: Opaque(str(items[0])[:100]),
}
_BUILD: dict[str, Callable[[list[Any]], Any]] = {
    "c": lambda items: complex(*items),
    "r": lambda items: range(*items),
    "l": list,
    "t": tuple,
    "s": set,
    "z": frozenset,
    "d": lambda pairs: {key: item for key, item in pairs},  # noqa: C416 - each pair must have two
    "n": iter,
}

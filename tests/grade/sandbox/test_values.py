"""Values cross between a model's code and the judge exactly, or not at all."""

import enum
import itertools
import math
import sys
import time
import types
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evaluator.grade.sandbox.values import LONGEST, Opaque, RefusedError, dump, load

VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


def exactly(value: Any) -> Any:
    """Give what tells a value from every other: its types and digits all the way down."""
    kind = type(value)
    if kind is int:
        return kind, hex(value)
    if kind in {float, complex, bool, Decimal, Fraction}:
        return kind, repr(value)
    if kind in {list, tuple}:
        return kind, [exactly(item) for item in value]
    if kind in {set, frozenset}:
        return kind, sorted((exactly(item) for item in value), key=repr)
    if kind is dict:
        return kind, [(exactly(key), exactly(item)) for key, item in value.items()]
    return kind, value


def crossed(value: Any) -> Any:
    return load(dump(value))


hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**4000), 2**4000)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs"]))
    | st.binary()
    | st.fractions()
    | st.decimals(allow_nan=False)
    | st.builds(range, st.integers(), st.integers(), st.integers(1, 99)),
    lambda inner: st.lists(inner).map(tuple) | st.frozensets(inner),
    max_leaves=8,
)
builtin = st.recursive(
    hashable | st.binary().map(bytearray) | st.sets(hashable),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(hashable, inner),
    max_leaves=12,
)


@given(builtin)
@example(-0.0)
@example([math.nan, math.inf, -math.inf, complex(-0.0, math.nan)])
@example("\ud83d\ude00")
@example("😀\ud83d\x00\n\u2028")
@example({True: 1, 2.5: [False], "": None, b"": (), (1, (2,)): {}, frozenset({1}): set()})
@example([2**62, -(2**62), 2**62 - 1, 2**100_000, -(2**100_000)])
@example({float("nan"), float("nan")})
def test_builtin_data_crosses_exactly(value: Any) -> None:
    assert exactly(crossed(value)) == exactly(value)


@given(builtin)
def test_a_value_is_one_line(value: Any) -> None:
    assert dump(value).index(b"\n") == len(dump(value)) - 1


class Liar:
    """Says what would help of itself."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "liar"

    __str__ = __repr__


class LyingStr(Liar, str):
    __slots__ = ()

    def __getitem__(self, key: Any) -> str:
        return "liar"


class LyingInt(Liar, int):
    def __add__(self, other: int) -> int:
        return 0

    def __int__(self) -> int:
        return 0

    __index__ = __int__


class LyingFloat(Liar, float):
    def __float__(self) -> float:
        return 0.0


class LyingList(Liar, list[int]):  # type: ignore[misc]
    def __iter__(self) -> Iterator[int]:
        return itertools.count()


class LyingTuple(Liar, tuple[int]):
    __slots__ = ()

    def __iter__(self) -> Iterator[int]:
        return itertools.count()


class LyingDict(Liar, dict[str, int]):  # type: ignore[misc]
    def items(self) -> Any:
        return [("liar", 0)]

    def __iter__(self) -> Iterator[str]:
        return iter("liar")


class LyingSet(Liar, set[int]):  # type: ignore[misc]
    def __iter__(self) -> Iterator[int]:
        return itertools.count()


Point = namedtuple("Point", "x y")  # noqa: PYI024 - as a model writes it
Small = enum.IntEnum("Small", ["ONE"])
Word = enum.StrEnum("Word", {"ONE": "one"})
FLATTENED: dict[str, tuple[Any, Any]] = {
    "bool": (True, True),
    "named tuple": (Point(1, [2]), (1, [2])),
    "ordered dict": (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    "counter": (Counter("aab"), {"a": 2, "b": 1}),
    "default dict": (defaultdict(list, a=[1]), {"a": [1]}),
    "int enum": (Small.ONE, 1),
    "str enum": (Word.ONE, "one"),
    "str that lies": (LyingStr("right"), "right"),
    "int that lies": (LyingInt(7), 7),
    "large int that lies": (LyingInt(2**99), 2**99),
    "float that lies": (LyingFloat(2.5), 2.5),
    "list that lies": (LyingList([1, 2]), [1, 2]),
    "tuple that lies": (LyingTuple((1,)), (1,)),
    "dict that lies": (LyingDict(a=1), {"a": 1}),
    "set that lies": (LyingSet({3}), {3}),
}


@pytest.mark.parametrize(("value", "base"), FLATTENED.values(), ids=FLATTENED)
def test_a_subclass_is_told_as_its_base(value: Any, base: Any) -> None:
    assert exactly(crossed(value)) == exactly(base)
    assert exactly(crossed([(value,)])) == exactly([(base,)])


class Spoof:
    """Passes for an int where isinstance is asked."""

    __class__ = int  # type: ignore[assignment]


class Anything(type):
    """Passes for the base of everything, and equals it."""

    def __instancecheck__(cls, instance: object) -> bool:
        return True

    def __eq__(cls, other: object) -> bool:
        return True

    __hash__ = type.__hash__


class Slow:
    def __repr__(self) -> str:
        time.sleep(60)
        return ""

    __str__ = __repr__


OPAQUE: dict[str, tuple[Any, str]] = {
    "object": (object(), "object"),
    "equals everything": (Liar(), "Liar"),
    "class": (Liar, "type"),
    "class that equals everything": (Anything("Every", (), {}), "Anything"),
    "spoof": (Spoof(), "Spoof"),
    "slow to show": (Slow(), "Slow"),
    "function": (len, "builtin_function_or_method"),
    "module": (math, "module"),
    "exception": (ValueError(1), "ValueError"),
    "deque": (deque([1]), "deque"),
    "memory view": (memoryview(b"1"), "memoryview"),
    "array-like": (types.SimpleNamespace(__array__=lambda: [1], shape=(1,)), "SimpleNamespace"),
    "not implemented": (NotImplemented, "NotImplementedType"),
    "ellipsis": (..., "ellipsis"),
    "long name": (type("x" * 1000, (), {})(), "x" * 100),
}


@pytest.mark.parametrize(("value", "kind"), OPAQUE.values(), ids=OPAQUE)
def test_anything_else_equals_nothing(value: Any, kind: str) -> None:
    there = crossed(value)

    assert type(there) is Opaque
    assert there.kind == kind
    assert there != there  # noqa: PLR0124 - that is the promise
    others: list[Any] = [1, "", None, [], value, Opaque(kind)]
    assert not any(map(there.__eq__, others))
    assert type(crossed({"a": [value]})["a"][0]) is Opaque


ITERATORS: dict[str, Callable[[], Iterator[Any]]] = {
    "generator": lambda: (n * n for n in range(3)),
    "map": lambda: map(abs, [0, -1, 4]),
    "zip of one": lambda: (pair[0] for pair in zip([0, 1, 4], strict=True)),
    "filter": lambda: filter(lambda n: n != 2, [0, 1, 2, 4]),
    "iterator": lambda: iter((0, 1, 4)),
    "chain": lambda: itertools.chain([0], [1, 4]),
    "reversed": lambda: reversed([4, 1, 0]),
}


@pytest.mark.parametrize("make", ITERATORS.values(), ids=ITERATORS)
def test_an_iterator_equals_nothing_and_can_be_listed_once(make: Callable[[], Iterator[Any]]) -> None:
    there = crossed(make())

    assert there != [0, 1, 4]
    assert list(there) == [0, 1, 4]
    assert list(there) == []


def test_the_views_of_a_dict_are_what_they_were() -> None:
    keys, items, some = (crossed(view) for view in ({1: [2]}.keys(), {1: [2]}.items(), {1: [2]}.values()))

    assert [type(view) for view in (keys, items, some)] == [VIEWS[0], VIEWS[2], VIEWS[1]]
    assert keys == {1}
    assert keys != [1]
    assert list(items) == [(1, [2])]
    assert list(some) == [[2]]
    assert some != [[2]]
    assert crossed(OrderedDict(a=1).keys()) == {"a"}


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def doubling() -> list[Any]:
    value: list[Any] = [1]
    for _ in range(150):
        value = [value, value]
    return value


def endless() -> Iterator[Any]:
    while True:
        yield endless()


TOO_LARGE: dict[str, Callable[[], Any]] = {
    "text": lambda: "x" * (LONGEST + 1),
    "text of long letters": lambda: "😀" * (LONGEST // 3),
    "escapes": lambda: "\x00" * (LONGEST // 3),
    "bytes": lambda: bytes(LONGEST + 1),
    "many long texts": lambda: ["x" * (1 << 20)] * 1000,
    "int": lambda: 1 << (1 << 21),
    "many ints": lambda: [1 << (1 << 20)] * 1000,
    "range": lambda: range(1 << (1 << 21)),
    "many values": lambda: [0] * 2_000_000,
    "one list many times": doubling,
    "numbers without end": itertools.count,
    "texts without end": lambda: itertools.repeat("x" * 10_000),
    "nothing without end": lambda: itertools.cycle([None]),
    "too deep": lambda: nested(201),
    "far too deep": lambda: nested(100_000),
    "holds itself": cyclic,
    "generators without end": endless,
}


@pytest.mark.parametrize("make", TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_is_too_large_or_too_deep_is_refused_soon(make: Callable[[], Any]) -> None:
    value = make()
    started = time.process_time()

    with pytest.raises(RefusedError, match=r"too large|nested too deep"):
        dump(value)

    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "value",
    [nested(199), [0] * 1_000_000, "x" * (15 << 20), 1 << (1 << 20) - 1, list(map(str, range(100_000)))],
    ids=["deep", "many", "long text", "large number", "texts"],
)
def test_what_is_large_but_not_too_large_crosses(value: Any) -> None:
    assert crossed(value) == value


def test_a_low_recursion_limit_of_the_answer_refuses_and_does_not_crash() -> None:
    limit = sys.getrecursionlimit()
    depth = len(__import__("inspect").stack())
    try:
        sys.setrecursionlimit(depth + 60)
        with pytest.raises(RefusedError):
            dump(nested(150))
    finally:
        sys.setrecursionlimit(limit)

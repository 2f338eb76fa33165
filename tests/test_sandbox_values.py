"""Values cross between a model's code and the judge exactly, or not at all."""

import enum
import itertools
import json
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
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluator.sandbox import values
from evaluator.sandbox.values import LONGEST, Opaque, RefusedError, dump, load

VIEWS = (type({}.keys()), type({}.values()), type({}.items()))
ITERATOR = type(iter([]))
CROSSING = (
    *(type(None), bool, int, float, complex, str, bytes, bytearray, range),
    *(list, tuple, dict, set, frozenset, Opaque, Fraction, Decimal, *VIEWS, ITERATOR),
)


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


class LyingList(Liar, list[int]):
    def __iter__(self) -> Iterator[int]:
        return itertools.count()


class LyingTuple(Liar, tuple[int]):
    __slots__ = ()

    def __iter__(self) -> Iterator[int]:
        return itertools.count()


class LyingDict(Liar, dict[str, int]):
    def items(self) -> Any:
        return [("liar", 0)]

    def __iter__(self) -> Iterator[str]:
        return iter("liar")


class LyingSet(Liar, set[int]):
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
    assert not any(there == other for other in (1, "", None, [], value, Opaque(kind)))
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

    with pytest.raises(RefusedError, match="too large|nested too deep"):
        dump(value)

    assert time.process_time() - started < 5


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


def only_what_crosses(value: Any) -> bool:
    if type(value) not in CROSSING:
        return False
    if isinstance(value, dict):
        return all(map(only_what_crosses, itertools.chain(value.keys(), value.values())))
    if isinstance(value, (list, tuple, set, frozenset, *VIEWS, ITERATOR)):
        return all(map(only_what_crosses, value))
    return True


def is_data_or_refused(line: bytes) -> bool:
    try:
        value = load(line)
    except RefusedError:
        return True
    return only_what_crosses(value)


TAGS = [*values._READ, *values._PAIRS, *values._BUILD, "x", "", "__class__"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(TAGS),
    lambda inner: (
        st.lists(inner)
        | st.tuples(st.sampled_from(TAGS), inner)
        | st.tuples(st.sampled_from(TAGS), inner, inner)
        | st.lists(inner, max_size=4).map(lambda items: ["d", *(["l", item, item] for item in items)])
        | st.dictionaries(st.text(), inner, max_size=2)
    ),
    max_leaves=12,
)


@given(st.binary() | st.text().map(str.encode))
@example(b"")
@example(b"\xff\xfe1\x00")
def test_any_bytes_are_data_or_refused(line: bytes) -> None:
    assert is_data_or_refused(line)


@settings(max_examples=500)
@given(anything)
def test_any_json_is_data_or_refused(told: Any) -> None:
    assert is_data_or_refused(json.dumps(told).encode())


def colliding(count: int) -> bytes:
    """Different numbers of one hash."""
    return b'["s"' + b"".join(b',["i","%x"]' % (1 + n * (2**61 - 1)) for n in range(count)) + b"]"


HOSTILE = {
    "too long": b'"' + b"x" * LONGEST + b'"',
    "deep": b"[" * LONGEST,
    "deep and closed": b'["l",' * 100_000 + b"0" + b"]" * 100_000,
    "deep in objects": b'{"a":' * 1_000_000,
    "digits": b"1" * LONGEST,
    "fraction's digits": b"0." + b"1" * (LONGEST - 2),
    "exponent": b"1e" + b"9" * (LONGEST - 2),
    "many empty lists": b'["l"' + b",[]" * 5_000_000 + b"]",
    "many objects": b'["l"' + b",{}" * 5_000_000 + b"]",
    "many zeros": b'["l"' + b",0" * 8_000_000 + b"]",
    "hex digits": b'["i","' + b"f" * (LONGEST - 8) + b'"]',
    "odd hex": b'["b","abc"]',
    "hex that is none": b'["i","0xno"]',
    "decimal digits": b'["m","' + b"1" * (LONGEST - 8) + b'"]',
    "decimal exponent": b'["m","1e999999999999999999"]',
    "not a decimal": b'["m","one"]',
    "fraction of zero": b'["q",1,0]',
    "fraction from text": b'["q","1e999999999",1]',
    "fraction without a denominator": b'["q",1]',
    "step of zero": b'["r",0,1,0]',
    "range of text": b'["r","0","1","2"]',
    "complex of opaques": b'["c",["o","x"],["o","y"]]',
    "complex of large numbers": b'["c",["i","' + b"f" * 1000 + b'"],0]',
    "list as a set's member": b'["s",["l"]]',
    "list as a key": b'["d",["l",["l"],1]]',
    "key without a value": b'["d",["l",1]]',
    "pair of another kind": b'["d",["t",1,2]]',
    "keys that are lists": b'["dk",["l"]]',
    "equal keys": b'["d",["l",1,1],["l",1,2],["l",true,3],["l",1.0,4]]',
    "objects": b'{"__class__": "os.system"}',
    "object within": b'["l",{"a":1}]',
    "nothing": b"",
    "empty list": b"[]",
    "no tag": b"[1,2]",
    "tag is a list": b"[[1],2]",
    "tag is none": b'["no such tag",1]',
    "two texts": b'["i","1","2"]',
    "number for text": b'["i",12]',
    "list for text": b'["b",["l"]]',
    "infinity by another name": b'["f","infinity"]',
    "words": b"[NaN, Infinity, -Infinity]",
    "two values": b"1 2",
    "not UTF-8": b'"\xc3\x28"',
    "UTF-16": '["l"]'.encode("utf-16"),
    "colliding hashes": colliding(3000),
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_hostile_lines_are_data_or_refused_in_bounded_time(line: bytes) -> None:
    started = time.process_time()

    assert is_data_or_refused(line)
    assert time.process_time() - started < 5

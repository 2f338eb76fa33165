"""Whatever a hostile answer writes to its end of the pipe is plain data, or refused, and soon."""

import itertools
import json
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluator.grade.sandbox import values
from evaluator.grade.sandbox.values import LONGEST, Opaque, RefusedError, load

VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
ITERATOR: type = type(iter([]))
CROSSING = (
    *(type(None), bool, int, float, complex, str, bytes, bytearray, range),
    *(list, tuple, dict, set, frozenset, Opaque, Fraction, Decimal, *VIEWS, ITERATOR),
)


def only_what_crosses(value: Any) -> bool:
    if type(value) not in CROSSING:
        return False
    if isinstance(value, dict):
        return all(map(only_what_crosses, itertools.chain(value.keys(), value.values())))
    if type(value) in (list, tuple, set, frozenset, *VIEWS, ITERATOR):
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
def test_any_json_is_data_or_refused(data: Any) -> None:
    assert is_data_or_refused(json.dumps(data).encode())


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
    assert time.process_time() - started < 10

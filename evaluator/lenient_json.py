"""Decode JSON as programs write it that keep to no standard, and make of it what can be written again."""

import json
from math import isfinite, isnan
from typing import Any

import msgspec

from evaluator.text import whole_characters

_DIGITS = 30
"""Of a whole number, at most: Python refuses to read thousands of them, and to write them."""


def read_json(data: bytes) -> Any:  # noqa: ANN401 - JSON
    """Decode JSON as Python writes it: NaN, infinities and numbers out of range are None, halves of characters stay.

    Raises:
        ValueError: It is no JSON.
        RecursionError: It is nested too deeply.
    """
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return _LENIENT.decode(data.decode("utf-8-sig", errors="replace"))


def writable(value: Any, depth: int) -> Any:  # noqa: ANN401 - JSON
    """Make of decoded JSON what can be written, and read again.

    Args:
        value: Halves of characters in it become U+FFFD, NaN and whole numbers of more than 64 bits None.
        depth: How many lists and objects may be in each other; what is deeper becomes None.
    """
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, dict | list) and depth <= 0:
        return None
    if isinstance(value, dict):
        return {whole_characters(name): writable(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list):
        return [writable(item, depth - 1) for item in value]
    if isinstance(value, int) and abs(value) >= 2**63:
        return None
    return None if isinstance(value, float) and isnan(value) else value


def count_of(value: object) -> int | None:
    """Read a number of tokens, which may come as 12.0 or "12"; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if 0 <= number < 2**53 else None


def _finite(digits: str) -> float | None:
    return value if isfinite(value := float(digits)) else None


def _small(digits: str) -> int | None:
    return int(digits) if len(digits) <= _DIGITS else None


_LENIENT = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite, parse_int=_small)

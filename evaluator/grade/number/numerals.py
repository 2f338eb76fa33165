"""Numbers as people and models write them: 1,450,000 and -3.50, 25 %, 1/2, 3 1/2, 2 million, eighteen."""

import re
from fractions import Fraction

from msgspec import Struct

_WHOLE = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,18})"
_UNITS = r"km|cm|mm|kg|mg|ml|lbs?|oz|ft|hrs?|mins?|mph|[mglhs]"
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_SCALE = rf"(?:[ ](?P<scale>{'|'.join(_SCALES)})\b)?"
# What may not stand around digits, so that no part of 12:30, 3.4.5, 1,23, 2/3/2020, 10^6, 18th or 70k is a number.
_ENDS = rf"(?![0-9])(?![,.:/][0-9])(?![ ]?\^)(?:(?:{_UNITS})\b)?(?![A-Za-z_\u00b2\u00b3\u00b9\u00bc-\u00be])"
NUMERAL = re.compile(
    rf"""(?x:
    (?<![A-Za-z0-9_.^])(?<![0-9][,/:]) (?P<sign>(?<![\w)\]%])[+-])?
    (?:(?P<mixed>[0-9]{{1,9}})[ ](?=[0-9]{{1,9}}/[0-9]))?
    (?P<top>{_WHOLE}(?:\.[0-9]{{1,30}})?|\.[0-9]{{1,30}}) (?:/(?P<bottom>[0-9]{{1,9}}))?
    {_ENDS} (?:[ ]?%(?!\w))? {_SCALE}
    )"""
)
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SMALL_WORDS, _TENS_WORDS = "|".join(reversed(_SMALL)), "|".join(_TENS)
IN_WORDS = re.compile(
    rf"(?i:(?P<sign>(?:minus|negative) )?(?:(?P<tens>{_TENS_WORDS})(?:[- ](?P<ones>{_SMALL_WORDS}))?|"
    rf"(?P<small>{_SMALL_WORDS}))\b{_SCALE}(?! (?:of|more|and (?:a|{_SMALL_WORDS}|{_TENS_WORDS}))\b|[-\w]"
    rf"| (?:{'|'.join((*_SCALES, *_SMALL, *_TENS))})\b))"
)


class Numeral(Struct, frozen=True):
    """A number in a text."""

    value: str
    """Its shortest exact form: `18`, `-2.5`, `1/3`."""
    start: int
    end: int


def numeral_at(text: str, position: int, *, words: bool = False) -> Numeral | None:
    """Read the number that stands at a position, without the units behind it; `words`: `eighteen`, too."""
    if digits := NUMERAL.match(text, position):
        return _from_digits(digits)
    spelled = IN_WORDS.match(text, position) if words else None
    return _from_words(spelled) if spelled else None


def numerals(text: str) -> list[Numeral]:
    """Read all numbers that are written in digits."""
    return [number for match in NUMERAL.finditer(text) if (number := _from_digits(match))]


def same_number(number: str, other: str) -> bool:
    """Whether two numbers have the same value, however they are written."""
    first, second = numeral_at(number.strip(), 0), numeral_at(other.strip(), 0)
    return first is not None and second is not None and first.value == second.value


def _from_digits(match: re.Match[str]) -> Numeral | None:
    bottom = int(match["bottom"] or 1)
    if bottom == 0:
        return None
    value = Fraction(match["top"].replace(",", "")) / bottom + int(match["mixed"] or 0)
    value *= _SCALES.get((match["scale"] or "").lower(), 1) * (-1 if match["sign"] == "-" else 1)
    return Numeral(_shortest(value), match.start(), match.end())


def _from_words(match: re.Match[str]) -> Numeral:
    tens = 20 + 10 * _TENS.index(match["tens"].lower()) if match["tens"] else 0
    ones = (match["ones"] or match["small"] or "zero").lower()
    value = Fraction(tens + _SMALL.index(ones))
    value *= _SCALES.get((match["scale"] or "").lower(), 1) * (-1 if match["sign"] else 1)
    return Numeral(_shortest(value), match.start(), match.end())


def _shortest(value: Fraction) -> str:
    """Write a number as an integer, else as a decimal that ends, else as a fraction."""
    twos = fives = 0
    rest = value.denominator
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)

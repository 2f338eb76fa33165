"""Text from servers, models and files is made harmless for a terminal before it is shown."""

import re
import sys
from math import isfinite
from typing import Any

_SHORT = 64
"""Characters up to which equal texts are kept once."""
_UNUSUAL = re.compile(r"[^\x20-\x7e\n]")


def strip_control(text: str) -> str:
    """Strip control characters; line ends stay."""
    return text if text.isprintable() else "".join(c for c in text if c.isprintable() or c == "\n")


def strip_control_within(value: Any) -> Any:  # noqa: ANN401 - plain data of any shape
    """Strip control characters, and halves of characters, from every text in plain data."""
    if isinstance(value, str):
        return strip_control(value)
    if isinstance(value, dict):
        return {strip_control_within(key): strip_control_within(part) for key, part in value.items()}
    return [strip_control_within(part) for part in value] if isinstance(value, list | tuple) else value


def spelled_out(text: str) -> str:
    r"""Make a text harmless without leaving anything out: `\x1b` for an escape, `\u202e` for a change of direction.

    Line ends stay, tabs become blanks, and so does white space of other kinds.
    """
    lines = "\n".join(text.replace("\r\n", "\n").split("\r"))
    return _UNUSUAL.sub(_spelled, lines.expandtabs(4))


def _spelled(found: re.Match[str]) -> str:
    character = found.group()
    if character.isprintable():
        return character
    return " " if character.isspace() else ascii(character)[1:-1]


def one_line(text: str) -> str:
    """Make every run of white space one blank, and strip control characters."""
    return " ".join(strip_control(" ".join(text.split())).split())


def shortened(text: str, most: int) -> str:
    """Put a text in one line of at most so many characters, and ` …` where it was longer."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[:most]} …"


def whole_characters(text: str) -> str:
    """Join the two halves of a character that came apart; a half alone, which cannot be written, becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def once(text: str) -> str:
    """Return the one copy that is kept of a short text, of which there may be a million."""
    return sys.intern(text) if len(text) <= _SHORT else text


def duration(seconds: float) -> str:
    """Write a time in words: `12 minutes`, `6.5 hours`, `3 days`.

    Raises:
        ValueError: it is negative, or no number.
    """
    if not isfinite(seconds) or seconds < 0:
        raise ValueError(f"a time is a number of seconds from 0 on, and {seconds} is not")
    if seconds < 60:
        return "less than a minute"
    if seconds < 90 * 60:
        return _count(round(seconds / 60), "minute")
    if seconds < 48 * 3600:
        return _count(_short(seconds / 3600), "hour")
    return _count(_short(seconds / 86400), "day")


def _short(value: float) -> float:
    """Keep one decimal, and none from 10 on: an estimate is no better than that."""
    return round(value) if value >= 9.95 else round(value, 1)


def _count(value: float, unit: str) -> str:
    return f"{value:,g} {unit}{'' if value == 1 else 's'}"

"""Text for Markdown that stays text: names, notes, findings and servers' words never become markup, links or HTML."""

import re
from collections.abc import Sequence

from evaluator.text import one_line, shortened

_MOST = 4_000
"""Characters of a text: a server's words can be as long as it likes."""
_JOINER = "\u2060"
"""WORD JOINER, which is not seen and has no width: GitHub and Reddit make links of some words whatever is escaped."""
_BROKEN_UP = re.compile(
    r"(?<=:)(?=//)"  # https://…
    r"|(?<=[Ww]{3})(?=\.)"  # www.…
    r"|(?<=@)"  # @somebody, somebody@somewhere; GitHub takes even a@.b for an address
    r"|(?<=\#)(?=\d)|(?<=\bGH-)(?=\d)"  # #123, GH-123
    r"|(?<=(?<!\w)[ur]/)(?=\w)",  # u/somebody, r/somewhere
    re.IGNORECASE,
)
_MARKS = re.compile(r"([\\`*\[\]<>&~^$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_AT_THE_START = re.compile(r"\A(#|[+=-](?=[\s=-]|\Z))|\A(\d{1,9})(?=[.)](?:\s|\Z))")


def safe(text: str, most: int = _MOST) -> str:
    """Keep text from becoming markup, a link, a mention, a new line or a new cell; at most so many characters."""
    line = _MARKS.sub(r"\\\1", shortened(text, most))
    line = _AT_THE_START.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\", line)
    return _BROKEN_UP.sub(_JOINER, line).replace("|", "&#124;")


def code(text: str) -> str:
    """Write a code span that its text cannot close."""
    inside = one_line(text).replace("`", "'").replace("|", "/")
    return f"`{inside}`" if inside else ""


def row(*cells: str) -> str:
    """Write one line of a table; its cells are Markdown."""
    return f"| {' | '.join(cells)} |"


def header(*cells: str) -> tuple[str, str]:
    """Write the first two lines of a table."""
    return row(*cells), "|" + "---|" * len(cells)


def cells(values: Sequence[str]) -> str:
    """Write one line of a table; its cells are plain text."""
    return row(*map(safe, values))

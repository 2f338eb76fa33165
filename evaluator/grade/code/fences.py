"""Find the code blocks of a Markdown reply, as models write them."""

import re
from itertools import islice
from typing import NamedTuple

from evaluator.grade.code.source import LONGEST, dedent, parse

_MOST_MARKS = 2_000
"""Lines. What a reply has beyond that many fences is not looked at; no answer has."""
_MOST_EXTENSIONS = 10
_MOST_INSIDE = 4
_TAGS = ("[PYTHON]", "<code", "<python>")
_OPENING_TAG = re.compile(
    r"^[ \t]*+(?:\[PYTHON\]|(?:<pre>[ \t]*+)?<code\b[^>\n]*+>|<python>)[ \t]*+(?=\n|def |from |import |class |@)\n?",
    re.MULTILINE,
)
_CLOSING_TAG = re.compile(r"(?:\[/PYTHON\]|</code>(?:\s{0,9}</pre>)?|</python>)[ \t]*+$", re.MULTILINE)
_MARK = re.compile(r"^([^\n`~]*+)(`{3,}+|~{3,}+)([^\n]*)", re.MULTILINE)
_LIST_ITEM = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?")
_LANGUAGE = re.compile(r"[A-Za-z][\w+#.-]{0,19}")
_PYTHON = re.compile(r"\W*(?:python|py|ipython)[\d.]*\b", re.IGNORECASE)
_CODE = re.compile(r"(?:def|class|from|import)[ \t]+\w|@\w")


class Block(NamedTuple):
    """One code block."""

    label: str
    code: str
    """At the left margin."""
    closed: bool

    @property
    def for_python(self) -> bool:
        """Whether its label leaves it open that this is Python."""
        return not self.label or _PYTHON.match(self.label) is not None


class Fences(NamedTuple):
    """A reply, taken apart."""

    blocks: tuple[Block, ...]
    outside: str


class _Mark(NamedTuple):
    """A row of backticks or tildes, with the line that it stands in."""

    start: int
    """Of its line."""
    info_start: int
    before: str
    mark: str
    info: str

    @property
    def code_end(self) -> int:
        """Where code ends that this mark closes: it may stand in the mark's own line."""
        return self.start + len(self.before) if self.before.strip() else self.start


class _Open(NamedTuple):
    start: int
    kind: str
    shortest: int
    """Length that the closing mark must have: the opening one's, unless no mark of that length follows."""
    label: str


def split_fences(text: str) -> Fences:
    r"""Take a reply with `\n` line ends apart at its fences; a block that is never closed ends with the reply.

    Where models depart from CommonMark, the rule is what a reader would see: a fence may follow prose or code in its
    line; `\```python` within a block begins another; a mark inside a docstring closes nothing.
    """
    if any(tag in text for tag in _TAGS):
        text = _CLOSING_TAG.sub("\n```", _OPENING_TAG.sub("```python\n", text))
    marks = _find_marks(text)
    longest = _longest_to_come(marks)
    blocks: list[Block] = []
    outside: list[str] = []
    current: _Open | None = None
    position = number = 0
    patience = _MOST_EXTENSIONS
    while number < len(marks):
        mark = marks[number]
        if current is None:
            current = _open(mark, longest[number])
            if current is not None:
                outside.append(text[position : mark.start] + mark.before)
        elif _closes(mark, current) or _begins_another(mark, current):
            if patience and _may_end_in_string(text[current.start : mark.code_end]):
                patience -= 1
                number = _end_after_string(text, current, marks, number)
                mark = marks[number]
            inner = text[current.start : mark.code_end]
            if _begins_another(mark, current) and not _PYTHON.match(current.label):
                outside.append(inner)  # what looked like its opening mark closed a block whose own is lost
            else:
                blocks.append(_block(current, inner))
            position = mark.info_start
            current = _open(mark, longest[number]) if _begins_another(mark, current) else None
        number += 1
    if current is None:
        outside.append(text[position:])
    else:
        blocks.append(_block(current, text[current.start :], closed=False))
    return Fences(tuple(blocks), "\n".join(outside))


def _block(opened: _Open, code: str, *, closed: bool = True) -> Block:
    return Block(opened.label, dedent(code).strip("\n"), closed)


def _find_marks(text: str) -> list[_Mark]:
    if "```" not in text and "~~~" not in text:
        return []
    return [
        _Mark(match.start(), match.end() - len(match[3].lstrip()), match[1], match[2], match[3].strip())
        for match in islice(_MARK.finditer(text), _MOST_MARKS)
    ]


def _longest_to_come(marks: list[_Mark]) -> list[dict[str, int]]:
    """For each mark, the longest mark of its own that comes after it, of backticks and of tildes."""
    longest = {"`": 0, "~": 0}
    to_come = []
    for mark in reversed(marks):
        to_come.append(longest)
        if not mark.before.strip() and not mark.info:
            kind = mark.mark[0]
            longest = {**longest, kind: max(longest[kind], len(mark.mark))}
    return to_come[::-1]


def _open(mark: _Mark, longest: dict[str, int]) -> _Open | None:
    """Begin a block at a mark that stands alone, behind a list's bullet, or with a label behind prose."""
    if mark.mark[0] in mark.info:  # ```code``` within a line (CommonMark 0.31, section 4.5)
        return None
    if not _LIST_ITEM.fullmatch(mark.before) and not _PYTHON.fullmatch(mark.info):
        return None
    kind, length = mark.mark[0], len(mark.mark)
    shortest = length if longest[kind] >= length else 3
    if _CODE.match(mark.info):
        return _Open(mark.info_start, kind, shortest, "")
    return _Open(mark.info_start + len(mark.info), kind, shortest, mark.info)


def _closes(mark: _Mark, current: _Open) -> bool:
    """Whether a mark ends the block: alone in its line, behind code, or before prose."""
    if mark.mark[0] != current.kind or len(mark.mark) < current.shortest:
        return False
    if mark.before.strip():
        return not mark.info and "#" not in mark.before
    return not mark.info or " " in mark.info


def _begins_another(mark: _Mark, current: _Open) -> bool:
    alone = mark.mark[0] == current.kind and not mark.before.strip()
    return alone and _LANGUAGE.fullmatch(mark.info) is not None


def _may_end_in_string(code: str) -> bool:
    """Whether code seems to break off within a docstring."""
    return len(code) <= LONGEST and (code.count('"""') % 2 == 1 or code.count("'''") % 2 == 1)


def _end_after_string(text: str, current: _Open, marks: list[_Mark], number: int) -> int:
    """Return the number of the mark that ends the block where marks inside a docstring do not; else `number` itself."""
    if parse(dedent(text[current.start : marks[number].code_end])):
        return number
    for later in range(number + 1, len(marks)):
        end = marks[later].code_end
        if end - current.start > LONGEST or later - number > _MOST_INSIDE:
            break
        if not marks[later].info and parse(dedent(text[current.start : end])):
            return later
    return number

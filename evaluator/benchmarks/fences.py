"""Find the fenced code blocks of a Markdown reply, as models write them."""

from typing import NamedTuple

_MARKS = ("```", "~~~")


class Fences(NamedTuple):
    """A reply, taken apart."""

    blocks: tuple[str, ...]
    """The contents, without the indentation that their fences have."""
    outside: str


class _Open(NamedTuple):
    indent: int
    mark: str
    lines: list[str]


def split_fences(text: str) -> Fences:
    r"""Take a reply with `\n` line ends apart at its fences; a block that is never closed ends with the reply."""
    blocks: list[str] = []
    outside: list[str] = []
    current: _Open | None = None
    for line in text.split("\n"):
        mark, info = _fence(line)
        if current is None:
            # ```code``` within a line opens nothing (CommonMark 0.31, section 4.5)
            if mark and not (mark[0] == "`" and "`" in info):
                current = _Open(len(line) - len(line.lstrip()), mark, [])
            else:
                outside.append(line)
        elif mark.startswith(current.mark) and not info:
            blocks.append("\n".join(current.lines))
            current = None
        else:
            own = len(line) - len(line.lstrip())
            current.lines.append(line[min(own, current.indent) :])
    if current is not None:
        blocks.append("\n".join(current.lines))
    return Fences(tuple(blocks), "\n".join(outside))


def _fence(line: str) -> tuple[str, str]:
    """Return a fence's characters and what follows them; the characters are empty when the line is none."""
    bare = line.strip()
    if not bare.startswith(_MARKS):
        return "", ""
    info = bare.lstrip(bare[0])
    return bare[: len(bare) - len(info)], info.strip()

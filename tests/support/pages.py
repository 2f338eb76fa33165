"""What stands in the pages of the documentation: their blocks of code, the commands in them, their links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))
"""Those for people who use whichquant, by their path in the repository."""


class Block(NamedTuple):
    """A fenced block of code."""

    page: str
    language: str
    text: str


class Command(NamedTuple):
    """A command in a block for the shell, split into words; after `&&` a new one begins."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, text: str) -> list[Block]:
    """Return a page's fenced blocks.

    Raises:
        ValueError: a fence has no language, so that nobody knows what to check.
    """
    found = [Block(page, *parts) for parts in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    if nameless := [block for block in found if not block.language]:
        raise ValueError(f"{page}: a block without a language: {nameless[0].text[:60]!r}")
    return found


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a block for the shell; a backslash at a line's end joins it with the next."""
    if block.language != "sh":
        return
    for line in block.text.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word in ("&&", "|", ">"):
                if words:
                    yield Command(block.page, tuple(words))
                words = []
                if word != "&&":  # what follows is another program's, or a file
                    break
            else:
                words.append(word)


def links(text: str) -> list[str]:
    """Return the targets of a page's links, code left out."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose))

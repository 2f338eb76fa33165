"""Patterns that are slow to search for, behind a look for words that any match holds.

An alternation of many words in any case is tried at every character of a text; that one of them stands there at all is
found out twenty times faster, and in most replies none does.
"""

import re
import sys
from collections.abc import Sequence
from typing import NamedTuple


class Guarded(NamedTuple):
    """A pattern, and the words without which it cannot match."""

    pattern: re.Pattern[str]
    words: Sequence[str]
    """In small letters: every text that the pattern matches holds one of them, in small letters or others."""
    otherwise: re.Pattern[str] | None = None
    """Finds what the pattern finds where there are none of these words; None where that is nothing."""

    def may_match(self, text: str) -> bool:
        """Whether one of the words stands in a text; beyond ASCII nobody can say what is a letter in another case."""
        lowered = text.lower()
        return any(word in lowered for word in self.words) or not (self.otherwise or text.isascii())

    def search(self, text: str, begin: int = 0, end: int = sys.maxsize) -> re.Match[str] | None:
        """Search as the pattern does; of a match by `otherwise` only its beginning is the same."""
        if self.may_match(text[begin:end]):
            return self.pattern.search(text, begin, end)
        return self.otherwise.search(text, begin, end) if self.otherwise else None

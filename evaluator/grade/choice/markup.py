"""What is compared: a reply and the options without markup, and the options' texts."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from evaluator.grade.choice import phrases

_FONTS = tuple(
    rf"\{name}{{"
    for name in ("text", "textbf", "textit", "textrm", "mathrm", "mathbf", "mathsf", "mathit", "mathtt", "boldsymbol")
)
# A chain of replacements, and not str.translate, which is eight times slower where a text has any character beyond
# ASCII; what is taken out goes first, so that none of what is put in is taken for it.
_TAGS = (
    *((tag, "\n") for tag in ("<br>", "<br/>", "<br />", "<p>", "</p>")),
    *((f"<{slash}{name}>", "") for name in ("b", "i", "u", "em", "strong", "span", "code") for slash in ("", "/")),
)
_CHARACTERS: tuple[tuple[str, str], ...] = (
    *((mark, "") for mark in "*_`${\r\u200b\u200e\u200f\ufe0f\ufeff\u2705\u2714\u2611" + phrases.BOX + phrases.BRACE),
    *(
        ("}", phrases.BRACE),
        ("\xa0", " "),
        ("\u202f", " "),
        ("\u2013", "-"),
        ("\u2014", "-"),
        ("\u2212", "-"),
        ("\u2192", ">"),
    ),
    *(("\uff08", "("), ("\uff09", ")"), ("\uff1a", ":"), ("\u3010", "["), ("\u3011", "]"), ("\u3000", " ")),
    *(("\u2018", "'"), ("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"')),
    *((chr(0xFF21 + number), chr(ord("A") + number)) for number in range(10)),  # full-width letters
    *((chr(0xFF41 + number), chr(ord("a") + number)) for number in range(10)),
)
_ASCII = tuple((mark, plain) for mark, plain in _CHARACTERS if mark.isascii())
"""A text of these characters alone holds none of the others, which would take most of the time to look for."""

_BETWEEN = "\0"
"""Stands between texts; no markup has it."""
_BEFORE_TEXT = re.compile(r"[\"'\x02)\]]{0,4}[ .:,-]{0,4}[ (]?")


class Choices(NamedTuple):
    """A question's options."""

    letters: str
    options: tuple[str, ...]

    def letter_of(self, text: str) -> str:
        """Name the option whose text this is; empty when it is the text of none, or of several."""
        texts = _texts(self.letters, self.options)
        tidy = simplified(text)
        return texts.exact.get(tidy, "") or texts.caseless.get(tidy.casefold(), "")

    def is_text_of_another(self, small: str) -> bool:
        """Whether a small letter is the text of an option that has another letter."""
        return _texts(self.letters, self.options).single.get(small, small.upper()) != small.upper()

    def follows(self, letter: str, plain: str, end: int) -> int:
        """Count the characters by which the option's own text stands at `end` in the reply; 0 when it does not."""
        begin = _BEFORE_TEXT.match(plain, end)
        at = begin.end() if begin else end
        if at == len(plain):
            return 0
        text = _texts(self.letters, self.options).by_letter.get(letter, "")
        if (
            text
            and plain[at : at + len(text)].casefold() == text.casefold()
            and not plain[at + len(text) :][:1].isalnum()
        ):
            return at + len(text) - end
        return 0

    def is_line(self, letter: str, plain: str, end: int) -> bool:
        """Whether the option's own text stands at `end`, and nothing else in that line."""
        follows = self.follows(letter, plain, end)
        return bool(follows) and not plain[end + follows :].partition("\n")[0].strip(" .")


def without_markup(text: str) -> str:
    r"""Take Markdown and LaTeX off; `\boxed{` and `}` become one character each."""
    if "<" in text:
        for tag, instead in _TAGS:
            text = text.replace(tag, instead)
    if "\\" in text:
        for space in (r"\,", r"\;", r"\:", r"\ "):
            text = text.replace(space, " ")
        for boxed in (r"\boxed{", r"\boxed {", r"\fbox{"):
            text = text.replace(boxed, "\\boxed\x03")
        for font in _FONTS:
            text = text.replace(font, "")
        for bracket in (r"\(", r"\)", r"\[", r"\]"):
            text = text.replace(bracket, "")
    for mark, plain in _ASCII if text.isascii() else _CHARACTERS:
        text = text.replace(mark, plain)
    return text.replace("\\boxed\x03", phrases.BOX).replace("\\", "")


def simplified(text: str) -> str:
    """Bring a text to the form in which texts are compared."""
    return " ".join(text.split()).strip(" .,:;!\"'()\x02")


class _Texts(NamedTuple):
    exact: dict[str, str]
    """The letter of each text that is one option's only."""
    caseless: dict[str, str]
    by_letter: dict[str, str]
    single: dict[str, str]
    """The letter of the last option whose text is this letter alone, in small type."""


@lru_cache(maxsize=64)
def _texts(letters: str, options: tuple[str, ...]) -> _Texts:
    plain = _each_without_markup(options)
    by_letter = {letter: simplified(option) for letter, option in zip(letters, plain, strict=False)}
    single = {text.casefold(): letter for letter, text in by_letter.items() if len(text) == 1}
    return _Texts(_unique(by_letter, str), _unique(by_letter, str.casefold), by_letter, single)


def _each_without_markup(texts: Sequence[str]) -> Sequence[str]:
    """Take markup off texts, all at once where no markup can reach from one into the next."""
    together = _BETWEEN.join(texts)
    if together.count(_BETWEEN) == len(texts) - 1:
        return without_markup(together).split(_BETWEEN)
    return [without_markup(text) for text in texts]


def _unique(by_letter: dict[str, str], form: Callable[[str], str]) -> dict[str, str]:
    texts = [form(text) for text in by_letter.values()]
    return {text: letter for letter, text in zip(by_letter, texts, strict=True) if text and texts.count(text) == 1}

"""Read an answer that nothing announces in English: a letter or a text on a line of its own, a closing sentence."""

import re

from evaluator.grade.choice import languages, phrases
from evaluator.grade.choice.markup import Choices
from evaluator.records import Extraction

_ALONE = re.compile(r"[\"'(\[#>\s]{0,8}(?:(?i:option|choice)\s)?[\"'(\[]?([A-Z])[\"')\].\s]{0,8}")
_LETTER_FIRST = re.compile(r"[\"'(\[]?(?:(?i:option|choice)\s)?[\"'(\[]?([A-Z])[\"')\]]?[.:)]?[ ]{1,4}(?=\S)")


_ITEM = re.compile(r"[-#> ]{0,4}(?:(?i:option|choice)\s)?[(\[]?([A-Z])(?:[)\].:]|\s(?:is|will|would|has)\b)")


def read_closing(plain: str, choices: Choices, *, marked: bool = False) -> Extraction:
    """Read another language's announcement, else a line of its own, else the closing sentence.

    Args:
        plain: the reply without markup.
        choices: the question's options.
        marked: the reply ends with a mark of Markdown or LaTeX, so that it was not cut off.
    """
    invented = phrases.RUN_ON.search(plain, 1)
    plain = (plain[: invented.start()] if invented else plain).strip()
    return (
        _announced_elsewhere(plain, choices)
        or _alone(plain, choices, marked=marked)
        or _text_alone(plain, choices)
        or _closing_sentence(plain, choices)
        or Extraction(value=None, why="no option is named as the answer")
    )


def _announced_elsewhere(plain: str, choices: Choices) -> Extraction | None:
    """Read "Die Antwort ist C" and its like; the last one counts."""
    if not languages.may_announce(plain):
        return None
    letters = [
        letter
        for place in languages.ANNOUNCED.finditer(plain)
        if (letter := languages.LETTER.match(plain, place.end()))
    ]
    if not letters:
        return None
    named = letters[-1][1]
    if languages.DENIED.match(plain, letters[-1].end()):
        return Extraction(value=None, why=f"{named} is named, and not as the answer")
    if languages.ANOTHER.match(plain, letters[-1].end()):
        return Extraction(value=None, why="the final sentence names more than one option")
    if named not in choices.letters:
        return Extraction(value=None, why=f"the final answer, {named}, is none of this question's options")
    return Extraction(value=named, why=f"{named} is announced as the answer")


def _alone(plain: str, choices: Choices, *, marked: bool) -> Extraction | None:
    """Take a letter that has the whole reply, or the reply's first or last line, to itself."""
    lines = plain.split("\n")
    alone = {match[1]: at for at, line in enumerate(lines) if (match := _ALONE.fullmatch(line))}
    if len(alone) != 1:
        return None
    ((letter, at),) = alone.items()
    line, before = lines[at].strip(), next((line for line in reversed(lines[:at]) if line.strip()), "")
    if letter not in choices.letters or at not in {0, len(lines) - 1}:
        return None
    if at and not (marked or _is_whole(line, letter, before.strip())):
        return None
    return Extraction(value=letter, why=f"{letter} has a line to itself")


def _is_whole(line: str, letter: str, before: str) -> bool:
    """Whether a last line of one letter is an answer, and no list's next item, formula or sentence that was cut off."""
    item = _ITEM.match(before)
    if line.count("(") != line.count(")") or line.count("[") != line.count("]"):
        return False
    if item and ord(item[1]) + 1 == ord(letter):
        return False
    return len(line) > 1  # a bare letter may be the first of a word


def _text_alone(plain: str, choices: Choices) -> Extraction | None:
    """Take an option's letter with its text on the reply's first or last line, or its text as the whole reply."""
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    if not lines or not choices.options:
        return None
    if len(lines) == 1 and (letter := choices.letter_of(lines[0])):
        return Extraction(value=letter, why=f"the reply is the text of option {letter}")
    named = [
        (at, first[1])
        for at, line in enumerate(lines)
        if (first := _LETTER_FIRST.match(line.lstrip("-#> ")))
        and not line.endswith(":")
        and first[1] in {choices.letter_of(text) for text in _texts_behind(line.lstrip("-#> ")[first.end() :])}
    ]
    if len(named) == 1 and named[0][0] in {0, len(lines) - 1}:
        return Extraction(value=named[0][1], why=f"option {named[0][1]} with its text has a line to itself")
    return None


def _texts_behind(rest: str) -> tuple[str, str]:
    return rest, rest.removeprefix("- ")


def _closing_sentence(plain: str, choices: Choices) -> Extraction | None:
    """Take the one option that the last sentence ends with: "The most likely cause is (B)."."""
    for with_text in reversed(list(phrases.CLOSING_TEXT.finditer(plain, max(0, len(plain) - 500)))):
        if choices.letter_of(with_text[2]) == with_text[1]:
            return Extraction(value=with_text[1], why=f"the reply ends with option {with_text[1]} and its text")
    sentence = phrases.SENTENCE_BREAK.split(plain[-400:])[-1]
    closing = phrases.CLOSING.search(sentence)
    if closing is None or phrases.DENIES.search(sentence):
        return None
    named = closing["bracketed"] or closing["bare"] or closing["called"]
    rest = (closing["text"] or "").strip(" .!\x02")
    if named not in choices.letters or (rest and choices.letter_of(rest) != named):
        return None
    return Extraction(value=named, why=f"the last sentence ends with option {named}")

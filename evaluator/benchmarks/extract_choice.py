r"""Find the option a reply commits to. Nothing is guessed: no letter that just stands somewhere is ever taken.

Markup is taken off first. Then the places are looked up where an answer can be announced ("answer", "option",
`\boxed`), and only what stands right there is read. Every pattern is bounded: time is linear in the reply's length.
"""

import re
from collections import deque
from typing import NamedTuple

from evaluator.benchmarks import extract_choice_phrases as phrases
from evaluator.records import Extraction

_MOST_PLACES = 1000
"""Places read, from the end. Only a reply that runs in circles has more, and each costs microseconds."""
_FONTS = tuple(
    rf"\{name}{{"
    for name in ("text", "textbf", "textit", "textrm", "mathrm", "mathbf", "mathsf", "mathit", "mathtt", "boldsymbol")
)
# A chain of replacements, and not str.translate, which is eight times slower where a text has any character beyond
# ASCII; what is taken out goes first, so that none of what is put in is taken for it.
_CHARACTERS: tuple[tuple[str, str], ...] = (
    *((mark, "") for mark in "*_`${\r" + phrases.BOX + phrases.BRACE),
    *(("}", phrases.BRACE), ("\xa0", " "), ("\u2013", "-"), ("\u2014", "-"), ("\u2192", ">")),
    *(("\uff08", "("), ("\uff09", ")"), ("\uff1a", ":")),
    *(("\u2018", "'"), ("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"')),
)
_ALONE = re.compile(r"[\"'(\[*_`$#\s]{0,8}([A-Z])[\"')\]*_`$.\s]{0,8}")


class _Commitment(NamedTuple):
    """One place where the reply commits itself."""

    start: int
    end: int
    letter: str
    """Empty when it names more than one."""
    asked: bool
    """In a form that announces the final answer; weighs more than praise for an option in passing."""
    why: str


def extract_choice(text: str, letters: str, options: tuple[str, ...] = ()) -> Extraction:
    """Read the letter that a reply commits to; the last commitment counts, so that a correction does.

    Args:
        text: the reply without its thinking.
        letters: the letters of this question's options, such as `ABCDEFGHIJ`.
        options: their texts; an option's text then stands for its letter where no other option has the same.
    """
    plain = _without_markup(text)
    texts = _unique_texts(letters, options)
    found = _until_next_question(plain, _commitments(plain, texts))
    if not found:
        return _letter_alone(text, letters, texts)
    found = [one for one in found if one.asked] or found
    last = found[-1]
    if not last.asked and any(one.letter != last.letter for one in found):
        return Extraction(value=None, why="more than one option is called correct")
    if not last.letter or (len(found) > 1 and _contradicts(plain, found[-2], last)):
        return Extraction(value=None, why="the final sentence names more than one option")
    if last.letter not in letters:
        return Extraction(value=None, why=f"the final answer, {last.letter}, is none of this question's options")
    return Extraction(value=last.letter, why=last.why)


def _without_markup(text: str) -> str:
    for boxed in (r"\boxed{", r"\fbox{"):
        text = text.replace(boxed, "\\boxed\x03")
    for font in _FONTS:
        text = text.replace(font, "")
    for bracket in (r"\(", r"\)", r"\[", r"\]"):
        text = text.replace(bracket, "")
    for mark, plain in _CHARACTERS:
        text = text.replace(mark, plain)
    return text.replace("\\boxed\x03", phrases.BOX).replace("\\", "")


def _commitments(plain: str, texts: dict[str, str]) -> list[_Commitment]:
    found = []
    for anchor in deque(phrases.ANCHOR.finditer(plain), maxlen=_MOST_PLACES):
        word, start, end = anchor[0].lower(), anchor.start(), anchor.end()
        before = plain[max(0, start - 80) : start]
        if word == phrases.BOX:
            inside = phrases.IN_THE_BOX.match(plain, end)
            one = _read(plain, start, inside.end() if inside else end, texts, "boxed")
        elif word.startswith(" "):
            one = _read_called(plain, start, end, texts)
        elif phrases.NOT_MEANT.search(before):
            one = None
        else:
            announces = word == "answer" or phrases.PRAISED_NOUN.search(before)
            one = _read_announced(plain, start, end, texts) if announces else None
            if one is None and phrases.CHOSEN.search(before):
                one = _read_chosen(plain, start, end)
        if one:
            found.append(one)
    return found


def _read_announced(plain: str, start: int, end: int, texts: dict[str, str]) -> _Commitment | None:
    """Read what follows "answer is", "answer:" or a heading."""
    announced = phrases.ANNOUNCED.match(plain, end)
    clause = phrases.CLAUSE_BREAK.split(plain[max(0, start - 200) : start])[-1]
    if announced is None or (phrases.UNREAL if announced["would"] else phrases.IF_IT_WERE).search(clause):
        return None
    one = _read(plain, start, announced.end(), texts, "announced as the answer")
    if one is None:
        return None
    if announced["beside"] is not None and phrases.MENTIONED.match(plain, one.end):
        return None
    return one._replace(asked=not announced["would"])


def _read(plain: str, start: int, end: int, texts: dict[str, str], how: str) -> _Commitment | None:
    """Read a letter, or an option's text, that stands exactly at `end`."""
    letter = phrases.LETTER.match(plain, end)
    if letter is None:
        rest = plain[end : end + 300].partition(phrases.BRACE if how == "boxed" else "\n")[0]
        for said in (rest, rest.partition(". ")[0]):
            if named := texts.get(_simplified(said), ""):
                why = f"the text of option {named} is {how}"
                return _Commitment(start, end + len(said), named, asked=True, why=why)
        said_first = phrases.SAID_FIRST.match(plain, end)
        letter = phrases.LETTER.match(plain, said_first.end()) if said_first else None
    if letter is None or phrases.TAKEN_BACK.match(plain, letter.end()):
        return None
    named = _named(letter)
    listed = phrases.LISTED.match(plain, letter.end()) if "\n" in plain[start:end] else None
    if listed and ord(listed[1]) == ord(named) + 1:
        return None  # the options, repeated under a heading
    another = phrases.ANOTHER.match(plain, letter.end())
    if another and (another[1] or another[2]).upper() != named:
        return _Commitment(start, another.end(), "", asked=True, why="")
    return _Commitment(start, letter.end(), named, asked=True, why=f"{named} is {how}")


def _read_called(plain: str, start: int, end: int, texts: dict[str, str]) -> _Commitment | None:
    """Read "(C) is the correct answer" or "option C is correct", backwards from the verb."""
    called = phrases.CALLED.match(plain, end)
    if called is None:
        return None
    candidates = phrases.SUBJECT.finditer(plain, max(0, start - 120), start)
    letters = [one for one in candidates if one["opening"] is not None or one["noun"]]
    if not letters:
        return None
    letter = letters[-1]
    subject, named = letter.start("noun" if letter["noun"] else "letter"), letter["letter"].strip("\"'()[]").upper()
    said = _simplified(plain[letter.end() : start])
    if (said and texts.get(said) != named) or phrases.NOT_MEANT.search(plain, max(0, subject - 80), subject):
        return None
    return _Commitment(subject, called.end(), named, asked=bool(called["the"]), why=f"option {named} is called correct")


def _read_chosen(plain: str, start: int, end: int) -> _Commitment | None:
    """Read "option C" after "I choose"."""
    letter = phrases.LETTER.match(plain, end + 1) if plain[end : end + 1] == " " else None
    if letter is None:
        return None
    return _Commitment(start, letter.end(), _named(letter), asked=True, why=f"option {_named(letter)} is chosen")


def _named(letter: re.Match[str]) -> str:
    return (letter[1] or letter[2] or letter[3]).upper()


def _until_next_question(plain: str, found: list[_Commitment]) -> list[_Commitment]:
    """Leave out what a reply says after it has answered and then invented a next question."""
    invented = phrases.NEXT_QUESTION.search(plain, found[0].end) if found else None
    return [one for one in found if one.start < invented.start()] if invented else found


def _contradicts(plain: str, earlier: _Commitment, last: _Commitment) -> bool:
    between = plain[earlier.end : last.start]
    one_sentence = len(between) < 200 and not re.search(r"[.!?;\n]", between)
    return earlier.letter != last.letter and one_sentence and not phrases.CORRECTION.search(between)


def _letter_alone(text: str, letters: str, texts: dict[str, str]) -> Extraction:
    """Take a letter that has the whole reply, or the reply's first or last line, to itself."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    alone = {match[1]: at for at, line in enumerate(lines) if (match := _ALONE.fullmatch(line))}
    if len(alone) == 1:
        ((letter, at),) = alone.items()
        bare = lines[at].strip() in {letter, f"{letter}."}
        # A bare letter at the end may be the first letter of a sentence that was cut off.
        if letter in letters and (at == 0 or (at == len(lines) - 1 and not bare)):
            return Extraction(value=letter, why=f"{letter} has a line to itself")
    if len(lines) == 1:
        whole = _without_markup(lines[0]).strip()
        letter, said = whole.lstrip("(")[:1], whole.lstrip("(")[1:].lstrip(").: ")
        if letter and texts.get(_simplified(said)) == letter:
            return Extraction(value=letter, why=f"the reply is option {letter} with its text")
        if letter := texts.get(_simplified(whole), ""):
            return Extraction(value=letter, why=f"the reply is the text of option {letter}")
    return Extraction(value=None, why="no option is named as the answer")


def _unique_texts(letters: str, options: tuple[str, ...]) -> dict[str, str]:
    texts = [_simplified(_without_markup(option)) for option in options]
    return {text: letter for letter, text in zip(letters, texts, strict=False) if text and texts.count(text) == 1}


def _simplified(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .,:;!\"'()\x02")

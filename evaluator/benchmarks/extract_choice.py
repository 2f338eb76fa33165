r"""Find the option a reply commits to. Nothing is guessed: no letter that just stands somewhere is ever taken.

Markup is taken off first. Then the places are looked up where an answer can be announced ("answer", "option",
`\boxed`), and only what stands right there is read. Every pattern is bounded: time is linear in the reply's length.
"""

import re
from collections import deque
from typing import NamedTuple

from evaluator.records import Extraction

_MOST_PLACES = 1000
"""Places read, from the end. Only a reply that runs in circles has more, and each costs microseconds."""
_BOX, _BRACE = "\x01", "\x02"  # stand for `\boxed{` and `}` once markup is off
_FONTS = tuple(
    rf"\{name}{{"
    for name in ("text", "textbf", "textit", "textrm", "mathrm", "mathbf", "mathsf", "mathit", "mathtt", "boldsymbol")
)
_CHARACTERS = str.maketrans(
    dict.fromkeys("*_`${\r" + _BOX + _BRACE)
    | {"}": _BRACE, "\xa0": " ", "\u2013": "-", "\u2014": "-", "\u2192": ">"}
    | {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}
)

_ANCHOR = re.compile(rf"{_BOX}|[aA](?:nswer|NSWER)|[oO](?:ption|PTION)|[cC](?:hoice|HOICE)")
_ANNOUNCED = re.compile(
    r"""(?ix:
    (?:[ ](?:choice|option|letter))?
    (?:[ ](?:here|(?:to|for)[ ](?:the|this)[ ](?:question|problem)))?
    (?:,?[ ](?:therefore|thus|then|hence),?)?
    (?: \s{0,6} (?:(?:is|would[ ]be|should[ ]be|must[ ]be)\b | [:=>] | -{1,2}>?)
      | (?=\s{0,3}\n|[ ]?[(\[]) )        # a heading, or a bracket right behind the word
    [\s:]{0,8}
    (?:(?:therefore|thus|hence|clearly|definitely|most|likely|probably|simply|indeed|actually|then|now|given|by
         |either|both|option|choice|letter|the|answer|is)\b[\s:,]{1,6}){0,4}
    )"""
)
_LETTER = re.compile(
    r"""(?x:
    ["']? (?: \([ ]?([A-Za-z])[ ]?\) | \[[ ]?([A-Z])[ ]?\]
      | \(?([A-Z])
        # What may follow a bare letter, so that it is no article, pronoun, unit, variable or beginning of a name:
        (?= ["']?\x02{0,3} (?: (?<=\x02)(?![\^=\w]) | \s{0,4}\Z | [ ]{0,5}[\n(<] | [.!](?![\w.]) | [,;:)\]](?!\w)
          | [ ]{1,3}-[ ] | (?<=["'])(?!\w) | [ ](?i:because|since|as|for|due|with|which|based|given|or|and|is)\b ))
    ) \)? (?!["'\x02 )\]]{0,3}\?)
    )"""
)
_ANOTHER = re.compile(
    r"""(?x:
    [\x02"' ]{0,4} (?:,[ ]?)? (?:(?:(?i:and/or|or|and)\b|[,/&])[ ]{0,2})
    (?i:(?:possibly|perhaps|maybe|even|option)[ ])?
    (?: \(([A-Za-z]|[IVX]{2,4})\) | ([A-Z]|[IVX]{2,4})(?=\x02|\W|\Z)(?!'|[ ]\w) )
    )"""
)
_STATED = re.compile(r"[ ](?i:is|must[ ]be)[ ](?i:therefore[ ]|clearly[ ]|thus[ ])?(?i:the[ ])?(?i:most[ ])?")
_PRAISE = re.compile(r"(?i:correct|right|best|answer|accurate|appropriate)\b(?![ ]?(?:\?|(?i:if|only|when|about)\b))")
_CHOSEN = re.compile(r"(?i:\b(?:choose|select|pick|chose|go(?:ing)? with)(?: the)? )\Z")
_PRAISED_NOUN = re.compile(r"(?i:\b(?:correct|right|best|final|appropriate|suitable|accurate|my)(?: answer)? )\Z")
_NOT_MEANT = re.compile(
    r"""(?ix:
    (?:\b(?:not|never|neither|doubt|cannot|wrong)|n't)
    (?:[ ](?!(?:so|then|therefore|thus|hence|and|but)\b)[\w']{1,20}){0,6}[ ]\Z
    | \b(?:if|whether|unless|suppose|supposing|assume|assuming|claims|claimed|says|said|why)
      (?:[ ]that)?(?:[ ](?:the|my))?(?:[ ](?:correct|right|final|best))?[ ]\Z
    )"""
)
_CORRECTION = re.compile(r"(?i:\b(?:no|not|wait|actually|sorry|rather|instead|mistake|but|however|correction|hmm)\b)")
_NEXT_QUESTION = re.compile(r"\n[#\s]{0,6}(?:Question|QUESTION)\b[^\n:]{0,20}:")
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
    return text.translate(_CHARACTERS).replace("\\boxed\x03", _BOX).replace("\\", "")


def _commitments(plain: str, texts: dict[str, str]) -> list[_Commitment]:
    found = []
    for anchor in deque(_ANCHOR.finditer(plain), maxlen=_MOST_PLACES):
        word, start, end = anchor[0].lower(), anchor.start(), anchor.end()
        before = plain[max(0, start - 80) : start]
        if word == _BOX:
            one = _read(plain, start, end, texts, "boxed")
        elif _NOT_MEANT.search(before):
            one = None
        else:
            announced = _ANNOUNCED.match(plain, end) if word == "answer" or _PRAISED_NOUN.search(before) else None
            one = announced and _read(plain, start, announced.end(), texts, "announced as the answer")
            one = one or _read_praised(plain, start, end, chosen=bool(_CHOSEN.search(before)))
        if one:
            found.append(one)
    return found


def _read(plain: str, start: int, end: int, texts: dict[str, str], how: str) -> _Commitment | None:
    """Read a letter, or an option's text, that stands exactly at `end`."""
    if letter := _LETTER.match(plain, end):
        named = (letter[1] or letter[2] or letter[3]).upper()
        another = _ANOTHER.match(plain, letter.end())
        if another and (another[1] or another[2]).upper() != named:
            return _Commitment(start, another.end(), "", asked=True, why="")
        return _Commitment(start, letter.end(), named, asked=True, why=f"{named} is {how}")
    rest = plain[end : end + 300].partition(_BRACE if how == "boxed" else "\n")[0]
    for said in (rest, rest.partition(". ")[0]):
        if named := texts.get(_simplified(said), ""):
            return _Commitment(start, end + len(said), named, asked=True, why=f"the text of option {named} is {how}")
    return None


def _read_praised(plain: str, start: int, end: int, *, chosen: bool) -> _Commitment | None:
    """Read "option C is correct", or "option C" after "I choose"."""
    letter = _LETTER.match(plain, end + 1) if plain[end : end + 1] == " " else None
    if letter is None:
        return None
    named = (letter[1] or letter[2] or letter[3]).upper()
    stated = _STATED.match(plain, letter.end())
    praise = stated and _PRAISE.match(plain, stated.end())
    if not (praise or chosen):
        return None
    why = f"option {named} is " + ("chosen" if chosen else "called correct")
    return _Commitment(start, (praise or letter).end(), named, asked=chosen, why=why)


def _until_next_question(plain: str, found: list[_Commitment]) -> list[_Commitment]:
    """Leave out what a reply says after it has answered and then invented a next question."""
    invented = _NEXT_QUESTION.search(plain, found[0].end) if found else None
    return [one for one in found if one.start < invented.start()] if invented else found


def _contradicts(plain: str, earlier: _Commitment, last: _Commitment) -> bool:
    between = plain[earlier.end : last.start]
    one_sentence = len(between) < 200 and not re.search(r"[.!?;\n]", between)
    return earlier.letter != last.letter and one_sentence and not _CORRECTION.search(between)


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

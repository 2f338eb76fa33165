r"""Small letters that stand where an answer's letter does, as in "answer: b", "option d is correct", `\boxed{c}`.

They are written as capitals, and the reply is then read like any other. Most small letters are something else: words,
units, variables, parts of the question. So more is asked of what stands before and behind one than of a capital, and
most of `a` and `i`, which are words.
"""

import re
from collections.abc import Iterator

from evaluator.grade.choice import languages, phrases
from evaluator.grade.choice.markup import Choices

_BOLD = re.compile(r"(?<![\w*])(\*\*|__)([a-j])[.)]?\1(?![\w*])|<(b|strong)>([a-j])[.)]?</\3>")
_CLOSE = r"[\"')\]]{0,2}"
_LINE_ENDS = rf"{_CLOSE}\x02{{0,3}}[ ]?[.!]?\s{{0,4}}(?:\n|\Z)"
_REASON = r",?[ ](?:because|since|due[ ]to|based[ ]on|given[ ]that|rather[ ]than|and[ ]not|but[ ]not|(?<=,[ ])not)\b"
_NOT_ANOTHER = re.compile(rf"(?x:{_CLOSE}{_REASON})")
_EAST_ASIAN = r"[ ]?(?![和或と及与、跟]|または|又は|또는)[\u3001-\ud7af\uff01\uff0c\uff0e]"
_IN_A_BOX = r"[)\].]?\x02(?![ ]?[\^=+*/-]|\w)"
_ENDS = rf"""(?: {_LINE_ENDS} | {_IN_A_BOX} | {_CLOSE}{_REASON} | {_CLOSE}{_EAST_ASIAN}
    | {_CLOSE}[ ]{{0,5}}[<|] | {_CLOSE}[ ]{{1,2}}[\u2600-\u27bf\U0001f300-\U0001faff] | ["'],(?=[ \n])
    | {_CLOSE}[ ]?[.!](?=[ ]{{1,2}}["'(]?(?:[A-Z0-9]|(?:this|that|it|the|because|since|here|so|explanation)\b)) )"""
"""What may follow one that was announced: the end of its line or sentence, or a reason."""
_ENDS_A_WORD = rf"""(?: {_IN_A_BOX} | [)\]]{{1,2}}[ ]?[.,!]?\s{{0,4}}(?:\n|\Z) | [ ]{{0,2}}</
    | {_CLOSE}\n[ ]{{0,3}}\n\s{{0,4}}\S | {_CLOSE}{_REASON}
    | {_CLOSE}{_EAST_ASIAN} | {_CLOSE}\x02{{0,3}}[ ]?[.!](?=\s{{0,4}}(?:\n|\Z)|[ ]{{1,2}}[A-Z])
    | (?<=["'].)["'](?=[ ]?[.,\x02\n]|\Z) )"""
"""The same, for letters that are words: a line may end behind one because the reply was cut off there."""


def _here(words: str) -> re.Pattern[str]:
    """Match an announced letter; `words` are the letters that are words."""
    return re.compile(
        rf"""(?x: ["'(\[]{{0,2}} (?: ([a-j]) (?<![{words}]) (?={_ENDS}) | ([{words}]) (?={_ENDS_A_WORD})
        | (?:(?<=[:>\n])|(?<=[:>\n][ "'(\[])|(?<=:[ ]["'(\[])) ([{words}]) (?={_LINE_ENDS}) ) )"""
    )


_ANNOUNCED = _here("ai")
_ANNOUNCED_ELSEWHERE = _here("aei")
_WITH_TEXT = re.compile(r"[\"'(\[]{0,2}([a-j])(?=[\"')\]]{0,2}[ ]?[).:(-])")
_OF_UNKNOWN_TEXT = re.compile(r"[\"'(]?([b-hj])(?=\) ?(?!(?:or|and|oder|und|ou|et|o|y|e|of|en)\b)\w)")
_NAMED = re.compile(
    rf"""(?x: [ ]["'(]?([a-j])(?= ["')]?[ ](?:is|was|must|would|best|correctly|accurately|most|as)\b | {_ENDS} ) )"""
)
_CHOSEN = re.compile(
    rf"""(?x: \b(?i:choose|select|pick|chose|go[ ]with|going[ ]with|opt[ ]for)(?:[ ]the)?(?:[ ](?i:option|choice))?
    [ ] (?: \(([a-j])\)(?={_ENDS}) | ["']?([b-hj])(?={_ENDS}) ) )"""
)
_LEFT = re.compile(
    r"""(?x: (?:leav|mak)(?:es|ing)(?:[ ](?:us|only|with|just|option|choice)){0,3}[ ]
    (?: ["']?\(([a-j])\) | ["']?([b-hj])(?!\w) ) (?= ["']?(?: [ ](?:as[ ])?(?:the|our|my)[ ] | [.]?\s{0,3}\Z ) ) )"""
)
_SUBJECT = re.compile(
    r"""(?x: (?: \A(?:-[ ])? | [\n.!?:;>][ ]?(?:-[ ])? | \b(?i:so|therefore|thus|hence|consequently),?[ ]
      | \b(?i:think|believe|conclude)[ ](?:that[ ])?) ["']?([b-hj])["']?\Z )"""
)
_LINE = r"[\"'(\[#>\s-]{0,8}(?P<noun>(?i:option|choice)\s)?[\"'(\[]?(?P<letter>[a-j])[\"']?"
_ALONE = re.compile(rf"{_LINE}(?P<mark>[)\]]?)[\"')\].\s]{{0,8}}")
_TEXT_BEHIND = re.compile(rf"{_LINE}(?P<mark>[.:)\]]{{0,2}}(?: -)?)[ ]{{1,4}}")
_FIRST_LINE = re.compile(r"\s{0,1000}([^\n]{1,1000})(?=\n|\Z)")
_LAST_LINE = re.compile(r"(?<=\n)([^\n]{1,1000})\Z")
_CLOSING_TEXT = re.compile(r"(?:\b(?:is|are)|:)\s{0,3}[\"'(\[]?([a-j])[\"')\]]?[.:)]{1,2} {1,3}(?=\S)([^\n]{2,400})\Z")
_CLOSING = re.compile(
    r"""(?ix: \A["' ]?(?:(?:so|therefore|thus|hence),?[ ])?
    (?: I[ ](?:think|believe|guess|would[ ]say) | I'd[ ]say | it's | it[ ](?:is|must[ ]be) )
    (?:[ ](?:it|is|it's|that|must|be|option|choice)){0,4}[ ](?-i:([b-hj]))[.!]\s{0,4}\Z )"""
)
_BRACKETED_LAST = re.compile(r"\(([b-hj])\)[\"'\s\x02.!]{0,8}\Z")
_MARKER = re.compile(r"(?<![\w'(])\(?([a-j]|ii|iii|iv)\)(?!\w)|(?m:^[-#> ]{0,4}([a-j])\.(?=\s))")
"""Of parts and lists: "(a)", "b)", and "c. " where a line begins."""


_MOST_PLACES = 200
_NEAR = 1000
"""Characters in which the items of a list are looked for."""


def bracketed(text: str) -> str:
    """Write a small letter in bold type as one in brackets, before the markup is taken off."""
    return _BOLD.sub(lambda bold: f"({bold[2] or bold[4]})", text)


def raised(plain: str, places: list[re.Match[str]], choices: Choices) -> str:
    """Write each small letter that names an option as a capital; nothing else changes, the length neither.

    Args:
        plain: the reply without markup.
        places: where an answer can be announced in it.
        choices: the question's options; where a letter is also the text of another one, nothing is raised.
    """
    invented = phrases.RUN_ON.search(plain, 1)
    own = plain[: invented.start()] if invented else plain
    places = [place for place in places if place.end() <= len(own)]
    found = {
        at
        for find in (
            _at_places(own, places, choices),
            _elsewhere(own, choices),
            _chosen(own),
            _closing(own.rstrip(), choices),
        )
        for at in find
        if own[at].upper() in choices.letters
    }
    if any(choices.is_text_of_another(own[at]) for at in found):
        return plain
    letters = list(plain)
    for at in found:
        letters[at] = letters[at].upper()
    return "".join(letters)


def _at_places(plain: str, places: list[re.Match[str]], choices: Choices) -> Iterator[int]:
    """Look where "answer is", "option", a box or "is correct" stands."""
    for place in places:
        word, start, end = place[0], place.start(), place.end()
        if word == phrases.BOX:
            inside = phrases.IN_THE_BOX.match(plain, end)
            yield from _announced(plain, inside.end() if inside else end, choices)
        elif word in {" is", " must be"}:
            yield from _letter(_SUBJECT.search(plain, max(0, start - 16), start))
        elif word[0] != " ":
            if word[0] in "oOcC":
                yield from _letter(_NAMED.match(plain, end))
            if announced := phrases.ANNOUNCED.match(plain, end):
                yield from _announced(plain, announced.end(), choices)


def _announced(plain: str, at: int, choices: Choices, here: re.Pattern[str] = _ANNOUNCED) -> Iterator[int]:
    """Look for a letter at `at`, with or without its option's text."""
    letter = here.match(plain, at)
    if letter and not _begins_list(plain, letter.end()):
        yield from _letter(letter)
    behind = _WITH_TEXT.match(plain, at)
    if (
        behind
        and choices.follows(behind[1].upper(), plain, behind.end())
        and not phrases.NEXT_SMALL_ITEM.match(plain, at)
    ):
        yield behind.start(1)
    unknown = None if choices.options else _OF_UNKNOWN_TEXT.match(plain, at)
    if unknown and _is_only_marker(plain[max(0, at - _NEAR) : at + _NEAR], unknown[1]):
        yield unknown.start(1)


def _elsewhere(plain: str, choices: Choices) -> Iterator[int]:
    """Look where other languages announce an answer."""
    if languages.may_announce(plain):
        for place in [*languages.ANNOUNCED.finditer(plain)][-_MOST_PLACES:]:
            yield from _announced(plain, place.end(), choices, _ANNOUNCED_ELSEWHERE)


def _chosen(plain: str) -> Iterator[int]:
    """Look behind "I choose" and "leaving"."""
    for pattern in (_CHOSEN, _LEFT):
        for chosen in pattern.finditer(plain):
            yield from _letter(chosen)


def _closing(plain: str, choices: Choices) -> Iterator[int]:
    """Look at the first and the last line, and at the last sentence."""
    first, last = _FIRST_LINE.match(plain), _LAST_LINE.search(plain)
    for line in filter(None, (first, last)):
        yield from _on_a_line(plain, *line.span(1), choices)
    with_text = _CLOSING_TEXT.search(plain, max(0, len(plain) - 500))
    if with_text and choices.letter_of(with_text[2]) == with_text[1].upper():
        yield with_text.start(1)
    sentence = phrases.SENTENCE_BREAK.split(plain[-400:])[-1]
    begins = len(plain) - len(sentence)
    for at in _letter(_CLOSING.search(sentence)):
        yield begins + at
    if (bracket := _BRACKETED_LAST.search(sentence)) and _is_only_marker(
        "\n".join((plain, *choices.options)), bracket[1]
    ):
        yield begins + bracket.start(1)


def _on_a_line(plain: str, start: int, stop: int, choices: Choices) -> Iterator[int]:
    """Look for a line that is a letter, or a letter and its option's text."""
    alone, behind = _ALONE.fullmatch(plain, start, stop), _TEXT_BEHIND.match(plain, start, stop)
    if alone and _is_set_off(alone, plain):
        yield alone.start("letter")
    of_text = choices.letter_of(plain[behind.end() : stop]) if behind and _is_set_off(behind, plain) else ""
    if behind and of_text == behind["letter"].upper():
        yield behind.start("letter")


def _is_set_off(line: re.Match[str], plain: str) -> bool:
    """Whether a line's letter is no word, or stands behind "option" or before a bracket, and is no item of a list."""
    is_word = line["letter"] in "ai" and not (line["noun"] or line["mark"])
    return not is_word and _is_only_marker(plain, line["letter"])


def _begins_list(plain: str, end: int) -> bool:
    """Whether a small letter that ends at `end` is followed by others that are set as those of lists are."""
    if _NOT_ANOTHER.match(plain, end):
        return False
    return bool(
        phrases.NEXT_SMALL_ITEM.match(plain, end)
        or (plain[end : end + 1] in {")", "."} and _MARKER.search(plain, end + 1, end + _NEAR))
    )


def _is_only_marker(plain: str, letter: str) -> bool:
    """Whether no other small letter is set as those of parts and lists are."""
    return all((marker[1] or marker[2]) == letter for marker in _MARKER.finditer(plain))


def _letter(match: re.Match[str] | None) -> Iterator[int]:
    if match:
        yield match.start(match.lastindex or 0)

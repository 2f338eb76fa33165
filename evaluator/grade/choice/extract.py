r"""Find the option a reply commits to. Nothing is guessed: no letter that just stands somewhere is ever taken.

Markup is taken off first. Then the places are looked up where an answer can be announced ("answer", "option",
`\boxed`), and only what stands right there is read, the last place first. Every pattern is bounded: time is linear in
the reply's length.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from evaluator.grade.choice import phrases
from evaluator.grade.choice.closing import read_closing
from evaluator.grade.choice.markup import Choices, simplified, without_markup
from evaluator.records import Extraction

_LONGEST_READ = 100_000
"""Characters, from the end. No answer is longer, without its thinking."""
_FIRST_PLACES, _LAST_PLACES = 100, 200
"""Places read. Only a reply that runs in circles has more, and each costs microseconds."""
_MARKS = ("*", "_", "`", "$")
_LONGEST_BREATH = 200
"""Characters between two answers; with more, there is reasoning between them."""
_FEWEST_LISTED, _MOST_LISTED = 4, 7
"""Answers to three to five worked examples and to the question, perhaps with the question's own before them."""
_LONGEST_END = 10
"""Characters behind the last of them."""
_NONE = "-"
"""In place of a letter: the reply says that no option is right."""


class _Commitment(NamedTuple):
    """One place where the reply commits itself."""

    start: int
    end: int
    letter: str
    """Empty when it names more than one."""
    asked: bool
    """In a form that announces the final answer; weighs more than praise for an option in passing."""
    why: str
    by_text: bool = False
    """It names the option's text; a letter outweighs it."""


def read_letter(text: str, letters: str, options: tuple[str, ...] = ()) -> Extraction:
    """Read the letter that a reply commits to; the last commitment counts, so that a correction does.

    Args:
        text: the reply without its thinking.
        letters: the letters of this question's options, such as `ABCDEFGHIJ`.
        options: their texts; an option's text then stands for its letter where no other option has the same.
    """
    choices = Choices(letters, options)
    plain = without_markup(text[-_LONGEST_READ:])
    every = list(phrases.ANCHOR.finditer(plain))
    places = deque(every if len(every) <= _LAST_PLACES else [*every[:_FIRST_PLACES], *every[-_LAST_PLACES:]])
    first = next(_commitments(plain, places, choices), None)
    early = phrases.RUN_ON.search(plain, 1, first.start if first else len(plain))
    if early:
        answered = read_closing(plain[: early.start()], choices)
        if answered.value:
            return answered
    if first is None:
        return read_closing(plain, choices, marked=_is_marked(text))
    invented = phrases.RUN_ON.search(plain, first.end)
    places.reverse()
    if invented:
        while places[0].start() > invented.start():
            places.popleft()
        plain = plain[: invented.start()]
    return _decide(plain, _commitments(plain, places, choices), choices)


def _is_marked(text: str) -> bool:
    """Whether the last line stands in marks of Markdown or LaTeX, so that it was not cut off."""
    last = text.rstrip().rpartition("\n")[2].strip()
    return last.startswith(_MARKS) and last.endswith(_MARKS)


def _decide(plain: str, backwards: Iterator[_Commitment], choices: Choices) -> Extraction:
    """Weigh the commitments, the last one first."""
    breath, praised = _last_breath(plain, backwards, choices)
    last = (breath or praised)[0]
    if any(one.letter != last.letter for one in breath) and not _one_for_each_example(plain, breath):
        return Extraction(value=None, why="more than one option is named as the answer, with nothing between")
    if not breath and any(one.letter != last.letter for one in praised):
        return Extraction(value=None, why="more than one option is called correct")
    if said := _why_not(plain, last, choices):
        return Extraction(value=None, why=said)
    return Extraction(value=last.letter, why=last.why)


def _why_not(plain: str, last: _Commitment, choices: Choices) -> str:
    """Say why the last commitment names no option; empty when it does."""
    if last.letter == _NONE:
        return last.why
    if not last.letter:
        return "the final sentence names more than one option"
    if phrases.RETRACTED.match(plain, last.end) or _is_reconsidered(plain, last.end):
        return f"the final answer, {last.letter}, is taken back"
    if last.letter not in choices.letters:
        return f"the final answer, {last.letter}, is none of this question's options"
    return ""


def _is_reconsidered(plain: str, end: int) -> bool:
    """Whether "Wait" stands behind the last answer, and neither an answer nor a yes behind that."""
    reconsidered = phrases.RECONSIDERED.match(plain, end)
    return bool(reconsidered and not phrases.AFFIRMED.search(plain, reconsidered.end()))


def _last_breath(
    plain: str, backwards: Iterator[_Commitment], choices: Choices
) -> tuple[list[_Commitment], list[_Commitment]]:
    """Gather what must agree: the last answers that nothing stands between, and all praise that stands behind them."""
    breath: list[_Commitment] = []
    praised: list[_Commitment] = []
    for one in backwards:
        if not one.asked:
            praised.append(one)
        elif not breath or (one.by_text <= breath[0].by_text and _in_one_breath(plain, one, breath[-1], choices)):
            breath.append(one)
        elif not breath[0].by_text or phrases.CORRECTION.search(plain[one.end : breath[-1].start]):
            break
        elif not one.by_text:  # a text does not correct a letter unless it says so
            return [*breath, one], praised
        elif one.letter != breath[0].letter:
            break
    return breath, praised


def _in_one_breath(plain: str, earlier: _Commitment, later: _Commitment, choices: Choices) -> bool:
    """Whether no reasoning and no correction stands between two answers, or they answer parts or cases."""
    gap = plain[earlier.end + choices.follows(earlier.letter, plain, earlier.end) : later.start]
    if phrases.NEXT_PART.match(gap) or (earlier.letter and phrases.IN_CASE.search(gap)):
        return True
    if len(gap) > _LONGEST_BREATH:
        return False
    return bool(phrases.FILLER.fullmatch(gap)) or not (re.search(r"[.!?;\n]", gap) or phrases.CORRECTION.search(gap))


def _one_for_each_example(plain: str, breath: list[_Commitment]) -> bool:
    """Whether the reply ends with an answer for each worked example of the prompt and then this question's.

    Gemini 1.5 and MiniMax answer so to a prompt with five examples. Nothing but the list may have been said, or the
    answer given before it must be the list's last.
    """
    last, first = breath[0], breath[-1]
    if len(breath) > _MOST_LISTED or len(plain) - last.end > _LONGEST_END:
        return False
    if phrases.FILLER.fullmatch(plain[: first.start]):
        return len(breath) >= _FEWEST_LISTED
    return len(breath) == _MOST_LISTED and first.letter == last.letter


def _commitments(plain: str, places: deque[re.Match[str]], choices: Choices) -> Iterator[_Commitment]:
    for place in places:
        word, start, end = place[0], place.start(), place.end()
        if word == phrases.BOX:
            inside = phrases.IN_THE_BOX.match(plain, end)
            one = _read(plain, start, inside.end() if inside else end, choices, "boxed")
        elif word in {" is", " must be"}:
            one = _read_called(plain, start, end, choices)
        elif word.startswith((" leav", " mak")):
            one = _read_left(plain, start, end)
        elif word[0] == " ":
            chooses = phrases.CHOOSES.search(plain[max(0, end - 50) : end])
            one = _read(plain, start, end + 1, choices, "chosen") if chooses else None
        else:
            one = _read_announced(plain, start, end, choices) or _read_option(plain, start, end)
            if one and phrases.NOT_MEANT.search(plain[max(0, start - 80) : start]):
                one = None
        if one:
            yield one


def _read_announced(plain: str, start: int, end: int, choices: Choices) -> _Commitment | None:
    """Read what follows "answer is", "answer:" or a heading."""
    if plain[start] in "oOcC" and not (
        phrases.PRAISED_NOUN.search(plain[max(0, start - 80) : start])
        or phrases.THAT_FITS.match(plain, end)
        or plain[max(0, start - 7) : start].lower() == "correct"
        or (plain[end : end + 2].strip('"')[:1] == ":" and not plain[:start].rpartition("\n")[2].strip(' "{-#>'))
    ):
        return None
    announced = phrases.ANNOUNCED.match(plain, end)
    if announced is None:
        return None
    if phrases.NO_ANSWER.match(plain, announced.end("said")) and not phrases.EXACT.search(
        plain[max(0, start - 20) : start]
    ):
        return _Commitment(start, announced.end(), _NONE, asked=True, why="the final answer is that there is none")
    how = "announced as the answer"
    one = _read_text(plain, start, announced.end("said"), choices, how) or _read(
        plain, start, announced.end(), choices, how
    )
    if one is None:
        return None
    clause = phrases.CLAUSE_BREAK.split(plain[max(0, start - 200) : start])[-1]
    unreal = (phrases.UNREAL if announced["would"] else phrases.IF_IT_WERE).search(clause)
    if unreal or (announced["beside"] is not None and phrases.MENTIONED.match(plain, one.end)):
        return None
    return one._replace(asked=not announced["would"])


def _read(plain: str, start: int, end: int, choices: Choices, how: str) -> _Commitment | None:
    """Read a letter, or an option's text, that stands exactly at `end`."""
    if one := _read_text(plain, start, end, choices, how):
        return one
    letter = phrases.LETTER.match(plain, end)
    if letter is None and (said_first := phrases.SAID_FIRST.match(plain, end)):
        letter = phrases.LETTER.match(plain, said_first.end())
    if letter is None:
        return _read_small(plain, start, end, choices, how)
    named, listed = _named(letter), phrases.LISTED.match(plain, letter.end()) if "\n" in plain[start:end] else None
    if listed and ord(listed[1]) == ord(named) + 1:
        return None  # the options, repeated under a heading
    follows = choices.follows(named, plain, letter.end())
    finish = letter.end() + follows
    if not follows and (phrases.TAKEN_BACK.match(plain, finish) or _is_part(plain, letter)):
        return None
    another = phrases.ANOTHER.match(plain, finish) or phrases.ALSO.match(plain, finish)
    several = another and next(filter(None, another.groups())).upper() != named
    if several or (listed and listed[1] != named and choices.is_line(listed[1], plain, listed.end(1))):
        return _Commitment(start, finish, "", asked=True, why="")
    return _Commitment(start, finish, named, asked=True, why=f"{named} is {how}")


def _read_small(plain: str, start: int, end: int, choices: Choices, how: str) -> _Commitment | None:
    """Read "d) Nice": a small letter counts where its option's own text follows."""
    letter = phrases.SMALL_LETTER.match(plain, end)
    follows = choices.follows(letter[1].upper(), plain, letter.end()) if letter else 0
    if letter is None or not follows:
        return None
    named = letter[1].upper()
    return _Commitment(start, letter.end() + follows, named, asked=True, why=f"{named} is {how}")


def _is_part(plain: str, letter: re.Match[str]) -> bool:
    """Whether a small letter in brackets names a part of the question: "(a) 5 V"."""
    small = letter[0].strip("\"'()[] ").islower()
    return small and phrases.OTHER_PART.match(plain, letter.end()) is not None


def _read_text(plain: str, start: int, end: int, choices: Choices, how: str) -> _Commitment | None:
    """Read an option's text, alone up to the end of its line, sentence or box, or with its letter behind it."""
    if not choices.options:
        return None
    rest = plain[end : end + 400].partition("\n")[0]
    boxed, _, _ = rest.partition(phrases.BRACE)
    for said in (rest, boxed, *(rest.partition(end)[0] for end in (". ", "<", ", which "))):
        lettered = phrases.LETTERED.search(said)
        named = choices.letter_of(said[: lettered.start()] if lettered else said)
        if not named or _is_letter(simplified(said)) or (lettered and lettered[1] != named):
            continue
        if phrases.TAKEN_BACK.match(plain, end + len(said)):
            return None
        why = f"the text of option {named} is {how}"
        return _Commitment(start, end + len(said), named, asked=True, why=why, by_text=not lettered)
    return None


def _is_letter(said: str) -> bool:
    """Whether this can be an option's letter, also where an option's text is a single letter."""
    return len(said) == 1 and said.isalpha()


def _read_called(plain: str, start: int, end: int, choices: Choices) -> _Commitment | None:
    """Read "(C) is the correct answer" or "option C is correct", backwards from the verb."""
    called = phrases.CALLED.match(plain, end)
    if called is None:
        return None
    candidates = phrases.SUBJECT.finditer(plain, max(0, start - 300), start)
    letters = [one for one in candidates if one["opening"] is not None or one["noun"]]
    if not letters:
        named = choices.letter_of(phrases.CLAUSE_BEGINS.split(plain[max(0, start - 300) : start])[-1])
        why = f"the text of option {named} is called correct"
        one = _Commitment(start, called.end(), named, asked=True, why=why, by_text=True)
        return one if named and called["the"] else None
    letter = letters[-1]
    subject, named = letter.start("noun" if letter["noun"] else "letter"), letter["letter"].strip("\"'()[]").upper()
    said = plain[letter.end() : start]
    if (simplified(said) and choices.letter_of(said) != named) or phrases.NOT_MEANT.search(
        plain, max(0, subject - 80), subject
    ):
        return None
    return _Commitment(subject, called.end(), named, asked=bool(called["the"]), why=f"option {named} is called correct")


def _read_left(plain: str, start: int, end: int) -> _Commitment | None:
    """Read "leaving (C) as the correct answer"."""
    left = phrases.LEFT.match(plain, end)
    if left is None or phrases.NOT_MEANT.search(plain[max(0, start - 80) : start]):
        return None
    named = left[1] or left[2]
    return _Commitment(start, left.end(), named, asked=True, why=f"option {named} is what is left")


def _read_option(plain: str, start: int, end: int) -> _Commitment | None:
    """Read "option C" after "I choose", or before "best describes"."""
    if plain[start] in "aA" or plain[end : end + 1] != " ":
        return None
    before = plain[max(0, start - 80) : start]
    if best := phrases.DOES_BEST.match(plain, end):
        named = best[1] or best[2]
        return _Commitment(start, best.end(), named, asked=False, why=f"option {named} is called correct")
    letter = phrases.LETTER.match(plain, end + 1)
    if letter is None or phrases.TAKEN_BACK.match(plain, letter.end()):
        return None
    if not phrases.CHOSEN.search(before):
        return None
    return _Commitment(start, letter.end(), _named(letter), asked=True, why=f"option {_named(letter)} is chosen")


def _named(letter: re.Match[str]) -> str:
    return (letter[1] or letter[2] or letter[3]).upper()

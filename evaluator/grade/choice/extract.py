r"""Find the option a reply commits to. Nothing is guessed: no letter that just stands somewhere is ever taken.

Markup is taken off first. Then the places are looked up where an answer can be announced ("answer", "option",
`\boxed`), and only what stands right there is read, the last place first. Every pattern is bounded: time is linear in
the reply's length.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from evaluator.grade.choice import phrases, small_letters
from evaluator.grade.choice.closing import read_closing
from evaluator.grade.choice.markup import Choices, simplified, without_markup
from evaluator.records import Extraction

_LONGEST_READ = 100_000
"""Characters, from the end. No answer is longer, without its thinking."""
_FIRST_PLACES, _LAST_PLACES = 100, 200
"""Places read. Only a reply that runs in circles has more, and each costs microseconds."""
_MARKS = ("*", "_", "`", "$")
_LONGEST_GAP = 200
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
    final: bool
    """In a form that announces the final answer; weighs more than praise for an option in passing."""
    why: str
    by_text: bool = False
    """It gives the option's text; a letter outweighs it."""


def read_letter(text: str, letters: str, options: tuple[str, ...] = ()) -> Extraction:
    """Read the letter that a reply commits to; the last commitment counts, so that a correction does.

    Args:
        text: the reply without its thinking.
        letters: the letters of this question's options, such as `ABCDEFGHIJ`.
        options: their texts; an option's text then stands for its letter where no other option has the same.

    Returns:
        One of `letters` and the rule that read it; None for the letter, and the reason, where there is no answer.
    """
    choices = Choices(letters, options)
    text = text[-_LONGEST_READ:]
    plain = without_markup(text)
    announced = _read_announcements(plain, choices)
    if announced and announced.value and f"({announced.value.lower()})" not in plain:
        return announced
    bold = without_markup(small_letters.bracketed(text))
    raised = small_letters.raised(bold, _places(bold), choices)
    if raised != plain:
        plain, announced = raised, _read_announcements(raised, choices)
    return announced or read_closing(plain, choices, marked=_is_marked(text))


def _places(plain: str) -> list[re.Match[str]]:
    """Find where an answer can be announced."""
    every = list(phrases.ANCHOR.finditer(plain))
    return every if len(every) <= _LAST_PLACES else [*every[:_FIRST_PLACES], *every[-_LAST_PLACES:]]


def _read_announcements(plain: str, choices: Choices) -> Extraction | None:
    """Read a reply without its markup; None where nothing in it announces an answer."""
    places = deque(_places(plain))
    known: dict[int, _Commitment | None] = {}
    first = next(_commitments(plain, places, choices, known), None)
    early = phrases.RUN_ON.search(plain, 1, first.start if first else len(plain))
    if early:
        answered = read_closing(plain[: early.start()], choices)
        if answered.value:
            return answered
    if first is None:
        return None
    invented = phrases.RUN_ON.search(plain, first.end)
    places.reverse()
    if invented:
        while places[0].start() > invented.start():
            places.popleft()
        plain, known = plain[: invented.start()], {}
    return _decide(plain, _commitments(plain, places, choices, known), choices)


def _is_marked(text: str) -> bool:
    """Whether the last line stands in marks of Markdown or LaTeX, so that it was not cut off."""
    last = text.rstrip().rpartition("\n")[2].strip()
    return last.startswith(_MARKS) and last.endswith(_MARKS)


def _decide(plain: str, backwards: Iterator[_Commitment], choices: Choices) -> Extraction:
    """Weigh the commitments, the last one first."""
    answers, praised = _last_answers(plain, backwards, choices)
    last = (answers or praised)[0]
    if any(answer.letter != last.letter for answer in answers) and not _answers_examples(plain, answers):
        return Extraction(value=None, why="more than one option is named as the answer, with nothing between")
    if not answers and any(praise.letter != last.letter for praise in praised):
        return Extraction(value=None, why="more than one option is called correct")
    if problem := _why_not(plain, last, choices):
        return Extraction(value=None, why=problem)
    return Extraction(value=last.letter, why=last.why)


def _why_not(plain: str, last: _Commitment, choices: Choices) -> str:
    """Explain why the last commitment names no option; empty when it does."""
    if last.letter == _NONE:
        return last.why
    if not last.letter:
        return "the final sentence names more than one option"
    if phrases.is_taken_back(plain, last.end):
        return f"the final answer, {last.letter}, is taken back"
    if last.letter not in choices.letters:
        return f"the final answer, {last.letter}, is none of this question's options"
    return ""


def _last_answers(
    plain: str, backwards: Iterator[_Commitment], choices: Choices
) -> tuple[list[_Commitment], list[_Commitment]]:
    """Gather what must agree: the last answers that nothing stands between, and all praise that stands behind them."""
    answers: list[_Commitment] = []
    praised: list[_Commitment] = []
    for earlier in backwards:
        if not earlier.final:
            praised.append(earlier)
        elif not answers or (earlier.by_text <= answers[0].by_text and _adjacent(plain, earlier, answers[-1], choices)):
            answers.append(earlier)
        elif not answers[0].by_text or phrases.CORRECTION.search(plain[earlier.end : answers[-1].start]):
            break
        elif not earlier.by_text:  # a text does not correct a letter unless it says so
            return [*answers, earlier], praised
        elif earlier.letter != answers[0].letter:
            break
    return answers, praised


def _adjacent(plain: str, earlier: _Commitment, later: _Commitment, choices: Choices) -> bool:
    """Whether no reasoning and no correction stands between two answers, or they answer parts or cases."""
    gap = plain[earlier.end + choices.follows(earlier.letter, plain, earlier.end) : later.start]
    if phrases.NEXT_PART.match(gap) or (earlier.letter and phrases.IN_CASE.search(gap)):
        return True
    if len(gap) > _LONGEST_GAP:
        return False
    return bool(phrases.FILLER.fullmatch(gap)) or not (re.search(r"[.!?;\n]", gap) or phrases.CORRECTION.search(gap))


def _answers_examples(plain: str, answers: list[_Commitment]) -> bool:
    """Whether the reply ends with an answer for each worked example of the prompt and then this question's.

    Gemini 1.5 and MiniMax answer so to a prompt with five examples. The reply must be the list alone, or give the
    list's last answer before it.
    """
    last, first = answers[0], answers[-1]
    if len(answers) > _MOST_LISTED or len(plain) - last.end > _LONGEST_END:
        return False
    if phrases.FILLER.fullmatch(plain[: first.start]):
        return len(answers) >= _FEWEST_LISTED
    return len(answers) == _MOST_LISTED and first.letter == last.letter


def _commitments(
    plain: str, places: Iterable[re.Match[str]], choices: Choices, known: dict[int, _Commitment | None]
) -> Iterator[_Commitment]:
    """Read the places, each once: what was read of this text is kept by where it begins."""
    for place in places:
        start = place.start()
        if start not in known:
            known[start] = _commitment(plain, place[0], start, place.end(), choices)
        if commitment := known[start]:
            yield commitment


def _commitment(plain: str, word: str, start: int, end: int, choices: Choices) -> _Commitment | None:
    """Read the place from `start` to `end`, where `word` stands."""
    if word == phrases.BOX:
        inside = phrases.IN_THE_BOX.match(plain, end)
        return _read(plain, start, inside.end() if inside else end, choices, "boxed")
    if word in {" is", " must be"}:
        return _read_called(plain, start, end, choices)
    if word.startswith((" leav", " mak")):
        return _read_left(plain, start, end)
    if word[0] == " ":
        chooses = phrases.CHOOSES.search(plain[max(0, end - 50) : end])
        return _read(plain, start, end + 1, choices, "chosen") if chooses else None
    commitment = _read_announced(plain, start, end, choices) or _read_option(plain, start, end)
    if commitment and phrases.NOT_MEANT.search(plain[max(0, start - 80) : start]):
        return None
    return commitment


def _can_announce(plain: str, start: int, end: int) -> bool:
    """Whether a word can announce the answer: "answer" always; "option" and "choice" if praised or as a heading."""
    return bool(
        plain[start] not in "oOcC"
        or phrases.PRAISED_NOUN.search(plain[max(0, start - 80) : start])
        or phrases.THAT_FITS.match(plain, end)
        or plain[max(0, start - 7) : start].lower() == "correct"
        or (plain[end : end + 2].strip('"')[:1] == ":" and not plain[:start].rpartition("\n")[2].strip(' "{-#>'))
    )


def _read_announced(plain: str, start: int, end: int, choices: Choices) -> _Commitment | None:
    """Read what follows "answer is", "answer:" or a heading."""
    announced = phrases.ANNOUNCED.match(plain, end) if _can_announce(plain, start, end) else None
    if announced is None:
        return None
    if phrases.NO_ANSWER.match(plain, announced.end("content")) and not phrases.EXACT.search(
        plain[max(0, start - 20) : start]
    ):
        return _Commitment(start, announced.end(), _NONE, final=True, why="the final answer is that there is none")
    how = "announced as the answer"
    answer = _read_text(plain, start, announced.end("content"), choices, how) or _read(
        plain, start, announced.end(), choices, how
    )
    if answer is None:
        return None
    unreal = phrases.is_unreal(plain[max(0, start - 200) : start], would=bool(announced["would"]))
    if unreal or (announced["beside"] is not None and phrases.MENTIONED.match(plain, answer.end)):
        return None
    return answer._replace(final=not announced["would"])


def _read(plain: str, start: int, end: int, choices: Choices, how: str) -> _Commitment | None:
    """Read a letter, or an option's text, that stands exactly at `end`."""
    if by_text := _read_text(plain, start, end, choices, how):
        return by_text
    letter = phrases.LETTER.match(plain, end)
    if letter is None and (value_first := phrases.VALUE_FIRST.match(plain, end)):
        letter = phrases.LETTER.match(plain, value_first.end())
    if letter is None:
        return _read_small(plain, start, end, choices, how)
    named, listed = _named(letter), phrases.LISTED.match(plain, letter.end()) if "\n" in plain[start:end] else None
    if listed and ord(listed[1]) == ord(named) + 1:
        return None  # the options, repeated under a heading
    follows = choices.follows(named, plain, letter.end())
    finish = letter.end() + follows
    if not follows and (phrases.TAKEN_BACK.match(plain, finish) or _is_part(plain, letter)):
        return None
    if _names_another(plain, finish, letter) or (
        listed and listed[1] != named and choices.is_line(listed[1], plain, listed.end(1))
    ):
        return _Commitment(start, finish, "", final=True, why="")
    return _Commitment(start, finish, named, final=True, why=f"{named} is {how}")


def _names_another(plain: str, end: int, letter: re.Match[str]) -> bool:
    """Whether another letter than this one is named right behind it: "B or C"."""
    another = phrases.ANOTHER.match(plain, end) or phrases.ALSO.match(plain, end)
    if another is None and (letter[1] or "").islower():
        another = phrases.ANOTHER_SMALL.match(plain, end)
    return another is not None and next(filter(None, another.groups())).upper() != _named(letter)


def _read_small(plain: str, start: int, end: int, choices: Choices, how: str) -> _Commitment | None:
    """Read "d) Nice": a small letter counts where its option's own text follows."""
    letter = phrases.SMALL_LETTER.match(plain, end)
    follows = choices.follows(letter[1].upper(), plain, letter.end()) if letter else 0
    if letter is None or not follows or ("\n" in plain[start:end] and phrases.NEXT_SMALL_ITEM.match(plain, end)):
        return None
    named = letter[1].upper()
    return _Commitment(start, letter.end() + follows, named, final=True, why=f"{named} is {how}")


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
    for text in dict.fromkeys((rest, boxed, *(rest.partition(end)[0] for end in (". ", "<", ", which ")))):
        if _is_letter(simplified(text)):
            continue
        lettered = phrases.LETTERED.search(text)
        named = choices.letter_of(text[: lettered.start()] if lettered else text)
        if not named or (lettered and lettered[1].upper() != named):
            continue
        if phrases.TAKEN_BACK.match(plain, end + len(text)):
            return None
        why = f"the text of option {named} is {how}"
        return _Commitment(start, end + len(text), named, final=True, why=why, by_text=not lettered)
    return None


def _is_letter(text: str) -> bool:
    """Whether this can be an option's letter, also where an option's text is a single letter."""
    return len(text) == 1 and text.isalpha()


def _read_called(plain: str, start: int, end: int, choices: Choices) -> _Commitment | None:
    """Read "(C) is the correct answer" or "option C is correct", backwards from the verb."""
    called = phrases.CALLED.match(plain, end)
    if called is None:
        return None
    candidates = phrases.SUBJECT.finditer(plain, max(0, start - 300), start)
    letters = [match for match in candidates if match["opening"] is not None or match["noun"]]
    if not letters:
        named = choices.letter_of(phrases.CLAUSE_BEGINS.split(plain[max(0, start - 300) : start])[-1])
        why = f"the text of option {named} is called correct"
        by_text = _Commitment(start, called.end(), named, final=True, why=why, by_text=True)
        return by_text if named and called["the"] else None
    letter = letters[-1]
    subject, named = letter.start("noun" if letter["noun"] else "letter"), letter["letter"].strip("\"'()[]").upper()
    text = plain[letter.end() : start]
    if (simplified(text) and choices.letter_of(text) != named) or phrases.NOT_MEANT.search(
        plain, max(0, subject - 80), subject
    ):
        return None
    return _Commitment(subject, called.end(), named, final=bool(called["the"]), why=f"option {named} is called correct")


def _read_left(plain: str, start: int, end: int) -> _Commitment | None:
    """Read "leaving (C) as the correct answer"."""
    left = phrases.LEFT.match(plain, end)
    if left is None or phrases.NOT_MEANT.search(plain[max(0, start - 80) : start]):
        return None
    named = left[1] or left[2]
    return _Commitment(start, left.end(), named, final=True, why=f"option {named} is what is left")


def _read_option(plain: str, start: int, end: int) -> _Commitment | None:
    """Read "option C" after "I choose", or before "best describes"."""
    if plain[start] in "aA" or plain[end : end + 1] != " ":
        return None
    before = plain[max(0, start - 80) : start]
    if best := phrases.DOES_BEST.match(plain, end):
        named = best[1] or best[2]
        return _Commitment(start, best.end(), named, final=False, why=f"option {named} is called correct")
    letter = phrases.LETTER.match(plain, end + 1)
    if letter is None or phrases.TAKEN_BACK.match(plain, letter.end()):
        return None
    if not phrases.CHOSEN.search(before):
        return None
    return _Commitment(start, letter.end(), _named(letter), final=True, why=f"option {_named(letter)} is chosen")


def _named(letter: re.Match[str]) -> str:
    return (letter[1] or letter[2] or letter[3]).upper()

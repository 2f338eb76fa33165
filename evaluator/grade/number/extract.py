r"""Find the number a reply commits to. Nothing is guessed: a number that just stands somewhere is never taken.

In this order:
1. An announcement: `#### 18`, `\boxed{18}`, "the answer is 18", "Answer: 18" and the like in some twenty languages.
   The last one counts, so that a correction does. With an equation behind it the result counts (9 * 2 = 18). Two
   that differ with nothing between them, one that names several numbers (18 or 19, 2 hours 30 minutes), an expression
   without its result, and an answer that is taken back are no answer.
2. Without an announcement the reply's end:
   a number, with or without its unit, that is the whole reply or has the last line to itself, alone or behind a label
   ("Total: $18"); the result of an equation that the last sentence ends with ("She makes 9 * 2 = $18 every day"); the
   one number in bold in the last line; the only number of a last sentence, or of its last clause, that draws a
   conclusion ("So she makes $18", "9 * 2 = 18, so she makes $18").

Any other number in prose is not taken, nor is the last one of several: where lm-evaluation-harness' flexible-extract
takes the last number wherever it stands, this is unparsed.

Thousands separators, currencies, units, percent signs, LaTeX and trailing zeros make no difference; 18.0 is 18, and
25 % is 25. Time is linear in the reply's length.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from evaluator.grade.choice import languages
from evaluator.grade.choice.phrases import CORRECTION, FILLER, NOT_MEANT, RUN_ON, is_taken_back
from evaluator.grade.number import phrases
from evaluator.grade.number.numerals import Numeral, numeral_at, numerals
from evaluator.grade.number.plain import BRACE, without_markup
from evaluator.records import Extraction

_LONGEST_READ = 100_000
"""Characters, from the end. No answer is longer, without its thinking."""
_FIRST_PLACES, _LAST_PLACES = 100, 200
"""Announcements read. Only a reply that runs in circles has more."""
_LONGEST_CLAUSE = 300
_LONGEST_AFTER = 300
"""Characters behind the last sentence with a number in it."""
_DIGIT = re.compile(r"[0-9]")
_CLAUSE_END = re.compile(r"[.!?](?![0-9])|\n")
_UNIT_WORDS = re.compile(r"[^\n.!?]{0,60}")


class _Commitment(NamedTuple):
    """One place where the reply announces its answer."""

    start: int
    end: int
    value: str | None
    """None where it names no single number."""
    why: str


def read_number(text: str) -> Extraction:
    """Read the number that a reply commits to, in its shortest exact form (`18`, `-2.5`, `1/3`).

    Args:
        text: the reply without its thinking.

    Returns:
        The number and the rule that read it; None for the number, and the reason, where there is no answer.
    """
    text = text[-_LONGEST_READ:]
    plain = without_markup(text)
    first = next(_announcements(plain), None)
    invented = RUN_ON.search(plain, first.end if first else 1)
    if first is None and invented and not _DIGIT.search(plain, 0, invented.start()):
        invented = None  # it begins with the question, and all that it has to say stands behind that
    plain = plain[: invented.start()] if invented else plain
    announced = list(_announcements(plain))
    return _decide(plain, announced) if announced else _read_end(plain, "" if invented else text)


def _decide(plain: str, announced: list[_Commitment]) -> Extraction:
    """Weigh the announcements, the last one first."""
    last = announced[-1]
    if last.value is None:
        return Extraction(value=None, why=last.why)
    later = last
    for earlier in reversed(announced[:-1]):
        if not _adjacent(plain[earlier.end : later.start]):
            break
        if earlier.value != last.value:
            return Extraction(value=None, why="more than one number is given as the answer, with nothing between")
        later = earlier
    if is_taken_back(plain, last.end):
        return Extraction(value=None, why=f"the final answer, {last.value}, is taken back")
    return Extraction(value=last.value, why=last.why)


def _adjacent(gap: str) -> bool:
    """Whether nothing but units and words such as "so the final" stands between two answers."""
    if len(gap) > _LONGEST_CLAUSE or CORRECTION.search(gap) or _DIGIT.search(gap):
        return False
    units = _UNIT_WORDS.match(gap)
    return bool(FILLER.fullmatch(gap, units.end() if units else 0))


def _announcements(plain: str) -> Iterator[_Commitment]:
    """Yield the announcements of a number, in the order in which they stand."""
    places = [(place.start(), place) for place in phrases.ANCHOR.finditer(plain)]
    lowered = plain.lower()
    if any(word in lowered for word in (*languages.WORDS, *languages.EAST_ASIAN_WORDS)):
        elsewhere = [(place.start(), place) for place in languages.ANNOUNCED.finditer(plain)]
        places = sorted(places + elsewhere, key=lambda place: place[0])
    taken = 0
    if len(places) > _FIRST_PLACES + _LAST_PLACES:
        places = [*places[:_FIRST_PLACES], *places[-_LAST_PLACES:]]
    for start, place in places:
        if start < taken:
            continue
        commitment = _announced(plain, place)
        if commitment is not None:
            taken = commitment.end
            yield commitment


def _announced(plain: str, place: re.Match[str]) -> _Commitment | None:
    """Read what an announcement announces; None where it is none."""
    kinds = {kind for kind, text in place.groupdict().items() if text is not None}
    if kinds & {"says", "heads"} and NOT_MEANT.search(plain[max(0, place.start() - 80) : place.start()]):
        return None
    lead = phrases.LEAD.match(plain, place.end())
    begin = lead.end() if lead else place.end()
    end = _clause_end(plain, begin)
    if "box" in kinds and (closed := plain.find(BRACE, begin, end)) >= 0:
        end = closed
    number = numeral_at(plain, begin, words=not kinds & {"hashes"})
    if kinds & {"hashes", "heads"}:  # what may be a heading announces a number only if nothing else follows it
        return _headed(plain, place, begin, number)
    if number is None:
        if "says" not in kinds and "box" not in kinds:
            return None
        return _in_clause(plain, place, begin, end)
    how = "boxed" if "box" in kinds else "announced as the answer"
    return _judged(plain, place.start(), number, end, how)


def _headed(plain: str, place: re.Match[str], begin: int, number: Numeral | None) -> _Commitment | None:
    line_end = plain.find("\n", begin)
    line = plain[begin : line_end if line_end >= 0 else len(plain)][:_LONGEST_CLAUSE]
    how = "announced as the answer"
    if number is None:
        return None
    if phrases.OPERATOR.match(plain, number.end):
        result = _result(line)
        rest = line[result.end :] if result else ""
        if result is None or not phrases.REST_OF_LINE.fullmatch(rest) or _CLAUSE_END.search(rest.rstrip(". \n")):
            return None
        return _Commitment(place.start(), begin + result.end, result.value, f"{result.value} is {how}")
    if phrases.LIST_ITEM.match(plain, number.end):
        return None
    several = phrases.ANOTHER.match(plain, number.end)
    if not several and not phrases.REST_OF_LINE.match(plain, number.end):
        return None
    return _judged(plain, place.start(), number, begin + len(line), how)


def _judged(plain: str, start: int, number: Numeral, clause_end: int, how: str) -> _Commitment:
    """Take a number that stands where the answer should, unless it is not the whole of it."""
    if phrases.OPERATOR.match(plain, number.end):
        clause = plain[number.start : clause_end]
        result = _result(clause)
        if result is None:
            return _Commitment(start, number.end, None, "the answer is an expression without its result")
        return _Commitment(start, number.start + result.end, result.value, f"{result.value} is {how}")
    if phrases.ANOTHER.match(plain, number.end):
        return _Commitment(start, number.end, None, "the answer names more than one number")
    if phrases.RELATES.match(plain, number.end) or phrases.QUESTIONED.match(plain, number.end):
        return _Commitment(start, number.end, None, f"{number.value} is named, and not as the answer")
    return _Commitment(start, number.end, number.value, f"{number.value} is {how}")


def _in_clause(plain: str, place: re.Match[str], begin: int, end: int) -> _Commitment | None:
    """Read "the answer is that she makes 18 dollars": the clause's only number."""
    clause = plain[begin:end]
    if not _DIGIT.search(clause):
        return None
    number = None if phrases.DENIES.search(clause) else _only_number(clause)
    if number is None:
        return _Commitment(place.start(), end, None, "the sentence with the answer names no single number")
    return _Commitment(place.start(), begin + number.end, number.value, f"{number.value} is announced as the answer")


def _clause_end(plain: str, begin: int) -> int:
    end = _CLAUSE_END.search(plain, begin, begin + _LONGEST_CLAUSE)
    return end.start() if end else min(len(plain), begin + _LONGEST_CLAUSE)


def _result(clause: str) -> Numeral | None:
    """Read the result of an equation that a clause ends with, its unit aside."""
    equals = list(phrases.RESULT.finditer(clause))
    if not equals:
        return None
    number = numeral_at(clause, equals[-1].end())
    if number is None or _DIGIT.search(clause, number.end) or phrases.OPERATOR.match(clause, number.end):
        return None
    return number


def _only_number(clause: str) -> Numeral | None:
    """Read the result of the clause's equation, or its one number."""
    if phrases.RESULT.search(clause):
        return _result(clause)
    numbers = numerals(clause)
    if len(numbers) != 1:
        return None
    before, after = clause[: numbers[0].start], clause[numbers[0].end :]
    return None if _DIGIT.search(before + after) or before.rstrip().endswith("-") else numbers[0]


def _read_end(plain: str, marked: str) -> Extraction:
    """Read the answer of a reply that announces none; `marked` is the reply with its markup."""
    lines = [line.strip() for line in plain.split("\n") if line.strip()]
    alone = _alone(lines) if lines else None
    if alone:
        where = "is the whole reply" if len(lines) == 1 else "has the last line to itself"
        return Extraction(value=alone, why=f"{alone} {where}")
    sentence, after = _last_with_digits(plain)
    if not sentence or len(after) > _LONGEST_AFTER or phrases.GOES_ON.search(after) or after.endswith(":"):
        return Extraction(value=None, why="no number is given as the answer")
    return _read_sentence(sentence, marked)


def _read_sentence(sentence: str, marked: str) -> Extraction:
    """Read the last sentence that has a number in it."""
    result = None if phrases.DOUBTS.search(sentence) else _result(sentence)
    if result:
        return Extraction(value=result.value, why=f"{result.value} is the result of the last equation")
    if sentence.endswith(":") or phrases.DENIES.search(sentence):
        return Extraction(value=None, why="the last sentence with a number in it states no answer")
    bold = _bold(marked)
    if bold:
        return Extraction(value=bold, why=f"{bold} stands in bold in the last line")
    conclusion = phrases.CONCLUDING_CLAUSE.split(sentence)[-1]
    number = _only_number(conclusion) if phrases.CONCLUDES.search(conclusion) else None
    if number:
        return Extraction(value=number.value, why=f"the conclusion names {number.value}, and no other number")
    return Extraction(value=None, why="no number is given as the answer")


def _alone(lines: list[str]) -> str | None:
    """Read a last line that is a number with its unit, alone or behind a label, and no further item of a list."""
    last, before = lines[-1].strip("*_ "), lines[-2] if len(lines) > 1 else ""
    label = phrases.LABELLED.match(last)
    if label and phrases.LABELLED.match(before) and _ends_with_number(before) and not phrases.OF_ALL.search(label[0]):
        return None
    begin = label.end() if label else 0
    lead = phrases.LEAD.match(last, begin)
    number = numeral_at(last, lead.end() if lead else begin, words=len(lines) == 1)
    if number is None or not phrases.UNITS.match(last, number.end) or phrases.ANOTHER.match(last, number.end):
        return None
    item = numeral_at(before, 0)
    if item and not label and number.value == str(int(float(item.value)) + 1 if "/" not in item.value else ""):
        return None
    return number.value


def _ends_with_number(line: str) -> bool:
    numbers = numerals(line)
    return bool(numbers) and bool(phrases.UNITS.match(line, numbers[-1].end))


def _last_with_digits(plain: str) -> tuple[str, str]:
    """Return the last sentence that has a digit in it, and what stands behind it."""
    tail = plain.rstrip()[-2 * _LONGEST_CLAUSE :]
    sentences = [sentence for sentence in phrases.SENTENCE_BREAK.split(tail) if sentence.strip()]
    for place in range(len(sentences) - 1, -1, -1):
        if _DIGIT.search(sentences[place]):
            return sentences[place].strip(), " ".join(sentences[place + 1 :]).strip()
    return "", ""


def _bold(marked: str) -> str | None:
    """Read the one number in bold in the last line that is not blank."""
    last = marked.rstrip()[-_LONGEST_CLAUSE:].rpartition("\n")[2]
    values = {number.value for span in phrases.BOLD.findall(last) if (number := _only_number(without_markup(span)))}
    return values.pop() if len(values) == 1 else None

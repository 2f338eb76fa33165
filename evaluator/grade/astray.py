"""Whether replies answer another question of the run than the one that was put; looked for while they are read."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from evaluator.grade.thinking import split_thinking
from evaluator.records import Question, Record

_FUNCTION = re.compile(r"^(?:async )?def (\w+)", re.MULTILINE)
_BODY = re.compile(r"^[ \t]+\S", re.MULTILINE)
_OPTION = 20
"""Characters of an option that nobody writes by chance."""
_NEAR = 16
"""Questions before and behind in the records, whose options are looked for: replies that go astray come from there."""
_LOOKED_AT = 400
"""Replies at least, and less than twice as many, spread over the run; looking at every one would take hours."""
_PAIRS = 5
"""Pairs of questions that are named."""


class Astray(Struct, frozen=True):
    """Replies of one variant to one benchmark that were looked at."""

    looked_at: int = 0
    count: int = 0
    """Those that answer another question."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Of the first of them the question that was put, and the one that was answered."""


class _Sample(NamedTuple):
    place: int
    question: Question
    text: str


class Finder:
    """Takes in the replies of one variant to one benchmark, in their order; keeps some hundreds of their texts."""

    def __init__(self) -> None:
        self._questions: list[Question] = []
        self._every = 1
        self._samples: list[_Sample] = []
        """Of choices, each `_every`th reply."""
        self._defined: list[tuple[Question, str]] = []
        """Of code, each question with the other function that its reply begins with; empty where there is none."""

    def add(self, record: Record, question: Question) -> None:
        """Look at a reply; a record without one is passed over."""
        answer = record.answer
        if answer is None:
            return
        place = len(self._questions)
        self._questions.append(question)
        if question.kind == "code":
            text = split_thinking(answer.text, answer.reasoning).answer
            self._defined.append((question, _defined(question, text)))
        elif question.kind == "choice" and place % self._every == 0:
            self._samples.append(_Sample(place, question, split_thinking(answer.text, answer.reasoning).answer))
            if len(self._samples) == 2 * _LOOKED_AT:
                self._samples, self._every = self._samples[::2], 2 * self._every

    def found(self) -> Astray:
        """Say what was found."""
        names = {question.answer: question.id for question, _ in self._defined}
        looked_at = [(question.id, names.get(name)) for question, name in self._defined]
        looked_at += [(one.question.id, _quoted(one.question, one.text, self._near(one))) for one in self._samples]
        pairs = [(own, other) for own, other in looked_at if other is not None]
        return Astray(len(looked_at), len(pairs), tuple(pairs[:_PAIRS]))

    def _near(self, sample: _Sample) -> list[Question]:
        around = self._questions[max(0, sample.place - _NEAR) : sample.place + _NEAR + 1]
        return [other for other in around if other.id != sample.question.id]


class Openings:
    """How answers begin that several replies of one variant to one benchmark share."""

    def __init__(self, least: int) -> None:
        self._least, self._times = least, Counter[int]()
        self._openings: dict[int, str] = {}

    def add(self, answer_hash: int, record: Record) -> None:
        """Take in a reply by the hash of its answer, 0 for one that does not count."""
        if not answer_hash or record.answer is None:
            return
        self._times[answer_hash] += 1
        if self._times[answer_hash] == self._least:
            words = split_thinking(record.answer.text, record.answer.reasoning).answer
            self._openings[answer_hash] = " ".join(words.split())[:60]

    def found(self) -> Mapping[int, str]:
        """Return how those begin that were given so many times, by their hash."""
        return self._openings


def _defined(question: Question, text: str) -> str:
    """Name the function that a reply begins with, while it never names its own; empty where it does not."""
    first = _FUNCTION.search(text)
    if first is None or re.search(rf"\b{re.escape(question.answer)}\b", text):
        return ""
    before = text[: first.start()]
    if _BODY.search(before) or (before.strip() and not question.prompt.chat):
        return ""  # what follows a bare body is the next thing that a base model thinks of
    return first[1] if first[1] not in question.code_prompt else ""


def _quoted(question: Question, text: str, near: Sequence[Question]) -> str | None:
    """Return the question whose options alone a reply quotes, and none of its own."""
    text = text.lower()
    if any(option.lower() in text for option in question.options if len(option) >= _OPTION):
        return None
    prompt = _shown(question)
    by_option: dict[str, list[str]] = defaultdict(list)
    for other in near:
        for option in other.options:
            if len(option) >= _OPTION and option.lower() in text:
                by_option[option.lower()].append(other.id)
    return next((ids[0] for option, ids in by_option.items() if len(ids) == 1 and option not in prompt), None)


def _shown(question: Question) -> str:
    messages = "\n".join(message["content"] for message in question.prompt.messages)
    return f"{question.prompt.text or ''}{messages}".lower()

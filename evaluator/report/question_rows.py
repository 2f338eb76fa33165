"""The list of a run's questions as the page needs it first: what its rows show, and what they are filtered by."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from evaluator.analyse.questions import Asked, Reply
from evaluator.benchmarks import BENCHMARKS
from evaluator.decide import wording
from evaluator.records import OUTCOMES, Question
from evaluator.report.question_texts import parted
from evaluator.study.study import Study
from evaluator.text import shortened

WORDS = {
    "correct": "right",
    "wrong": "wrong",
    "truncated": "cut off",
    "empty": "empty",
    "unparsed": "no answer found",
    "refused": "refused",
    "failed": "no reply",
    "not_scored": "not scored",
}
"""Outcomes, in the words of the page."""
_ASKED = re.compile(r"(?:^|\n)(?:Question|Problem|Q):\s*")
_LINE = 110
"""Characters of a question that its row shows."""
_SHORT = 12
"""Characters of an extracted answer that a row shows."""

Kind = tuple[str, int, bool]
"""Of a reply: its variant, its repeat, and whether the baseline alone was asked again."""


class Row(Struct, frozen=True):
    """One question with everything that was replied to it."""

    question: Question
    replies: Mapping[Kind, Reply]


def together(asked: Iterable[Asked]) -> list[Row]:
    """Put the repeats of each question together, in the order in which the questions were first put."""
    rows: dict[tuple[str, str], tuple[Question, dict[Kind, Reply]]] = {}
    for each in asked:
        _, replies = rows.setdefault((each.key.benchmark, each.key.question_id), (each.question, {}))
        repeat = 0 if each.again else each.key.repeat
        replies.update({(name, repeat, each.again): reply for name, reply in each.replies.items()})
    return [Row(question, replies) for question, replies in rows.values()]


def columns(rows: Iterable[Row], study: Study) -> dict[Kind, int]:
    """Number the kinds of replies: variant by variant, their repeats, what the baseline was asked again."""
    names = [variant.name for variant in study.variants]
    found = {kind for row in rows for kind in row.replies} | {(name, 0, False) for name in names}
    order = sorted(found, key=lambda kind: (names.index(kind[0]), kind[2], kind[1]))
    return {kind: number for number, kind in enumerate(order)}


def index(rows: Sequence[Row], kinds: Iterable[Kind], study: Study) -> dict[str, Any]:
    """Say, column by column, what the list shows and what its filters need."""
    questions = [row.question for row in rows]
    benchmarks = list(dict.fromkeys(question.benchmark for question in questions))
    categories = list(dict.fromkeys(question.category for question in questions))
    names = [variant.name for variant in study.variants]
    by_kind = {kind: [row.replies.get(kind) for row in rows] for kind in kinds}
    return {
        "study": study.study,
        "variants": names,
        "baseline": names.index(study.baseline),
        "columns": [(names.index(name), repeat, again) for name, repeat, again in by_kind],
        "outcomes": [(outcome, WORDS[outcome]) for outcome in OUTCOMES],
        "benchmarks": [(name, wording.name(name), BENCHMARKS[name].kind) for name in benchmarks],
        "categories": categories,
        "benchmark": [benchmarks.index(question.benchmark) for question in questions],
        "category": [categories.index(question.category) for question in questions],
        "id": [question.id for question in questions],
        "line": [line(question) for question in questions],
        "right": ["" if question.kind == "code" else question.answer for question in questions],
        "outcome": ["".join(map(_outcome, replies)) for replies in by_kind.values()],
        "cut": ["".join(map(_cut, replies)) for replies in by_kind.values()],
        "read": [list(map(_read, questions, replies)) for replies in by_kind.values()],
        "same": ["".join(marks) for marks in zip(*(_same(row, by_kind) for row in rows), strict=True)],
    }


def line(question: Question) -> str:
    """Show in one line what a question asks."""
    if question.kind == "code":
        start = question.code_prompt.rfind(f"def {question.answer}")
        return shortened(question.code_prompt[max(0, start) :].replace('"""', ""), _LINE)
    return shortened(_ASKED.split(parted(question)[1], maxsplit=1)[-1].partition("\nOptions:")[0], _LINE)


def _outcome(reply: Reply | None) -> str:
    """Give the number of an outcome; a dot where the question was not put, a question mark where nothing is graded."""
    if reply is None:
        return "."
    return str(OUTCOMES.index(reply.grade.outcome)) if reply.grade else "?"


def _cut(reply: Reply | None) -> str:
    if reply is None:
        return "."
    by_length = reply.record.answer is not None and reply.record.answer.finish_reason == "length"
    return "1" if by_length or (reply.grade is not None and reply.grade.outcome == "truncated") else "0"


def _read(question: Question, reply: Reply | None) -> str:
    if reply is None or reply.grade is None or question.kind == "code":
        return ""
    return shortened(reply.grade.extracted or "", _SHORT)


def _same(row: Row, kinds: Iterable[Kind]) -> str:
    """Give each answer a letter that only answers of the same text to the same question have."""
    seen: dict[str, int] = {}
    replies = map(row.replies.get, kinds)
    return "".join("." if r is None else chr(ord("A") + seen.setdefault(r.text, len(seen))) for r in replies)

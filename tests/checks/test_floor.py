"""Whoever answers without reading is found out, whatever the way; the best way is computed from the questions."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from evaluator.benchmarks import data_files, mmlu_pro
from evaluator.checks.scores import best_without_reading, floor
from evaluator.records import Answer, Question
from tests.support.check_inputs import check_input, first_right, reply, study_of

MMLU = mmlu_pro.load(shots=0)


def longest(question: Question) -> str:
    return question.letters[question.options.index(max(question.options, key=len))]


def choosing(choose: Callable[[Question], str]) -> Callable[[Question, int], Answer]:
    def give(question: Question, _: int) -> Answer:
        return reply(f"The answer is ({choose(question)}).", completion_tokens=9)

    return give


def found(n: int, replies: Callable[[Question, int], Any], extra: str = "") -> Any:
    """Give what the rule finds of a variant `b` that answers so, beside a sound one."""
    findings = [*floor(check_input(study_of(n=n, extra=extra), {"b": replies}))]
    return findings[0] if findings else None


def test_what_answering_without_reading_scores_on_all_of_mmlu_pro() -> None:
    """With the blanks behind options, which no prompt here holds, the longest is right a little more often."""
    rows = data_files.rows("mmlu_pro_test.jsonl.gz", mmlu_pro._Row)
    as_published = sum(row.options.index(max(row.options, key=len)) == ord(row.answer) - ord("A") for row in rows)
    letters = Counter(question.answer for question in MMLU)

    assert as_published / len(rows) == pytest.approx(0.1926, abs=5e-5)
    assert sum(longest(q) == q.answer for q in MMLU) / len(MMLU) == pytest.approx(0.1877, abs=5e-5)
    assert letters.most_common(1)[0][0] == "A"
    assert letters["A"] / len(MMLU) == pytest.approx(0.1166, abs=5e-5)
    assert sum(1 / len(q.letters) for q in MMLU) / len(MMLU) == pytest.approx(0.1109, abs=5e-5)


@pytest.mark.parametrize(
    "choose",
    [
        pytest.param(longest, id="the longest option"),
        pytest.param(lambda q: q.letters[0], id="the first option"),
        pytest.param(lambda q: q.letters[1], id="B"),
        pytest.param(lambda q: q.letters[2], id="C"),
        pytest.param(lambda q: q.letters[min(3, len(q.letters) - 1)], id="D, or the last"),
        pytest.param(lambda q: q.letters[-1], id="the last option"),
        pytest.param(lambda q: q.letters[int(q.id) % len(q.letters)], id="one at random"),
    ],
)
@pytest.mark.parametrize("n", [50, 300])
def test_answers_that_need_no_reading_are_found(choose: Callable[[Question], str], n: int) -> None:
    finding = found(n, choosing(choose))

    assert finding.severity == "warn"
    assert "not distinguishable from that: b " in finding.message
    assert list(finding.evidence["accuracy"]) == ["b"]


@pytest.mark.parametrize(
    "choose", [longest, *(lambda q, letter=letter: letter for letter in "ABCDEFGHIJ")], ids=["longest", *"ABCDEFGHIJ"]
)
def test_the_best_way_scores_no_less_than_any(choose: Callable[[Question], str]) -> None:
    way, share = best_without_reading("mmlu_pro")

    assert way == "always choosing the longest option"
    assert share >= sum(choose(question) == question.answer for question in MMLU) / len(MMLU)


@pytest.mark.parametrize("benchmark", ["humaneval", "gsm8k"])
def test_where_nothing_is_chosen_only_a_score_of_nothing_is_low(benchmark: str) -> None:
    assert best_without_reading(benchmark) == ("guessing", 0.0)


def test_the_message_names_the_way() -> None:
    finding = found(400, choosing(longest))

    share = finding.evidence["accuracy"]["b"]
    assert share == pytest.approx(0.19, abs=0.04)
    assert finding.message == (
        f"always choosing the longest option would score 18.8 %; not distinguishable from that: b {100 * share:.1f} %"
    )
    assert finding.evidence["way"] == "always choosing the longest option"


@pytest.mark.parametrize(
    ("n", "right", "is_low"),
    [
        pytest.param(400, 48, True, id="12 %, what guessing scores"),
        pytest.param(400, 76, True, id="19 %, above guessing, and the longest option scores as much"),
        pytest.param(400, 112, False, id="28 %"),
        pytest.param(100, 20, True, id="20 of 100"),
        pytest.param(100, 35, False, id="35 of 100"),
        pytest.param(24, 10, False, id="10 of 24: the best letter of so few means nothing"),
        pytest.param(19, 2, False, id="too few to tell"),
    ],
)
def test_a_score_is_held_against_the_best_way(n: int, right: int, is_low: bool) -> None:
    assert bool(found(n, first_right(right))) == is_low

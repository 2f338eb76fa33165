"""Answers that are wrong because of the question are named, with whose they are; others are not."""

import pytest
from msgspec.structs import replace

from evaluator.benchmarks import BENCHMARKS, humaneval, mmlu_pro
from evaluator.checks.rule import CheckInput
from evaluator.checks.table import RULES
from evaluator.grade.kinds import KINDS
from evaluator.records import Grade, Key, Outcome, Question
from evaluator.study.study import Study
from tests.support.check_inputs import study_of

QUESTIONS = {question.id: question for question in (*mmlu_pro.load(shots=0), *humaneval.load())}
(RULE,) = (rule for rule in RULES if rule.code == "disputed")
CASE_TELLS = ("2806", "2838", "2889", "2957", "3024", "3056", "3287", "3349", "3504", "11034")


def grade(question: Question, variant: str, outcome: Outcome, extracted: str | None = None) -> Grade:
    return Grade(
        key=Key(question.benchmark, question.id), variant=variant, outcome=outcome, extracted=extracted, why="x"
    )


def messages(*grades: Grade, study: Study | None = None) -> list[str]:
    asked = {each.key: QUESTIONS[each.key.question_id] for each in grades}
    found = list(RULE.find(CheckInput(study=study or study_of(), facts={}, asked=asked, grades=grades)))
    assert {(finding.severity, finding.variant) for finding in found} <= {("note", None)}
    return [finding.message for finding in found]


def twins(question: Question) -> list[str]:
    """Give the letters whose options differ from the right one in case only."""
    texts = [" ".join(option.split()).casefold() for option in question.options]
    right = texts[question.letters.index(question.answer)]
    return [one for one, text in zip(question.letters, texts, strict=True) if text == right and one != question.answer]


@pytest.mark.parametrize("name", humaneval.FLAWS)
def test_a_flip_where_the_prompt_contradicts_the_tests_is_named(name: str) -> None:
    problem = QUESTIONS[name]

    (message,) = messages(grade(problem, "a", "correct"), grade(problem, "b", "wrong"))

    assert message.startswith(f"{name} says that ")
    assert message.endswith("graded wrong: b, right: a")


@pytest.mark.parametrize(
    "outcomes",
    [
        pytest.param(("wrong", "wrong"), id="both-wrong"),
        pytest.param(("wrong", "unparsed"), id="the-other-unread"),
        pytest.param(("correct", "correct"), id="both-right"),
        pytest.param(("failed", "correct"), id="failed-is-no-wrong-answer"),
        pytest.param(("truncated", "correct"), id="cut-off-is-no-wrong-answer"),
        pytest.param(("not_scored", "not_scored"), id="not-scored"),
    ],
)
def test_only_a_difference_that_depends_on_the_question_is_worth_a_note(outcomes: tuple[Outcome, Outcome]) -> None:
    problem = QUESTIONS["HumanEval/47"]

    assert messages(*(grade(problem, variant, outcome) for variant, outcome in zip("ab", outcomes, strict=True))) == []


def test_of_one_variant_a_wrong_answer_is_named() -> None:
    study = study_of()
    alone = replace(study, variants=study.variants[:1])
    problem, question = QUESTIONS["HumanEval/116"], QUESTIONS["3349"]

    (contradicted,) = messages(grade(problem, "a", "wrong"), study=alone)
    (alike,) = messages(grade(question, "a", "wrong", twins(question)[0]), study=alone)

    assert contradicted.endswith("is tested for [1, 2, 4, 3, 5]; graded wrong: a")
    assert "(a) differs from the right option C in capitals only" in alike


@pytest.mark.parametrize("name", CASE_TELLS)
def test_an_option_that_differs_from_the_right_one_in_case_only_is_wrong_and_named(name: str) -> None:
    question = QUESTIONS[name]
    other = twins(question)[0]

    assert KINDS["choice"].judge(other, question) == "wrong"
    (message,) = messages(grade(question, "a", "correct", question.answer), grade(question, "b", "wrong", other))
    assert f"MMLU-Pro {name}: {other} (b) differs from the right option {question.answer} in capitals only" in message


def test_these_are_all_questions_where_case_alone_tells_the_right_option() -> None:
    assert tuple(name for name, question in QUESTIONS.items() if question.letters and twins(question)) == CASE_TELLS


def test_another_wrong_option_of_such_a_question_needs_no_note() -> None:
    question = QUESTIONS["3349"]
    other = next(one for one in question.letters if one not in {question.answer, *twins(question)})

    assert messages(grade(question, "a", "wrong", other), grade(question, "b", "correct", question.answer)) == []


@pytest.mark.parametrize("name", ["HumanEval/46", "HumanEval/0"])
def test_a_wrong_answer_to_a_sound_question_needs_no_note(name: str) -> None:
    assert messages(grade(QUESTIONS[name], "a", "wrong"), grade(QUESTIONS[name], "b", "correct")) == []


def test_flaws_are_those_of_questions_that_are_there() -> None:
    assert all(name in QUESTIONS for benchmark in BENCHMARKS.values() for name in benchmark.flaws)

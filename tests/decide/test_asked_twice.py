"""What is asked twice: how many, how long, and how far the answers differ."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.decide.again import Again, asked_or_open
from evaluator.decide.asked_twice import AskedTwice, asked_twice, itself, texts_of
from evaluator.grade.outline import outline
from evaluator.records import Answer, Failure, Grade, Key, Outcome, Record
from evaluator.study.file import parse
from evaluator.study.requests import asked_again, plan, plan_again
from evaluator.study.study import Study


def study_of(extra: str = "", benchmark: str = "questions: 300", names: str = "q8 q4") -> Study:
    variants = ", ".join(f"{{name: {name}, model: m, base_url: 'http://127.0.0.1:9/v1'}}" for name in names.split())
    asked = f"benchmarks: {{mmlu_pro: {{{benchmark}}}}}"
    return parse(f"study: s\nbaseline: q8\nvariants: [{variants}]\n{asked}\n{extra}", "s")


@pytest.mark.parametrize(
    ("study", "questions", "expected"),
    [
        pytest.param(study_of(), 300, 30, id="a-tenth"),
        pytest.param(study_of(), 301, 31, id="rounded-up"),
        pytest.param(study_of(), 50, 20, id="at-least"),
        pytest.param(study_of(), 12, 12, id="all-of-few"),
        pytest.param(study_of(), 12_032, 100, id="at-most"),
        pytest.param(study_of(benchmark="questions: 300, repeats: 2"), 300, 0, id="repeats-show-it"),
        pytest.param(study_of(names="q8"), 300, 0, id="nothing-is-compared"),
        pytest.param(study_of("decide: {noise_floor: 0}"), 300, 0, id="none"),
        pytest.param(study_of("decide: {noise_floor: 5}"), 300, 5, id="a-number"),
        pytest.param(study_of("decide: {noise_floor: 5}", names="q8"), 300, 5, id="a-number-of-one-variant"),
        pytest.param(study_of("decide: {noise_floor: 500}"), 300, 300, id="a-number-above"),
    ],
)
def test_how_many_are_asked_again(study: Study, questions: int, expected: int) -> None:
    assert asked_again(study, "mmlu_pro", questions) == expected


def record(key: Key, text: str | None, variant: str = "q8", reasoning: str = "") -> Record:
    answer = None if text is None else Answer(text=text, reasoning=reasoning, duration_s=1.0)
    failure = Failure(kind="dropped", message="gone") if text is None else None
    return Record(key=key, variant=variant, started="", request={}, answer=answer, failure=failure)


def both(count: int, other: Sequence[int] = (), failed: Sequence[int] = ()) -> list[Record]:
    """Answer questions of the plan twice, some with another text, some with none the second time."""
    again = plan_again(study_of(), plan(study_of()))[:count]
    return [
        one
        for i, ask in enumerate(again)
        for one in (
            record(Key("mmlu_pro", ask.key.question_id), f"text {i}"),
            record(ask.key, None if i in failed else "other" if i in other else f"text {i}"),
        )
    ]


@pytest.mark.parametrize(
    ("records", "is_open"),
    [
        pytest.param([], True, id="nothing-yet"),
        pytest.param(both(19), True, id="nineteen-the-same"),
        pytest.param(both(20), False, id="twenty-the-same"),
        pytest.param(both(20, other=[7]), True, id="one-differs"),
        pytest.param(both(20, failed=[7]), True, id="one-failed"),
        pytest.param(both(25, other=[22]), False, id="a-later-one-differs"),
        pytest.param([r for r in both(20) if r.key.repeat], True, id="only-the-second-time"),
        pytest.param([record(r.key, r.answer.text, "q4") for r in both(20) if r.answer], True, id="of-another-variant"),
    ],
)
def test_no_more_is_asked_where_the_first_texts_come_again(records: list[Record], *, is_open: bool) -> None:
    """In whatever order they come, and a run that goes on finds the same."""
    again = plan_again(study_of(), plan(study_of()))
    for seed in range(3):
        rule = Again(study_of(), again)
        for one in random.Random(seed).sample(records, len(records)):
            rule.add(one)
        assert rule.is_open("mmlu_pro") == is_open
    mine = {r.key: r for r in records if r.variant == "q8"}
    left = asked_or_open(study_of(), again, mine, mine.get)
    assert {ask.key for ask in left} == ({ask.key for ask in again} if is_open else {k for k in mine if k.repeat})


def test_a_number_is_asked_whatever_comes() -> None:
    study = study_of("decide: {noise_floor: 30}")
    rule = Again(study, plan_again(study, plan(study)))
    for one in both(30):
        rule.add(one)

    assert rule.is_open("mmlu_pro")


_TIMES = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["correct", "wrong", "failed", None])), max_size=2)


@given(st.lists(_TIMES, max_size=30))
def test_what_is_counted_are_pairs_of_answers(times: list[list[tuple[str, Outcome | None]]]) -> None:
    records, grades = [], []
    for number, answers in enumerate(times):
        for repeat, (text, outcome) in enumerate(answers):
            key = Key("mmlu_pro", str(number), repeat)
            records.append(record(key, None if outcome == "failed" else text))
            if outcome:
                grades.append(Grade(key=key, variant="q8", outcome=outcome, extracted=None, why=""))

    found = list(asked_twice("q8", texts_of(map(outline, records)), grades, ["humaneval", "mmlu_pro"]))

    pairs = [(a, b) for a, b in (t for t in times if len(t) == 2) if "failed" not in (a[1], b[1])]
    known = [(a, b) for a, b in pairs if a[1] and b[1]]
    expected = AskedTwice(
        variant="q8",
        benchmark="mmlu_pro",
        questions=len(pairs),
        texts=sum(a[0] != b[0] for a, b in pairs),
        graded=len(known),
        outcomes=sum(a[1] != b[1] for a, b in known),
    )
    assert found == ([expected] if pairs else [])


def test_other_thoughts_are_another_text() -> None:
    records = [record(Key("mmlu_pro", "1", repeat), "B", reasoning=str(repeat)) for repeat in range(2)]

    (twice,) = asked_twice("q8", texts_of(map(outline, records)), [], ["mmlu_pro"])

    assert (twice.questions, twice.texts, twice.graded) == (1, 1, 0)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        pytest.param((20, 0, 20, 0), "Asked 20 questions twice, q8 gave all texts again to the letter", id="the-same"),
        pytest.param((1, 0, 1, 0), "Asked 1 question twice, q8 gave its text again to the letter", id="one"),
        pytest.param(
            (20, 7, 20, 1),
            "Asked 20 questions twice, q8 gave another text on 7 and another outcome on 1",
            id="both-differ",
        ),
        pytest.param(
            (20, 7, 20, 0),
            "Asked 20 questions twice, q8 gave another text on 7 and another outcome on none",
            id="texts-alone",
        ),
        pytest.param(
            (20, 7, 18, 1),
            "Asked 20 questions twice, q8 gave another text on 7 and another outcome on 1 of 18 graded",
            id="some-graded",
        ),
        pytest.param((20, 7, 0, 0), "Asked 20 questions twice, q8 gave another text on 7", id="none-graded"),
    ],
)
def test_it_is_said_in_words(counts: tuple[int, int, int, int], words: str) -> None:
    questions, texts, graded, outcomes = counts
    twice = AskedTwice(
        variant="q8", benchmark="mmlu_pro", questions=questions, texts=texts, graded=graded, outcomes=outcomes
    )

    assert itself(twice) == words

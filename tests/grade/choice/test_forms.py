"""The extractor over all self-made forms of MMLU-Pro answers: none invented, hardly any missed."""

import pytest

from tests.support.choice_forms import ANSWERED, UNANSWERED, Count, measure, table, total
from tests.support.choice_material import sample


@pytest.fixture(scope="module")
def counts() -> dict[tuple[str, str], Count]:
    return measure()[0]


def test_no_answer_is_invented_or_mistaken(counts: dict[tuple[str, str], Count]) -> None:
    every = total(counts)

    if every.invented or every.other:
        pytest.fail(table(counts), pytrace=False)


def test_at_most_one_answer_in_a_hundred_is_missed(counts: dict[tuple[str, str], Count]) -> None:
    written = total({key: count for key, count in counts.items() if key[0] in ANSWERED})

    if written.missed > written.replies / 100:
        pytest.fail(table(counts), pytrace=False)


def test_every_form_has_a_name_of_its_own_and_is_put_to_questions(counts: dict[tuple[str, str], Count]) -> None:
    assert len(counts) == sum(map(len, (ANSWERED | UNANSWERED).values()))
    assert all(count.replies for count in counts.values())


def test_the_questions_are_of_every_category_and_number_of_options() -> None:
    assert len({question.category for question in sample()}) == 14
    assert {len(question.letters) for question in sample()} == set(range(3, 11))

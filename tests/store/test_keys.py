"""What is remembered of each question in a few bytes is what a dict would remember."""

from hypothesis import given
from hypothesis import strategies as st

from evaluator.records import Key
from evaluator.store.keys import Marks, Numbers, Place, Places

KEYS = st.builds(Key, st.sampled_from(["mmlu_pro", "gsm8k"]), st.sampled_from("abc"), st.integers(0, 2))
PLACES = st.builds(Place, st.integers(0, 2**40), st.integers(1, 2**31), st.booleans())


@given(st.lists(st.tuples(KEYS, st.integers(0, 255))), st.lists(KEYS), KEYS)
def test_marks_are_those_of_a_dict(given_marks: list[tuple[Key, int]], others: list[Key], asked: Key) -> None:
    numbers = Numbers()
    marks, expected = Marks(numbers), dict[Key, int]()
    for key in others:
        numbers.number(key)
    for key, mark in given_marks:
        marks[key] = mark
        expected[key] = mark
    kept = {key: mark for key, mark in expected.items() if mark}

    assert {key: marks[key] for key in marks} == kept
    assert (len(marks), marks[asked]) == (len(kept), kept.get(asked, 0))


@given(st.lists(st.tuples(KEYS, st.none() | PLACES)), st.lists(KEYS), KEYS)
def test_places_are_those_of_a_dict(put: list[tuple[Key, Place | None]], others: list[Key], asked: Key) -> None:
    numbers = Numbers()
    places, expected = Places(numbers), dict[Key, Place]()
    for key in others:
        numbers.number(key)
    for key, place in put:
        if place is None:
            assert (places.pop(key, None) is None) == (expected.pop(key, None) is None)
        else:
            places[key] = expected[key] = place

    assert list(places.items()) == list(expected.items())
    assert (asked in places, places.get(asked)) == (asked in expected, expected.get(asked))
    assert places.is_answered(asked) == (asked in expected and expected[asked].answered)

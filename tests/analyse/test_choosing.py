"""Which questions of a run are wanted: filters by table, and their laws."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.analyse.choosing import STATES, State, Wanted, chosen, flips, label, named, state
from evaluator.analyse.questions import Asked
from tests.support.asked import MANY, VARIANTS, asked

RUN = [
    asked({"a": "correct", "b": "wrong"}, identity="7825", category="math", text="Because of GAS"),
    asked({"a": "correct", "b": "correct"}, identity="782", prompt="Which gas?"),
    asked({"a": "truncated", "b": "correct"}, identity="12", thinking="a gas, perhaps"),
    asked({"a": "failed", "b": "correct"}, identity="HumanEval/12", benchmark="humaneval", category="python"),
    asked({"a": "not_graded", "b": "wrong"}, identity="HumanEval/120", benchmark="humaneval", category="python"),
    asked({"a": "correct", "b": "not_asked"}, identity="99", why="the gas is announced"),
    asked({"a": "wrong"}, identity="7825", category="math", repeat=1, again=True),
]


def shown(wanted: Wanted) -> list[str]:
    return [each.key.question_id + "+" * each.again for each in chosen(RUN, wanted, ("a", "b"))]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        pytest.param(Wanted(), ["7825", "782", "12", "HumanEval/12", "HumanEval/120", "99", "7825+"], id="all"),
        pytest.param(Wanted(flips=("a", "b")), ["7825", "12"], id="flips-count-what-is-cut-off-not-what-failed"),
        pytest.param(Wanted(flips=("a", "a")), ["7825", "7825+"], id="flips-with-itself"),
        pytest.param(Wanted(flips=("b", "b")), [], id="never-asked-again"),
        pytest.param(Wanted(states=(("", "wrong"),)), ["7825", "HumanEval/120", "7825+"], id="any-variant"),
        pytest.param(Wanted(states=(("a", "wrong"),)), ["7825+"], id="one-variant"),
        pytest.param(Wanted(states=(("", "not_asked"),)), ["99"], id="not-asked-is-not-for-the-second-time"),
        pytest.param(Wanted(states=(("", "not_graded"),)), ["HumanEval/120"], id="not-graded"),
        pytest.param(Wanted(states=(("a", "correct"), ("b", "correct"))), ["782"], id="both"),
        pytest.param(Wanted(categories=("MATH",)), ["7825", "7825+"], id="category-in-any-case"),
        pytest.param(
            Wanted(categories=("math", "python"), states=(("b", "wrong"),)), ["7825", "HumanEval/120"], id="or"
        ),
        pytest.param(Wanted(benchmarks=("humaneval",)), ["HumanEval/12", "HumanEval/120"], id="benchmark"),
        pytest.param(Wanted(text="gAs"), ["7825", "782", "12", "99"], id="text-of-question-reply-thinking-and-reason"),
        pytest.param(Wanted(text="no route"), ["HumanEval/12"], id="text-of-a-failure"),
        pytest.param(Wanted(text="nowhere"), [], id="text-that-is-nowhere"),
    ],
)
def test_what_is_wanted_is_chosen(wanted: Wanted, ids: list[str]) -> None:
    assert shown(wanted) == ids


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        pytest.param("mmlu_pro/7825", ["mmlu_pro/7825"] * 2, id="whole"),
        pytest.param("7825", ["mmlu_pro/7825"] * 2, id="id"),
        pytest.param("782", ["mmlu_pro/782"], id="an-id-goes-before-a-part"),
        pytest.param("humaneval/12", ["HumanEval/12"], id="in-any-case"),
        pytest.param("12", ["mmlu_pro/12"], id="an-id-goes-before-an-end"),
        pytest.param("120", ["HumanEval/120"], id="end"),
        pytest.param("825", ["mmlu_pro/7825"] * 2, id="part"),
        pytest.param("val/12", ["HumanEval/12", "HumanEval/120"], id="several"),
        pytest.param("x", [], id="none"),
    ],
)
def test_a_question_is_found_by_enough_of_its_name(name: str, labels: list[str]) -> None:
    assert [label(each) for each in named(RUN, name)] == labels


@pytest.mark.parametrize("one", STATES)
@pytest.mark.parametrize("other", STATES)
def test_a_flip_is_right_against_a_reply_that_counts_and_is_not_right(one: State, other: State) -> None:
    without = {"failed", "not_scored", "not_graded", "not_asked"}

    found = flips([asked({"a": one, "b": other})], "a", "b")

    assert bool(found) == (not {one, other} & without and (one == "correct") != (other == "correct"))


WANTED = st.builds(
    Wanted,
    flips=st.none() | st.tuples(st.sampled_from(VARIANTS), st.sampled_from(VARIANTS)),
    states=st.lists(st.tuples(st.sampled_from(["", *VARIANTS]), st.sampled_from(STATES)), max_size=2).map(tuple),
    categories=st.sampled_from([(), ("law",), ("math", "law")]),
    benchmarks=st.sampled_from([(), ("mmlu_pro",)]),
    text=st.sampled_from(["", "no", "STRASSE", "B"]),
)


def simple(wanted: Wanted) -> list[Wanted]:
    """Take a wish apart into wishes of one thing each."""
    return [
        Wanted(flips=wanted.flips),
        *(Wanted(states=(each,)) for each in wanted.states),
        Wanted(categories=wanted.categories),
        Wanted(benchmarks=wanted.benchmarks),
        Wanted(text=wanted.text),
    ]


@settings(deadline=None)
@given(MANY, WANTED)
def test_all_that_is_wanted_holds_at_once_in_whatever_order_it_is_looked_at(run: list[Asked], wanted: Wanted) -> None:
    parts = [{each.key for each in chosen(run, part, VARIANTS)} for part in simple(wanted)]

    found = [each.key for each in chosen(run, wanted, VARIANTS)]

    assert set(found) == set.intersection(*parts)
    assert found == [each.key for each in run if each.key in set(found)]


@settings(deadline=None)
@given(MANY, WANTED)
def test_choosing_again_chooses_the_same(run: list[Asked], wanted: Wanted) -> None:
    without_flips = Wanted(states=wanted.states, categories=wanted.categories, text=wanted.text)
    once = chosen(run, without_flips, VARIANTS)

    assert chosen(once, without_flips, VARIANTS) == once


@settings(deadline=None)
@given(MANY, st.sampled_from(VARIANTS), st.sampled_from(VARIANTS))
def test_flips_are_the_same_from_either_side(run: list[Asked], one: str, other: str) -> None:
    assert flips(run, one, other) == flips(run, other, one)


@settings(deadline=None)
@given(MANY)
def test_every_reply_is_in_exactly_one_state(run: list[Asked]) -> None:
    for variant in VARIANTS:
        parts = [chosen(run, Wanted(states=((variant, each),)), VARIANTS) for each in STATES]
        assert sorted(map(str, (each.key for part in parts for each in part))) == sorted(str(each.key) for each in run)


@settings(deadline=None)
@given(MANY)
def test_every_question_is_found_by_its_label(run: list[Asked]) -> None:
    for each in run:
        assert {label(found) for found in named(run, label(each).upper())} == {label(each)}
        assert state(each, "nobody") == "not_asked"

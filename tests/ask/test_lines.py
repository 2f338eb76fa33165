"""Which question a free place asks next: nothing is asked twice or left out, and a slot keeps its group."""

from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.ask.lines import Line, blocks_of, group_of, line_of
from evaluator.benchmarks import BENCHMARKS
from evaluator.records import Key, Question
from evaluator.store.serving import Order
from evaluator.study.requests import Ask
from servers.spec import Prompt, Reuse, Sampling

ORDERS: tuple[Order, ...] = ("plan", "grouped", "pinned")


def asks(groups: str, repeat: int = 0) -> list[Ask]:
    """Make a question for each letter, which is what its prompt begins with: a1, b1, a2 for "aba"."""
    seen: dict[str, int] = defaultdict(int)
    made = []
    for letter in groups:
        seen[letter] += 1
        name = f"{letter}{seen[letter]}"
        prompt = Prompt(text=f"examples of {letter}: {name}")
        question = Question(
            benchmark="mmlu_pro", id=name, kind="choice", category=letter, prompt=prompt, examples=(0, 13)
        )
        made.append(Ask(key=Key("mmlu_pro", name, repeat), question=question, sampling=Sampling()))
    return made


def taken(line: Line, places: Sequence[int]) -> str:
    """Take a question for each place in turn, until there is none."""
    got = [line.take(place) for place in places]
    return " ".join(one[0].key.question_id if one else "-" for one in got)


@pytest.mark.parametrize(
    ("order", "groups", "places", "expected"),
    [
        pytest.param("plan", "abab", [0, 1, 0, 1, 0], "a1 b1 a2 b2 -", id="as planned"),
        pytest.param("grouped", "abab", [0, 1, 0, 1, 0], "a1 a2 b1 b2 -", id="one group after the other"),
        pytest.param("pinned", "abab", [0, 1, 0, 1, 0], "a1 b1 a2 b2 -", id="a group at each place"),
        pytest.param("pinned", "aab", [1, 1, 0, 1, 0], "a1 a2 b1 - -", id="the largest first"),
        pytest.param("pinned", "abc", [0, 0, 1, 1], "a1 b1 c1 -", id="a whole group that nobody has begun"),
        pytest.param("pinned", "aaaaa", [0, 1, 0, 1, 0], "a1 a4 a2 a5 a3", id="half of what is left"),
        pytest.param("pinned", "aaaa", [5, 0, 0, 0, 0], "a1 a3 a4 a2 -", id="what a place left behind"),
    ],
)
def test_what_places_get(order: Order, groups: str, places: list[int], expected: str) -> None:
    assert taken(line_of(order, asks(groups), lambda _: True, slots=2), places) == expected


def test_the_next_block_begins_with_the_group_that_the_slot_holds() -> None:
    first, second = [f"a{i}" for i in range(1, 65)], [f"b{i}" for i in range(1, 81)]

    line = line_of("pinned", asks("ab" * 80), lambda _: True)

    assert taken(line, [0] * 160).split() == [*first, *second, *(f"a{i}" for i in range(65, 81))]


def test_the_longest_of_a_group_begin() -> None:
    lengths = {"a1": 1, "a2": 3, "b1": 9, "a3": 2}

    line = line_of("grouped", asks("aaba"), lambda _: True, length=lambda ask: lengths[ask.key.question_id])

    assert taken(line, [0] * 4) == "a2 a3 a1 b1"


@pytest.mark.parametrize("cache", [None, False])
def test_a_request_names_a_slot_only_where_there_is_one(cache: bool | None) -> None:
    pinned = line_of("pinned", asks("abc"), lambda _: True, slots=2, cache=cache)

    reuses = [one[1] for place in (0, 1, 2) if (one := pinned.take(place))]

    assert reuses == [Reuse(cache, 0), Reuse(cache, 1), Reuse(cache, None)]


def test_questions_are_groups_by_the_examples_before_them() -> None:
    questions = [*BENCHMARKS["mmlu_pro"].defaults.load()[:3000], *BENCHMARKS["humaneval"].defaults.load()]

    by_group = defaultdict(set)
    for question in questions:
        by_group[group_of(question)].add((question.benchmark, question.category))

    assert all(len(categories) == 1 for categories in by_group.values())
    assert len(by_group) == len({(question.benchmark, question.category) for question in questions})


plans = st.builds(
    lambda once, again: [*asks(once), *asks(once[:again], repeat=1)],
    st.text("abcde", min_size=1, max_size=300),
    st.integers(0, 40),
)
visits = st.lists(st.integers(0, 5), max_size=250)


@settings(deadline=None, max_examples=50)
@given(plan=plans, order=st.sampled_from(ORDERS), visits=visits, slots=st.integers(0, 6), data=st.data())
def test_each_is_taken_once_whoever_comes_when(
    plan: list[Ask], order: Order, visits: list[int], slots: int, data: st.DataObject
) -> None:
    unwanted = data.draw(st.sets(st.sampled_from([ask.key for ask in plan])))
    last = data.draw(st.sets(st.sampled_from([ask.key for ask in plan])))
    line = line_of(order, plan, lambda ask: ask.key not in unwanted, last=last, slots=slots)
    got: list[tuple[int, Key]] = []

    for place in [*visits, *[6] * len(plan)]:
        one = line.take(place)
        if one is None:
            break
        assert one[1].slot in ({place} if order == "pinned" and place < slots else {None})
        got.append((place, one[0].key))

    assert line.take(0) is None, "a place is sent away only when nothing is left"
    assert sorted(key.question_id for _, key in got) == sorted(
        ask.key.question_id for ask in plan if ask.key not in unwanted
    )
    assert len({key for _, key in got}) == len(got)


@settings(deadline=None, max_examples=50)
@given(plan=plans, visits=visits, last=st.integers(0, 30))
def test_a_group_is_divided_only_where_a_place_would_have_nothing(
    plan: list[Ask], visits: list[int], last: int
) -> None:
    late = {ask.key for ask in plan[:last]}
    parts = [[ask for ask in plan if ask.key not in late], [ask for ask in plan if ask.key in late]]
    units = [
        (part, number, group, ask.key)
        for part, some in enumerate(parts)
        for number, block in enumerate(blocks_of(some))
        for group, mine in block
        for ask in mine
    ]
    unit = {key: (part, number, group) for part, number, group, key in units}
    begun: dict[tuple[int, int, object], int] = {}
    line = line_of("pinned", plan, lambda _: True, last=late, slots=6)

    for place in visits:
        if (one := line.take(place)) is None:
            break
        mine = unit[one[0].key]
        if begun.setdefault(mine, place) != place:
            assert begun.keys() == set(unit.values()), "another place's group, though one was not begun"
        later = [each for each in begun if each[:2] > mine[:2]]
        assert not later or all(each in begun for each in unit.values() if each[:2] <= mine[:2])


@settings(deadline=None, max_examples=50)
@given(plan=plans)
def test_a_stopped_run_has_asked_pieces_of_the_plan(plan: list[Ask]) -> None:
    in_turn = [[ask for _, mine in block for ask in mine] for block in blocks_of(plan)]

    done = 0
    for block in in_turn:
        assert {ask.key for ask in block} == {ask.key for ask in plan[done : done + len(block)]}
        assert len({ask.key.repeat for ask in block}) == 1
        done += len(block)
    assert done == len(plan)

"""Long questions begin in time, and nothing else changes: each is put once, in the plan's order until one has to."""

from collections.abc import Callable
from heapq import heappop, heappush

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.ask.lengths import LongOnes, ReplyLengths
from evaluator.ask.lines import InOrder
from evaluator.records import Answer, Key, Question, Record
from evaluator.study.requests import Ask
from servers.fake import Reply
from servers.spec import Prompt, Sampling
from tests.support.scripted import ANSWERS, Bench, prompt_of

PROMPT = Prompt(messages=({"role": "user", "content": "?"},))


def ask(name: str, category: str = "c", repeat: int = 0, benchmark: str = "b") -> Ask:
    question = Question(benchmark=benchmark, id=name, kind="choice", category=category, prompt=PROMPT, answer="A")
    return Ask(key=Key(benchmark, name, repeat), question=question, sampling=Sampling())


def reply(of: Ask, tokens: int | None) -> Record:
    answer = Answer(text="A", finish_reason="stop", duration_s=1, completion_tokens=tokens)
    return Record(key=of.key, variant="v", started="now", request={}, answer=answer)


def line(asks: list[Ask], lengths: dict[Key, float], places: int, wanted: Callable[[Ask], bool]) -> InOrder:
    return InOrder(asks, wanted, long=LongOnes(asks, lengths, lambda: places))


def put(asks: list[Ask], lengths: dict[Key, float], places: int, *, aware: bool = True) -> tuple[list[Key], float]:
    """Put all questions to a server of so many places; give the order, and when the last reply ends."""
    free, order, ends = [(0.0, place) for place in range(places)], [], [0.0]
    waiting = line(asks, lengths if aware else {}, places, lambda _: True)
    while free:
        at, place = heappop(free)
        if (taken := waiting.take(place)) is not None:
            order.append(taken[0].key)
            ends.append(at + lengths[taken[0].key])
            heappush(free, (ends[-1], place))
    return order, max(ends)


LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=60)


@given(
    lengths=LENGTHS, known=st.sets(st.integers(0, 59)), unwanted=st.sets(st.integers(0, 59)), places=st.integers(1, 8)
)
def test_each_wanted_question_is_put_once(lengths: list[int], known: set[int], unwanted: set[int], places: int) -> None:
    asks = [ask(str(i)) for i in range(len(lengths))]
    expected = {one.key: float(lengths[i]) for i, one in enumerate(asks) if i in known}
    waiting = line(asks, expected, places, lambda one: int(one.key.question_id) not in unwanted)

    taken = []
    while (found := waiting.take(0)) is not None:
        taken.append(int(found[0].key.question_id))

    assert sorted(taken) == [i for i in range(len(lengths)) if i not in unwanted]


@given(lengths=LENGTHS, places=st.integers(2, 8))
def test_no_long_one_is_the_last_alone(lengths: list[int], places: int) -> None:
    """No order ends before the longest reply, all places' work, or two of the longest at one place: near the least."""
    asks = [ask(str(i)) for i in range(len(lengths))]

    _, end = put(asks, {one.key: float(lengths[i]) for i, one in enumerate(asks)}, places)

    longest = [*sorted(lengths, reverse=True), *[0] * (places + 1)]
    least = max(longest[0], sum(lengths) / places, longest[places - 1] + longest[places])
    assert end <= least * 3 / 2 + 1e-6


def test_the_order_is_the_plans_until_a_long_one_has_to_begin() -> None:
    asks = [ask(str(i)) for i in range(200)]
    lengths = {one.key: 100.0 for one in asks} | {asks[190].key: 2_000.0}

    order, end = put(asks, lengths, 4)
    _, unaware = put(asks, lengths, 4, aware=False)

    began = order.index(asks[190].key)
    assert 50 < began < 120
    assert order[:began] == [one.key for one in asks[:began]]
    assert [key for key in order if key != asks[190].key] == [one.key for one in asks if one is not asks[190]]
    assert end < 0.85 * unaware


def test_where_nothing_is_known_the_order_is_the_plans() -> None:
    asks = [ask(str(i)) for i in range(20)]

    order, _ = put(asks, dict.fromkeys([one.key for one in asks], 1.0), 4, aware=False)

    assert order == [one.key for one in asks]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(ask("1", "x"), 10, id="the-same-question"),
        pytest.param(ask("1", "x", repeat=3), 10, id="a-repeat-of-it"),
        pytest.param(ask("9", "x"), 20, id="its-category"),
        pytest.param(ask("9", "z"), 40, id="its-benchmark"),
        pytest.param(ask("1", "x", benchmark="other"), None, id="nothing-known"),
    ],
)
def test_what_is_expected(of: Ask, expected: float | None) -> None:
    lengths = ReplyLengths()
    seen = [(ask("1", "x"), 10), (ask("2", "x"), 30), (ask("3", "y"), 80), (ask("4", "y"), None)]
    for one, tokens in seen:
        lengths.saw(reply(one, tokens))

    assert lengths.expected([*(one for one, _ in seen), of]).get(of.key) == expected


def test_what_a_variant_took_long_with_the_next_is_asked_early(bench: Bench) -> None:
    """The last question of the plan is a long one; the second variant is asked it before the end."""
    lasts: list[str] = []

    def answer(body: object, _number: int = 0) -> Reply:
        prompt = prompt_of(body)
        long = lasts and prompt == lasts[0]
        return Reply(text=f"The answer is ({ANSWERS[prompt]}).", completion_tokens=90 if long else 3)

    study = bench.study(30, good=answer, other=answer)
    plain = bench.run(study)
    lasts.append(bench.asked("good")[-1])
    assert plain.exit_code == 0, plain.output
    study.write_text(study.read_text().replace("study: s", "study: again"))

    again = bench.run(study)

    assert again.exit_code == 0, again.output
    assert sorted(bench.asked("other")[30:]) == sorted(bench.asked("good")[30:])
    assert bench.asked("other")[30:].index(lasts[0]) < 28

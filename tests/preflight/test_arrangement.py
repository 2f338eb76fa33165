"""What each order of the questions costs a server, worked out from what was measured, and what is chosen for all."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.preflight.arrangement import Found, arranged, cached, choose, is_worth_it
from evaluator.preflight.arranging import keep_arranged
from evaluator.records import Answer, Key, Question
from evaluator.store.serving import Arranged, Order, Serving, keep_serving, read_serving
from evaluator.study.file import parse
from evaluator.study.requests import Ask
from servers.spec import Prompt, Sampling


def asks(groups: str, *, shared: int = 80, own: int = 20) -> list[Ask]:
    """Make a question for each letter; its prompt begins with as many characters of that letter, and goes on alone."""
    return [
        Ask(
            key=Key("mmlu_pro", str(i)),
            question=Question(
                benchmark="mmlu_pro",
                id=str(i),
                kind="choice",
                category=letter,
                prompt=Prompt(text=letter * shared + "?" * own),
                examples=(0, shared),
            ),
            sampling=Sampling(),
        )
        for i, letter in enumerate(groups)
    ]


def shares(groups: str, found: Found, places: int, holds: int | None = None) -> dict[Order, float]:
    return {one.order: one.evaluated for one in arranged(asks(groups), found, places, holds=holds)}


WHOLE = Found(again=1.0, back=1.0, tokens=100)


@pytest.mark.parametrize(
    ("groups", "found", "places", "holds", "expected"),
    [
        pytest.param("ab" * 5, WHOLE, 1, None, (0.36, 0.36, 0.36), id="each group once"),
        pytest.param("ab" * 5, WHOLE, 2, None, (0.36, 0.52, 0.36), id="two places at once begin a group together"),
        pytest.param("aabb" * 5, WHOLE, 2, None, (0.36, 0.36, 0.28), id="what another place uses cannot be used twice"),
        pytest.param("abcd" * 5, WHOLE, 1, 2, (1.0, 0.36, 0.36), id="more groups than are kept"),
        pytest.param("ab" * 5, Found(1.0, 0.0, 100), 1, None, (1.0, 0.36, 0.36), id="nothing after another group"),
        pytest.param("ab" * 5, Found(0.5, 0.5, 100), 1, None, (0.68, 0.68, 0.68), id="half of the beginning"),
        pytest.param("ab" * 5, Found(0.0, 0.0, 100), 4, None, (1.0, 1.0, 1.0), id="no cache"),
    ],
)
def test_shares_of_prompt_tokens_that_are_evaluated(
    groups: str, found: Found, places: int, holds: int | None, expected: tuple[float, ...]
) -> None:
    """Expected: as planned, grouped, pinned."""
    assert tuple(shares(groups, found, places, holds).values()) == pytest.approx(expected)


@settings(deadline=None, max_examples=50)
@given(
    groups=st.text("abc", min_size=1, max_size=60),
    places=st.integers(1, 6),
    again=st.floats(0, 1),
    back=st.floats(0, 1),
    holds=st.none() | st.integers(0, 5),
)
def test_shares_are_shares_and_more_found_is_never_more_evaluated(
    groups: str, places: int, again: float, back: float, holds: int | None
) -> None:
    found = Found(again, min(again, back), 100)

    less, none = shares(groups, found, places, holds), shares(groups, Found(0.0, 0.0, 100), places, holds)
    most = shares(groups, WHOLE, places, holds)

    assert all(0.2 <= most[order] <= less[order] + 1e-4 for order in less)
    assert all(share == 1.0 for share in none.values())


@pytest.mark.parametrize(
    ("given_asks", "places", "expected"),
    [
        pytest.param(asks("ab" * 50), 4, True, id="long beginnings"),
        pytest.param(asks("ab" * 10), 4, False, id="few questions"),
        pytest.param(asks("ab" * 50), 32, False, id="few questions for so many places"),
        pytest.param(asks("ab" * 50, shared=0), 4, False, id="no worked examples"),
        pytest.param(asks("ab" * 50, shared=5, own=95), 4, False, id="short beginnings"),
    ],
)
def test_it_is_measured_only_where_it_can_matter(given_asks: list[Ask], places: int, expected: bool) -> None:
    assert is_worth_it(given_asks, places) is expected


FLAG = ("--swa-full",)


def tried(plan: float, pinned: float, with_flag: float | None = None) -> list[Arranged]:
    made = [
        Arranged(order="plan", evaluated=plan),
        Arranged(order="grouped", evaluated=1.0),
        Arranged(order="pinned", evaluated=pinned),
    ]
    if with_flag is not None:
        made += [
            Arranged(order="grouped", flags=FLAG, evaluated=1.0),
            Arranged(order="pinned", flags=FLAG, evaluated=with_flag),
        ]
    return made


@pytest.mark.parametrize(
    ("of_variants", "expected"),
    [
        pytest.param({"a": tried(0.3, 0.3)}, {"a": ("plan", ())}, id="the simplest where all are alike"),
        pytest.param({"a": tried(0.305, 0.3)}, {"a": ("plan", ())}, id="the simplest where it is about as good"),
        pytest.param({"a": tried(0.5, 0.3)}, {"a": ("pinned", ())}, id="the fewest tokens"),
        pytest.param({"a": tried(0.4, 0.4, 0.25)}, {"a": ("pinned", FLAG)}, id="with a flag"),
        pytest.param({"a": tried(0.5, 0.25, 0.249)}, {"a": ("pinned", ())}, id="no flag that saves nothing"),
        pytest.param(
            {"a": tried(0.3, 0.31), "b": tried(0.9, 0.3)},
            {"a": ("pinned", ()), "b": ("pinned", ())},
            id="one order for all",
        ),
        pytest.param(
            {"a": tried(0.9, 0.8, 0.2), "b": tried(0.2, 0.2)},
            {"a": ("pinned", FLAG), "b": ("pinned", ())},
            id="flags of its own",
        ),
        pytest.param({}, {}, id="nothing known"),
    ],
)
def test_what_is_chosen(
    of_variants: dict[str, list[Arranged]], expected: dict[str, tuple[Order, tuple[str, ...]]]
) -> None:
    assert {name: (cache.order, cache.flags) for name, cache in choose(of_variants).items()} == expected


def test_a_choice_says_what_it_costs_and_what_the_others_would() -> None:
    (cache,) = choose({"a": tried(0.58, 0.4, 0.31)}).values()

    assert cache.why == (
        "31 % of the prompt tokens have to be evaluated with questions put each category in one place and --swa-full;"
        " 58 % as planned, 100 % one category after the other, 40 % without --swa-full"
    )


def test_all_variants_are_asked_in_one_order_whoever_was_tried_when(tmp_path: Path) -> None:
    study = parse(
        "study: s\nbaseline: a\nbenchmarks: {mmlu_pro: {}}\nvariants:\n"
        + "".join(f"  - {{name: {name}, base_url: 'http://127.0.0.1:1/v1', model: m}}\n" for name in "abc"),
        source="s.yaml",
    )
    keep_serving(tmp_path, Serving(repeatable=True))

    keep_arranged(tmp_path, study, {"a": tried(0.3, 0.3)})
    keep_arranged(tmp_path, study, {"b": tried(0.9, 0.3)})

    serving = read_serving(tmp_path)
    assert serving is not None
    assert {name: cache.order for name, cache in serving.cache.items()} == dict.fromkeys("abc", "pinned")
    assert serving.repeatable is True


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            Answer(text="", duration_s=1.0, timings={"cache_n": 30, "prompt_n": 10}), (30, 10), id="llama-server's own"
        ),
        pytest.param(
            Answer(text="", duration_s=1.0, prompt_tokens=40, cached_tokens=30), (30, 10), id="as OpenAI counts"
        ),
        pytest.param(Answer(text="", duration_s=1.0, prompt_tokens=40), None, id="not reported"),
        pytest.param(
            Answer(text="", duration_s=1.0, prompt_tokens=40, cached_tokens=50), None, id="more than there are"
        ),
        pytest.param(Answer(text="", duration_s=1.0, timings={"cache_n": "x", "prompt_n": 1}), None, id="no number"),
        pytest.param(
            Answer(text="", duration_s=1.0, timings={"cache_n": -1, "prompt_n": 1}), None, id="less than none"
        ),
    ],
)
def test_what_a_server_says_of_its_cache(answer: Answer, expected: tuple[int, int] | None) -> None:
    assert cached(answer) == expected

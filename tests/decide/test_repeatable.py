"""Whether prompt caches are off: what it costs, what is decided, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.decide.repeatable import MOST, Load, choose, cost, shared_share
from evaluator.study.file import parse
from evaluator.study.study import Study

FAST = Load(prompt_tokens=1000, saved=0.5, reply_tokens=100, prompt_speed=1000, reply_speed=20)
"""5.5 s with the cache, 6 s without it."""
SHORT = FAST._replace(reply_tokens=2)
"""0.6 s with the cache, 1.1 s without it."""
UNKNOWN = Load(prompt_tokens=1000, saved=0.5)


def study_of(extra: str = "", names: str = "q8 q4") -> Study:
    variants = ", ".join(f"{{name: {name}, model: m.gguf, runtime: llama_server}}" for name in names.split())
    return parse(f"study: s\nbaseline: q8\nvariants: [{variants}]\nbenchmarks: {{mmlu_pro: {{}}}}\n{extra}", "s")


@pytest.mark.parametrize(
    ("loads", "expected"),
    [
        pytest.param([FAST], 0.5 / 5.5, id="long-replies"),
        pytest.param([SHORT], 0.5 / 0.6, id="short-replies"),
        pytest.param([FAST, SHORT], 1 / 6.1, id="both-together"),
        pytest.param([UNKNOWN], None, id="no-speed"),
        pytest.param([UNKNOWN._replace(saved=0.1)], 0.1 / 0.9, id="no-speed-but-little-to-save"),
        pytest.param([FAST, UNKNOWN], None, id="one-unknown"),
        pytest.param([FAST._replace(saved=0.0)], 0.0, id="nothing-to-save"),
        pytest.param([FAST._replace(saved=1.0, prompt_speed=None)], None, id="all-to-save"),
        pytest.param([], None, id="nobody"),
    ],
)
def test_what_it_costs(loads: list[Load], expected: float | None) -> None:
    assert cost(loads) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("study", "cannot", "loads", "repeatable", "why"),
    [
        pytest.param(study_of(), {}, [FAST], True, "about 9 % longer", id="cheap"),
        pytest.param(study_of(), {}, [SHORT], False, "would take about 1.8 times as long", id="dear"),
        pytest.param(study_of(), {}, [UNKNOWN], False, "is not known, since no speed was measured", id="unknown"),
        pytest.param(
            study_of(), {}, [UNKNOWN._replace(saved=0.1)], True, "takes at most about 11 % longer", id="little-to-save"
        ),
        pytest.param(study_of(), {"q4": "Ollama cannot"}, [FAST], False, "stay on: Ollama cannot", id="cannot"),
        pytest.param(study_of(names="q8"), {}, [FAST], False, "nothing is compared", id="one-variant"),
        pytest.param(study_of("sampling: {temperature: 0.7}"), {}, [FAST], False, "are drawn", id="warm"),
        pytest.param(study_of("sampling: {temperature: null}"), {}, [FAST], False, "are drawn", id="unsaid"),
        pytest.param(study_of("repeatable: true"), {}, [SHORT], True, "as the study says; without them", id="told"),
        pytest.param(study_of("repeatable: true"), {}, [], True, "off, as the study says", id="told-unmeasured"),
        pytest.param(study_of("repeatable: true", "q8"), {}, [], True, "off, as the study says", id="told-for-one"),
        pytest.param(study_of("repeatable: false"), {}, [FAST], False, "stay on, as the study says", id="told-not-to"),
        pytest.param(
            study_of("repeatable: true"), {"q8": "no", "q4": "no"}, [], False, "otherwise: no", id="told-but-cannot"
        ),
    ],
)
def test_what_is_decided(
    study: Study, cannot: dict[str, str], loads: list[Load], *, repeatable: bool, why: str
) -> None:
    chosen = choose(study, cannot, loads)

    assert chosen.repeatable == repeatable
    assert why in chosen.why


_LOADS = st.builds(
    Load,
    prompt_tokens=st.floats(1, 1e4),
    saved=st.floats(0, 1),
    reply_tokens=st.none() | st.floats(1, 1e4),
    prompt_speed=st.none() | st.floats(1, 1e5),
    reply_speed=st.none() | st.floats(1, 1e5),
)


@given(st.lists(_LOADS, min_size=1, max_size=4))
def test_by_itself_it_is_never_off_at_more_than_a_fifth_of_the_time(loads: list[Load]) -> None:
    """And what is not known is never taken for less than it may be."""
    share = cost(loads)
    if choose(study_of(), {}, loads).repeatable:
        assert share is not None
        assert share <= MOST
    if share is not None and any(load.seconds(1.0) is None for load in loads):
        assert all(load.saved / (1 - load.saved) <= share for load in loads)


@given(st.lists(st.text("ab", max_size=12), max_size=8))
def test_shared_beginnings_are_counted_as_by_comparing_all_pairs(prompts: list[str]) -> None:
    def common(one: str, other: str) -> int:
        return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))

    expected = sum(
        max((common(one, other) for j, other in enumerate(prompts) if j != i), default=0)
        for i, one in enumerate(prompts)
    )
    assert shared_share(prompts) == pytest.approx(expected / max(1, sum(map(len, prompts))))

"""Where fidelity and task scores point different ways: said where both verdicts carry it, and nowhere else."""

from typing import Any

import pytest
from msgspec.structs import replace

from evaluator.decide.comparison import Comparison, Verdict
from evaluator.fidelity.nouns import Fidelity, FidelityVerdict
from evaluator.fidelity.tasks import point_apart
from tests.support.measured_fidelity import FIDELITY, PAIR, Q4, Q4_K_M
from tests.support.recommended import compared

ALONE = replace(FIDELITY, builds=(Q4_K_M, Q4), pairs=())
PAIRED = replace(FIDELITY, builds=(), pairs=(PAIR,))


def task(variant: str, verdict: Verdict, **more: Any) -> Comparison:
    return compared(variant, "mmlu_pro", verdict, **{"baseline": "f16", **more})


def flips(variant: str, won: int, lost: int, **more: Any) -> Comparison:
    return task(variant, "cannot tell", **{"won": won, "lost": lost, **more})


@pytest.mark.parametrize(
    ("verdict", "on_tasks", "said"),
    [
        pytest.param("equivalent", "clearly worse", "by KL divergence it is equivalent to f16", id="close-but-worse"),
        pytest.param("equivalent", "worse, size uncertain", "it is worse than f16", id="close-but-worse-somehow"),
        pytest.param("equivalent", "worse by less than the margin", "", id="both-within-their-margins"),
        pytest.param("equivalent", "equivalent", "", id="both-equivalent"),
        pytest.param("equivalent", "cannot tell", "", id="the-task-cannot-tell"),
        pytest.param("equivalent", "not comparable", "", id="no-task"),
        pytest.param("worse", "equivalent", "further from f16 than the margin", id="far-but-equivalent"),
        pytest.param("worse", "clearly worse", "", id="both-worse"),
        pytest.param("worse, size uncertain", "equivalent", "", id="less-than-the-margin-perhaps"),
        pytest.param("cannot tell", "clearly worse", "", id="fidelity-cannot-tell"),
    ],
)
def test_one_build(verdict: FidelityVerdict, on_tasks: Verdict, said: str) -> None:
    found = point_apart(replace(ALONE, builds=(replace(Q4, verdict=verdict),)), [task("q4_0", on_tasks)])

    assert len(found) == (2 if said else 0)
    assert said in "".join(found)


@pytest.mark.parametrize(
    ("verdict", "closer", "further", "says"),
    [
        pytest.param("better", "clearly worse", "equivalent", True, id="closer-is-worse"),
        pytest.param("better", "clearly worse", "clearly worse", False, id="both-worse"),
        pytest.param("better", "clearly worse", "cannot tell", False, id="the-other-is-open"),
        pytest.param("better", "equivalent", "clearly worse", False, id="they-agree"),
        pytest.param("cannot tell", "clearly worse", "equivalent", False, id="neither-is-closer"),
        pytest.param("equivalent", "clearly worse", "equivalent", False, id="as-close"),
    ],
)
def test_two_builds(verdict: FidelityVerdict, closer: Verdict, further: Verdict, says: bool) -> None:
    pair = replace(PAIR, verdict=verdict)
    turned = replace(pair, build=pair.other, other=pair.build)
    opposite: dict[str, Any] = {"better": "worse"}
    found = point_apart(replace(PAIRED, pairs=(pair,)), [task("q4_k_m", closer), task("q4_0", further)])
    other_way = point_apart(
        replace(PAIRED, pairs=(replace(turned, verdict=opposite.get(verdict, verdict)),)),
        [task("q4_k_m", closer), task("q4_0", further)],
    )

    assert bool(found) == says
    assert other_way == found


@pytest.mark.parametrize(
    ("mine", "its", "says"),
    [
        pytest.param(flips("q4_k_m", 40, 60), flips("q4_0", 10, 15), True, id="clearly-more"),
        pytest.param(flips("q4_k_m", 14, 16), flips("q4_0", 10, 15), False, id="a-few-more"),
        pytest.param(flips("q4_k_m", 10, 15), flips("q4_0", 40, 60), False, id="fewer"),
        pytest.param(flips("q4_k_m", 40, 60, baseline="q8_0"), flips("q4_0", 10, 15), False, id="other-baseline"),
        pytest.param(flips("q4_k_m", 40, 60, repeated=4), flips("q4_0", 10, 15), False, id="texts-that-come-again"),
        pytest.param(flips("q4_k_m", 0, 0, n=0), flips("q4_0", 10, 15), False, id="nothing-asked"),
        pytest.param(flips("q4_k_m", 40, 60), flips("other", 10, 15), False, id="not-both-asked"),
    ],
)
def test_more_answers_differ(mine: Comparison, its: Comparison, says: bool) -> None:
    found = point_apart(PAIRED, [mine, its])

    assert ["25.0 % against 6.2 %" in line for line in found[:1]] == ([True] if says else [])


def test_what_each_measures_is_said_once_and_last() -> None:
    found = point_apart(ALONE, [task("q4_k_m", "clearly worse"), task("q4_0", "equivalent")])

    assert [line.partition(":")[0] for line in found[:-1]] == ["q4_k_m", "q4_0"]
    assert "a mean over every token" in found[-1]
    assert sum("a mean over every token" in line for line in found) == 1


@pytest.mark.parametrize("fidelity", [ALONE, PAIRED], ids=["builds", "pairs"])
def test_without_tasks_nothing_is_said(fidelity: Fidelity) -> None:
    assert point_apart(fidelity, []) == ()

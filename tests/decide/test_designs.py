"""The three designs: where the answers are cut, when a look is due, and what is asked in each round."""

from typing import get_args

import pytest

from evaluator.decide.designs import DESIGNS
from evaluator.decide.evidence import Design
from evaluator.decide.wording import interval_label
from evaluator.study.study import LOOKS, Decide, Mode


def test_every_mode_has_a_design() -> None:
    assert tuple(DESIGNS) == get_args(Mode)
    assert len({design.p_name for design in DESIGNS.values()}) == len(DESIGNS)
    assert len({interval_label(0.95, mode=mode) for mode in DESIGNS}) == len(DESIGNS)


@pytest.mark.parametrize(("mode", "early"), [("fixed", False), ("sequential", True), ("group_sequential", True)])
def test_only_a_fixed_design_waits_for_the_end(mode: Mode, early: bool) -> None:
    assert Design(mode=mode).looks_early is early
    assert bool(DESIGNS[mode].planning) is early


@pytest.mark.parametrize(
    ("mode", "answered", "ends"),
    [
        pytest.param("fixed", 30, [100], id="fixed: all that there is"),
        pytest.param("sequential", 30, [30], id="sequential: up to the first open question"),
        pytest.param("group_sequential", 24, [], id="group-sequential, before the first look"),
        pytest.param("group_sequential", 60, [25, 50], id="group-sequential, after the second"),
        pytest.param("group_sequential", 100, [25, 50, 75, 100], id="group-sequential, at the end"),
    ],
)
def test_where_the_answers_are_cut(mode: Mode, answered: int, ends: list[int]) -> None:
    assert DESIGNS[mode].cut(100, answered, 4) == ends


@pytest.mark.parametrize(
    ("mode", "answered", "compared", "counts", "due"),
    [
        pytest.param("fixed", 100, 100, True, False, id="fixed: never on the way"),
        pytest.param("sequential", 45, 40, True, True, id="sequential: every 20 that count"),
        pytest.param("sequential", 46, 40, False, False, id="sequential: not at one that does not count"),
        pytest.param("sequential", 20, 19, True, False, id="sequential: those without an answer do not count"),
        pytest.param("group_sequential", 25, 3, False, True, id="group-sequential: as planned"),
        pytest.param("group_sequential", 26, 20, True, False, id="group-sequential: not in between"),
    ],
)
def test_when_a_look_is_due(mode: Mode, answered: int, compared: int, counts: bool, due: bool) -> None:
    assert DESIGNS[mode].look_is_due(100, answered, 4, compared=compared, counts=counts) is due


@pytest.mark.parametrize(
    ("decide", "looks"),
    [
        pytest.param(Decide(mode="group_sequential"), LOOKS, id="as many as usual"),
        pytest.param(Decide(mode="group_sequential", looks=3), 3, id="as the study says"),
    ],
)
def test_how_many_looks_are_planned(decide: Decide, looks: int) -> None:
    assert decide.planned_looks == looks
    assert Design(mode="group_sequential").looks == LOOKS

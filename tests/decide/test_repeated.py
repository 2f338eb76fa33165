"""Questions that repeat one another are one cluster in every number of a comparison and of a score."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.decide.evidence import Design, evidence, looks_at
from evaluator.decide.exploratory import explore
from evaluator.decide.score import score
from evaluator.records import Grade, Key
from evaluator.study.study import Mode
from tests.support.paired_answers import Answers, answers, compared, repeats

unhurried = settings(deadline=None, max_examples=60)
cells = st.integers(0, 30)
tables = st.tuples(cells, cells, cells, cells).filter(lambda t: sum(t) >= 5)


def twice(given: Answers) -> Answers:
    """Ask all questions again at the end, with the same answers."""
    return {**given, **{f"{q}'": right for q, right in given.items()}}


def shown(ours: Answers, theirs: Answers, mode: Mode, repeated: dict[str, str], seed: int = 0) -> Any:
    once = random.Random(seed).sample([q for q in ours if not q.endswith("'")], len([q for q in ours if "'" not in q]))
    order = [*once, *(f"{q}'" for q in once if f"{q}'" in ours)]
    design = Design(mode=mode, looks=1, order={"b": order}, repeated={"b": repeated})
    return evidence(looks_at(ours, theirs, "b", design), margin=0.05, alpha=0.05, family=3)


def ends(found: Any) -> list[float]:
    intervals = (found.interval, found.family_interval, found.equivalence_interval, found.flips)
    return [end for i in intervals for end in (i.low, i.high)]


@unhurried
@given(tables, st.sampled_from(["fixed", "sequential", "group_sequential"]), st.integers(0, 5))
def test_what_is_asked_twice_shows_what_it_shows_once(table: tuple[int, int, int, int], mode: Mode, seed: int) -> None:
    ours, theirs = answers(*table)
    again = {f"{q}{mark}": q for q in ours for mark in ("", "'")}

    once = shown(ours, theirs, mode, {}, seed)
    both = shown(twice(ours), twice(theirs), mode, again, seed)

    assert (once.repeated, both.repeated) == (0, 2 * len(ours))
    assert both.difference == pytest.approx(once.difference)
    assert both.effect == pytest.approx(2)
    assert ends(both) == pytest.approx(ends(once), abs=1e-7)
    assert [both.p, both.equivalence_p, both.noninferiority_p] == pytest.approx(
        [once.p, once.equivalence_p, once.noninferiority_p], rel=1e-6, abs=1e-12
    )


@unhurried
@given(tables, st.sampled_from(["fixed", "sequential", "group_sequential"]), st.integers(0, 5))
def test_groups_of_which_one_was_asked_change_nothing(table: tuple[int, int, int, int], mode: Mode, seed: int) -> None:
    """As in all samples of up to 10,000 MMLU-Pro questions: every number is the same to the last digit."""
    ours, theirs = answers(*table)

    assert shown(ours, theirs, mode, {}, seed) == shown(ours, theirs, mode, {q: f"first of {q}" for q in ours}, seed)


@unhurried
@given(tables, st.data())
def test_intervals_with_clusters_agree_with_their_tests_and_are_never_narrower(
    table: tuple[int, int, int, int], data: st.DataObject
) -> None:
    ours, theirs = answers(*table)
    labels = data.draw(st.lists(st.integers(0, 40), min_size=len(ours), max_size=len(ours)))
    repeated = {q: str(label) for q, label in zip(ours, labels, strict=True)}

    plain, clustered = (shown(ours, theirs, "fixed", of) for of in ({}, repeated))

    assert clustered.interval.low <= plain.interval.low
    assert plain.interval.high <= clustered.interval.high
    inside = clustered.equivalence_interval.low > -0.05 and clustered.equivalence_interval.high < 0.05
    if abs(clustered.equivalence_p - 0.05) > 1e-6:
        assert inside == (clustered.equivalence_p <= 0.05)


def test_several_answers_to_questions_that_repeat_one_another() -> None:
    ours, theirs = repeats([2] * 30 + [5] * 70), repeats([5] * 100)
    pairs = {f"q{i}": str(i // 2) for i in range(100)}

    plain, clustered = (shown(ours, theirs, "fixed", of) for of in ({}, pairs))

    assert clustered.table is None
    assert clustered.effect == pytest.approx(2, abs=0.05)
    width, plain_width = (found.interval.high - found.interval.low for found in (clustered, plain))
    assert width / plain_width == pytest.approx(2**0.5, rel=0.02)
    assert clustered.p > plain.p or clustered.p == pytest.approx(1e-4, rel=0.5)


@pytest.mark.parametrize(
    ("order", "steps"),
    [
        pytest.param("abc", 3, id="none repeated"),
        pytest.param("aAbc", 3, id="side by side"),
        pytest.param("abcA", 3, id="at the end"),
        pytest.param("abAcBC", 3, id="all of them"),
        pytest.param("AaAa"[:2], 1, id="nothing else"),
    ],
)
def test_a_look_on_the_way_takes_the_first_of_each_text(order: str, steps: int) -> None:
    ours: Answers = dict.fromkeys(order, (True,))
    design = Design(mode="sequential", order={"b": tuple(order)}, repeated={"b": {q: q.lower() for q in order}})

    sample = looks_at(ours, dict.fromkeys(order, (False,)), "b", design).samples[-1]

    assert sample.n == len(order)
    assert sample.distinct == (1.0,) * steps


def grades(n: int, right: int) -> list[Grade]:
    return [
        Grade(
            key=Key("mmlu_pro", f"q{i}", 0),
            variant="v",
            outcome="correct" if i < right else "unparsed",
            extracted=None,
            why="",
        )
        for i in range(n)
    ]


def test_a_score_of_questions_asked_twice_is_as_sure_as_of_once() -> None:
    """20 of 40 right, asked twice: the intervals of 40 questions, though 80 were asked."""
    same = {f"q{i}": str(i // 2) for i in range(80)}
    strata: dict[str, Any] = {"categories": dict.fromkeys(same, "c"), "sizes": {"c": 80}}

    once = score("v", "mmlu_pro", planned=40, records=[], grades=grades(40, 20), **strata)
    both = score("v", "mmlu_pro", planned=80, records=[], grades=grades(80, 40), repeated=same, **strata)

    assert once.interval
    assert both.interval
    assert once.stratified
    assert both.stratified
    assert (both.interval.low, both.interval.high) == pytest.approx((once.interval.low, once.interval.high))
    widths = [of.interval.high - of.interval.low for of in (once.stratified, both.stratified)]
    assert widths[1] == pytest.approx(widths[0], rel=0.01)
    rates = [x.rates["unparsed"].interval for x in (once, both)]
    assert (rates[1].low, rates[1].high) == pytest.approx((rates[0].low, rates[0].high), abs=1e-6)


def test_the_report_counts_them() -> None:
    ours, theirs = answers(20, 5, 3, 2)
    design = Design(order={"mmlu_pro": tuple(ours)}, repeated={"mmlu_pro": {"q0": "q0", "q7": "q0", "q9": "q9"}})

    (found,) = compared({"q8_0": {"mmlu_pro": theirs}, "q4_0": {"mmlu_pro": ours}}, design=design)

    assert found.repeated == 2


def test_what_is_explored_takes_them_together_too() -> None:
    ours, theirs = answers(20, 12, 2, 6)
    third, _ = answers(20, 8, 6, 6)
    scores = {name: {"b": twice(of)} for name, of in (("base", theirs), ("a", ours), ("c", third))}
    again = {f"{q}{mark}": q for q in ours for mark in ("", "'")}
    options: dict[str, Any] = {
        "categories": {"b": {q: "xy"[int(q.strip("q'")) % 2] for q in again}},
        "sizes": {"b": {"x": 80, "y": 80}},
    }

    both = explore(scores, baseline="base", alpha=0.05, repeated={"b": again}, **options)
    once = explore(
        {name: {"b": {q: r for q, r in of["b"].items() if "'" not in q}} for name, of in scores.items()},
        baseline="base",
        alpha=0.05,
        **options,
    )

    assert both
    assert once
    assert [o.n for o in both.omnibus] == [o.n for o in once.omnibus] == [40]
    tested = [
        [x.test.p for x in (*found.pairs, *found.categories)] + [x.test.p for x in found.omnibus]
        for found in (both, once)
    ]
    assert tested[0] == pytest.approx(tested[1])
    assert [a.homogeneity.p for a in both.across] == pytest.approx([a.homogeneity.p for a in once.across])
    widths = [[a.stratified.interval.high - a.stratified.interval.low for a in found.across] for found in (both, once)]
    assert widths[0] == pytest.approx(widths[1], rel=0.03)

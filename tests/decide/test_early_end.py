"""What a plan expects of a design that looks early is what its rule does."""

import random
from typing import Any

import pytest

from evaluator.decide import early_end
from evaluator.decide.early_end import early_ends
from evaluator.decide.power import plan_study
from evaluator.decide.stopping import StoppingRule, design_of
from evaluator.records import Grade
from evaluator.report.power import sentences
from evaluator.study.file import parse
from evaluator.study.requests import plan
from evaluator.study.study import Mode

STUDY = """\
study: s
baseline: a
variants:
  - {name: a, model: m, base_url: "http://127.0.0.1:1/v1"}
  - {name: b, model: m, base_url: "http://127.0.0.1:2/v1"}
benchmarks: {mmlu_pro: {questions: N, margin: 5}}
decide: {mode: MODE}
"""


def ends_in_a_run(mode: str, steps: list[float]) -> int | None:
    """Put graded answers through the rule that ends a run."""
    study = parse(STUDY.replace("MODE", mode).replace("N", str(len(steps))), "s")
    asks = plan(study)
    rule = StoppingRule(study, design_of(study, asks))
    for number, (ask, step) in enumerate(zip(asks, steps, strict=True), 1):
        for variant, right in (("a", step <= 0), ("b", step >= 0)):
            outcome: Any = "correct" if right else "wrong"
            rule.add(Grade(key=ask.key, variant=variant, outcome=outcome, extracted="A", why=""))
        if rule.is_settled("b", "mmlu_pro"):
            return number
    return None


@pytest.mark.parametrize("mode", ["sequential", "group_sequential"])
@pytest.mark.parametrize("weights", [(2, 2, 96), (1, 12, 87), (0, 10, 90), (15, 20, 65)], ids=str)
def test_a_simulated_run_ends_where_a_real_one_would(mode: Mode, weights: tuple[int, int, int]) -> None:
    rules = {"sequential": early_end._sequential(0.05, 0.05), "group_sequential": None}
    for seed in range(5):
        steps = random.Random(seed).choices((1.0, -1.0, 0.0), weights, k=300)
        rule = rules[mode] or early_end._group_sequential(300, 0.05, 0.05, 5)
        assert rule(steps) == ends_in_a_run(mode, steps)


@pytest.mark.parametrize("mode", ["sequential", "group_sequential"])
def test_the_larger_the_difference_the_fewer_questions(mode: Mode) -> None:
    none, one, two = early_ends(mode, 600, margin=0.08, level=0.05, looks=5, disagreement=0.1)

    assert (none.difference, one.difference, two.difference) == (0.0, 0.08, 0.16)
    assert two.questions < one.questions <= 600
    assert two.questions < none.questions <= 600
    assert two.decided == 1.0
    assert (none.disagreement, two.disagreement) == (0.1, 0.16)


def test_the_same_plan_says_the_same() -> None:
    again = [early_ends("sequential", 200, margin=0.05, level=0.05, looks=5, disagreement=0.1) for _ in range(2)]

    assert again[0] == again[1]


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        pytest.param(
            "sequential", "Of the 200 planned questions of MMLU-Pro a variant is asked on average", id="early"
        ),
        pytest.param("fixed", "", id="fixed"),
    ],
)
def test_a_plan_says_what_is_saved_where_something_may_be(extra: str, says: str) -> None:
    found = plan_study(parse(STUDY.replace("MODE", extra).replace("N", "200"), "s"))
    told = [sentence for sentence in sentences(found) if "is asked on average" in sentence]

    assert len(told) == bool(says)
    assert all(sentence.startswith(says) for sentence in told)


def test_several_answers_to_a_question_are_not_simulated() -> None:
    study = STUDY.replace("MODE", "sequential").replace("N", "200").replace("margin: 5", "margin: 5, repeats: 3")

    assert plan_study(parse(study, "s")).benchmarks[0].early == ()

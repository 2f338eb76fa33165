"""Default margins are what a benchmark's questions can show, and every place that names them agrees."""

from math import ceil
from pathlib import Path
from typing import Any

import pytest

from evaluator.benchmarks import BENCHMARKS
from evaluator.commands.demo import DEMOS
from evaluator.decide.power import POWER, RATES, BenchmarkPlan, plan_study
from evaluator.report.power import sentences
from evaluator.stats.power_equivalence import score_questions_for_equivalence, score_smallest_margin
from evaluator.study.file import load_study

CONCEPTS = (Path(__file__).parents[2] / "docs" / "concepts.md").read_text(encoding="utf-8")
RAREST = RATES[0]
"""The rate of disagreement of neighbouring builds, where most can be shown."""
TWO = 0.05 / 2
"""The level of each of two comparisons."""


def planned(*benchmarks: str, variants: int = 2) -> dict[str, BenchmarkPlan]:
    names = [f"v{i}" for i in range(variants)]
    study: dict[str, Any] = {
        "study": "s",
        "baseline": "v0",
        "variants": [{"name": name, "runtime": "llama_server", "model": f"{name}.gguf"} for name in names],
        "benchmarks": {name: {} for name in benchmarks},
    }
    return {plan.benchmark: plan for plan in plan_study(load_study(study).study).benchmarks}


def test_humanevals_margin_is_the_smallest_whole_number_that_all_its_questions_show() -> None:
    best = score_smallest_margin(BENCHMARKS["humaneval"].total, RAREST, alpha=TWO, power=POWER)

    assert best is not None
    assert best == pytest.approx(0.0514, abs=5e-5)
    assert ceil(100 * best) == BENCHMARKS["humaneval"].defaults.margin == 6


@pytest.mark.parametrize(
    ("benchmarks", "variants", "comparisons"),
    [
        pytest.param(("humaneval",), 2, 1, id="one"),
        pytest.param(("humaneval", "mmlu_pro"), 2, 2, id="two benchmarks"),
        pytest.param(("humaneval",), 3, 2, id="two variants"),
        pytest.param(("humaneval", "mmlu_pro", "gsm8k"), 2, 3, id="all benchmarks"),
        pytest.param(("humaneval", "mmlu_pro"), 3, 4, id="two of each"),
    ],
)
def test_the_plan_reaches_it(benchmarks: tuple[str, ...], variants: int, comparisons: int) -> None:
    plan = planned(*benchmarks, variants=variants)["humaneval"]

    assert (variants - 1) * len(benchmarks) == comparisons
    assert plan.questions == plan.total == 164
    assert (plan.at[0].supported_margin or 1) <= plan.margin
    needed = next(t.needed for t in plan.targets if t.aim == "equivalence")
    assert (needed[0] or 999) <= 164
    if comparisons > 1:
        assert (plan.at[0].best_margin or 0) > 0.05


@pytest.mark.parametrize(
    ("name", "most_often"),
    [
        pytest.param("mmlu_pro", 0.20, id="MMLU-Pro"),
        pytest.param("gsm8k", 0.10, id="GSM8K"),
        pytest.param("humaneval", 0.02, id="HumanEval"),
    ],
)
def test_all_questions_of_a_benchmark_reach_its_margin(name: str, most_often: float) -> None:
    """As the docstrings of the defaults say: two comparisons, and disagreement up to this rate."""
    benchmark = BENCHMARKS[name]
    needed = {
        rate: score_questions_for_equivalence(benchmark.defaults.margin / 100, rate, alpha=TWO, power=POWER)
        for rate in RATES
    }

    assert all((count <= benchmark.total) == (rate <= most_often) for rate, count in needed.items())
    shown = ", ".join(f"{needed[rate]:,}" for rate in (0.02, 0.05, 0.10))
    assert f"| {benchmark.title} | {benchmark.defaults.margin:g} points | {shown} |" in CONCEPTS


def test_the_demo_has_the_default() -> None:
    """But for MMLU-Pro, of which it asks too few for the default."""
    assert DEMOS["lab"].benchmarks["humaneval"] == {
        "questions": "all",
        "margin": BENCHMARKS["humaneval"].defaults.margin,
    }


def test_the_plan_of_a_default_study_says_what_its_margin_takes() -> None:
    study = load_study(
        {
            "study": "s",
            "baseline": "a",
            "variants": [{"name": n, "runtime": "llama_server", "model": f"{n}.gguf"} for n in "ab"],
            "benchmarks": {"humaneval": {}, "gsm8k": {}},
        }
    ).study

    said = " ".join(sentences(plan_study(study)))

    assert "HumanEval has 164 questions only: the smallest margin within which all of them can show equivalence is" in (
        said
    )
    assert "5.1 points at 2 %" not in said
    assert "6.9 points at 5 % or 8.9 points at 10 % disagreement" in said
    assert "its margin of 3 points would need about 1,050, to show equivalence within it 1,220" in said

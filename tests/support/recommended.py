"""Verdicts and costs of constructed studies, for the tests of recommendations."""

from collections.abc import Mapping
from typing import Any

from evaluator.decide.comparison import Comparison, Verdict
from evaluator.decide.recommendation import Recommendation, recommend
from evaluator.decide.resources import Resources
from evaluator.decide.sentences import cannot_compare
from evaluator.records import Alone
from evaluator.study.study import Prefer

GB = 1_000_000_000
TOTALS = {"mmlu_pro": 12_032, "humaneval": 164}
_DIFFERENCE: Mapping[Verdict, float] = {
    "clearly worse": -0.2,
    "worse, size uncertain": -0.062,
    "worse by less than the margin": -0.021,
    "clearly better": 0.08,
    "better, size uncertain": 0.061,
    "better by less than the margin": 0.018,
}


def compared(variant: str, benchmark: str, verdict: Verdict, **more: Any) -> Comparison:
    """Give a comparison with q8_0 that has this verdict; `reason` is why it is blocked."""
    reason = more.pop("reason", "the model does not think though it should")
    fields: dict[str, Any] = {
        "baseline": "q8_0",
        "n": 400,
        "family": 2,
        "margin": 0.05,
        "difference": _DIFFERENCE.get(verdict, 0.0),
        "sentence": cannot_compare(variant, "q8_0", benchmark, reason) if verdict == "not comparable" else "",
    }
    if verdict == "cannot tell":
        fields |= {"questions_needed": 1200, "hours_needed": 3.0}
    return Comparison(variant=variant, benchmark=benchmark, verdict=verdict, **(fields | more))


def both(variant: str, on_mmlu_pro: Verdict, on_humaneval: Verdict, **more: Any) -> list[Comparison]:
    """Give its comparisons on two benchmarks."""
    return [compared(variant, "mmlu_pro", on_mmlu_pro, **more), compared(variant, "humaneval", on_humaneval, **more)]


def cost(variant: str, gb: float | None = None, **more: Any) -> Resources:
    """Give what a variant costs: gigabytes of its file, and tokens a second as `alone` or `at_once`."""
    alone, at_once, memory = (more.pop(key, None) for key in ("alone", "at_once", "memory"))
    return Resources(
        variant=variant,
        file_bytes=None if gb is None else round(gb * GB),
        alone=None if alone is None else Alone(tokens_per_second=alone),
        in_flight=None if at_once is None else 4,
        tokens_per_second=at_once,
        memory_bytes=None if memory is None else round(memory * GB),
        **more,
    )


def recommended(comparisons: list[Comparison], *costs: Resources, prefer: Prefer = "size") -> Recommendation:
    """Recommend one of the variants that have costs, the baseline q8_0 the first of them."""
    found = recommend(
        comparisons, costs, variants=[one.variant for one in costs], baseline="q8_0", prefer=prefer, totals=TOTALS
    )
    assert found is not None
    return found

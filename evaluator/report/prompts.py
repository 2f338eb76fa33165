"""How the prompts of a run were put, and what of them its servers had in their caches, in words."""

from evaluator.analyse.report import Report
from evaluator.decide.wording import percent

TITLE = "Prompts and the servers' caches"


def prompts(report: Report) -> tuple[str, ...]:
    """Say for each variant what was chosen and why, and what the run came to; empty: nothing is known."""
    caches = report.serving.cache if report.serving else {}
    names = [variant.name for variant in report.plan.study.variants if variant.name in caches]
    sentences = []
    for name in names:
        cache = caches[name]
        parts = [cache.why] if cache.why else []
        if cache.evaluated is not None:
            parts.append(f"in the run {percent(cache.evaluated, 0)} were evaluated, as its replies count them")
        if parts:
            sentences.append(f"{name}: {'; '.join(parts)}.")
    return tuple(sentences)

"""Which rules of judging may change once answers have been given, and which may not."""

from pathlib import Path

from msgspec.structs import replace

from evaluator.benchmarks import BENCHMARKS
from evaluator.errors import StudyError
from evaluator.study.study import Study

_INSTEAD = "Put it back, set decide.mode: sequential, which holds whenever one looks, or give the study another name"


def refuse_other_design(before: Study, now: Study, folder: Path, *, extended: bool) -> None:
    """Refuse a test that is invalid after the looks that a run has had.

    The sequential mode is valid whatever came before. A fixed test is not once a run may have ended early, and planned
    looks are not once the plan changes.

    Raises:
        StudyError: The answers were looked at under another mode or plan.
    """
    old, new = before.decide.mode, now.decide.mode
    if new == "sequential" or old == new == "fixed" or (extended and new == "fixed"):
        return
    change = f"decide.mode was {old}, now {new}" if old != new else _other_plan(before, now)
    if change:
        raise StudyError(
            f"{change}: what was looked at in one way cannot be judged in another. {_INSTEAD}", source=folder
        )


def changed_rules(before: Study, now: Study) -> tuple[str, ...]:
    """Say which rules of judging have changed: margins, alpha, the baseline, the set of variants."""
    old, new = _rules(before), _rules(now)
    return tuple(f"{what} was {old[what]}, then {new[what]}" for what in old if what in new and old[what] != new[what])


def is_extended(before: Study, now: Study, folder: Path) -> bool:
    """Whether more is asked than a report has already judged: a fixed test may be made once only."""
    if before.decide.mode != "fixed" or not (folder / "report.json").exists() or len(before.variants) == 1:
        return False
    old, new = _asked(before), _asked(now)
    return any(new[name] > old[name] for name in old if name in new)


def judged_as_extended(study: Study) -> Study:
    """Return the study in sequential mode, whose statistics hold whenever one looks."""
    return replace(study, decide=replace(study.decide, mode="sequential"))


def _other_plan(before: Study, now: Study) -> str:
    if before.decide.looks != now.decide.looks or _asked(before) != _asked(now):
        return "the planned looks are at other questions now, or more or fewer of them"
    changed = [change for change in changed_rules(before, now) if not change.startswith("the margin")]
    return f"its looks were planned otherwise: {'; '.join(changed)}" if changed else ""


def _asked(study: Study) -> dict[str, tuple[int, int]]:
    """Give by benchmark how many questions there are, and answers to each."""
    return {
        name: (BENCHMARKS[name].total if s.questions == "all" else s.questions, s.repeats)
        for name, s in study.benchmarks.chosen().items()
    }


def _rules(study: Study) -> dict[str, str]:
    margins = {f"the margin of {name}": f"{s.margin:g}" for name, s in study.benchmarks.chosen().items()}
    variants = ", ".join(sorted(variant.name for variant in study.variants))
    return {"alpha": f"{study.decide.alpha:g}", "the baseline": study.baseline, "the variants": variants, **margins}

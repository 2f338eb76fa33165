"""A threat to a comparison: what is planted, in a whole run or by hand, and what the checks must find of it."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from evaluator.checks.rule import Check
from evaluator.checks.table import after, before
from evaluator.study.study import Study
from tests.support.check_inputs import check_input, study_of
from tests.support.planted_runs import Findings, PlantedRun, run_in

Codes = tuple[tuple[str, str], ...]
"""Each with its severity."""


class Threat(Struct, frozen=True, kw_only=True):
    """Something that breaks a comparison, and what must be found of it."""

    name: str
    planted: str
    """By what, in words."""
    study: PlantedRun | Callable[[], Findings]
    """A whole run of fake servers, or facts, proofs and records that are written by hand."""
    finds: Codes
    whom: str | None
    """The variant that is blamed; None: all."""
    stage: str = "before"
    """When it is found first: `before` the first question, or `after` the run."""
    also: Codes = ()
    """What else of the same cause is found, notes left out."""


def find(study: PlantedRun | Callable[[], Findings]) -> Findings:
    """Plant a threat, and let the checks look."""
    if not isinstance(study, PlantedRun):
        return study()
    with tempfile.TemporaryDirectory() as folder:
        return run_in(Path(folder), study)


def grave(checks: Sequence[Check]) -> set[tuple[str, str]]:
    """Give what warns or blocks."""
    return {(check.code, check.severity) for check in checks if check.severity != "note"}


def row(name: str, planted: str, study: Any, code: str, severity: str, **more: Any) -> Threat:
    """A threat that shows before the first question; blamed is the second variant unless said otherwise."""
    second = "bad" if isinstance(study, PlantedRun) else "b"
    return Threat(name=name, planted=planted, study=study, finds=((code, severity),), **{"whom": second, **more})


def late(*columns: Any, **more: Any) -> Threat:
    """A threat that only the answers show."""
    return row(*columns, stage="after", **more)


def by_hand(
    study: Study | None = None,
    *,
    facts: dict[str, dict[str, Any]] | None = None,
    proofs: dict[str, dict[str, Any]] | None = None,
    plan: dict[str, Any] | None = None,
    **run: Any,
) -> Callable[[], Findings]:
    """Plant into what checks look at, without a run.

    Args:
        study: Of the variants `a` and `b`.
        facts: By variant, what its server says otherwise of itself.
        proofs: By variant, what it does otherwise when it is tried.
        plan: What is on record of the run itself: forced, unchecked, changes, extended.
        run: What is otherwise after the run: replies, edit, again, as `check_input` takes them.
    """

    def findings() -> Findings:
        chosen = study or study_of()
        first = check_input(chosen, facts=facts, proofs=proofs)
        last = check_input(chosen, facts=facts, proofs=proofs, **{"replies": {}, **run})
        return Findings(before(first), after(replace(last, **(plan or {}))))

    return findings

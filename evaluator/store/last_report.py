"""TODO: evaluator/store/last_report.py."""

from pathlib import Path
from typing import Any

import msgspec


def earlier_problems(folder: Path) -> dict[str, str]:
    """Read from a run's last report which variants could not be finished."""
    return {str(name): str(why) for name, why in _last_report(folder).get("problems", {}).items()}


def earlier_grader(folder: Path) -> str | None:
    """Read from a run's last report which version of the grader its grades are by; None without a report."""
    version = _last_report(folder).get("grader")
    return None if version is None else str(version)


def is_finished(folder: Path) -> bool:
    """Whether a run's last report misses no variant and no question."""
    last = _last_report(folder)
    lost = any(check.get("code") == "no_reply" for check in last.get("checks", ()))
    return bool(last) and not last.get("problems") and not lost


def was_scored(folder: Path) -> bool:
    """Whether code of this run was executed and scored before."""
    scores = _last_report(folder).get("scores", ())
    return any(s.get("benchmark") == "humaneval" and s.get("accuracy") is not None for s in scores)


def _last_report(folder: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode((folder / "report.json").read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return {}

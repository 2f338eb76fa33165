"""The end of a run in the terminal: which build to run stands first and last, and all fits into 80 columns."""

from pathlib import Path
from typing import Any

import pytest

from servers.fake import Reply
from tests.support.scripted import Bench, mostly, right, wrong

pytestmark = pytest.mark.usefixtures("hasty")
KEEP = "Keep good: no other build is as good."


def shown(bench: Bench, monkeypatch: pytest.MonkeyPatch, n: int = 30, columns: int = 80, **scripts: Any) -> list[str]:
    """Run a study; give the lines of the report that the terminal shows."""
    monkeypatch.setenv("COLUMNS", str(columns))
    output = bench.run(bench.study(n, **scripts)).output
    lines = [line.rstrip() for line in output.splitlines()]
    return lines[[line.startswith(("Keep ", "Run ", "Nothing ", "No ")) for line in lines].index(True) :]


def test_what_to_run_stands_first_and_last(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(bench, monkeypatch, good=right, bad=wrong)

    assert lines[0] == KEEP
    assert lines[1] == "  • bad is not worth it: 100 points lower on MMLU-Pro."
    assert lines[-3:-1] == [KEEP, ""]
    assert lines[-1].startswith("The report: ")


def test_what_is_missing_is_said_before_the_tables(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(bench, monkeypatch, 8, good=right, bad=mostly(0.9, "b"))

    first = lines.index("What is missing")
    assert lines[first + 1] == "  • To decide on bad: more questions of MMLU-Pro (8 are too few to say how"
    assert first < next(i for i, line in enumerate(lines) if line.startswith("MMLU-Pro: 8 of"))


def test_the_verdict_is_the_second_column(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(bench, monkeypatch, good=right, bad=wrong)

    (head,) = [line for line in lines if " differs " in line]
    assert head.split()[:2] == ["variant", "verdict"]
    assert [line.split()[:2] for line in lines if line.startswith((" good ", " bad "))][:2] == [
        ["good", "baseline"],
        ["bad", "clearly"],
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_the_parts_stand_in_order_and_nothing_is_too_wide(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    lines = shown(bench, monkeypatch, columns=columns, good=right, broken=Reply(status=400), bad=wrong)

    parts = ["MMLU-Pro: 30 of", "What each variant takes", "What blocks or weakens this", "What the data show"]
    at = [next(i for i, line in enumerate(lines) if line.startswith(part)) for part in parts]
    assert at == sorted(at)
    assert max(map(len, lines[:-1])) <= columns


def test_what_blocks_stands_before_what_weakens(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(bench, monkeypatch, good=right, broken=Reply(status=400), bad=wrong)

    words = [line.partition(" ")[0] for line in lines[lines.index("What blocks or weakens this") :]]
    severities = [word for word in words if word in ("block", "warn", "note")]
    assert severities == sorted(severities, key=["block", "warn", "note"].index)
    assert {"block", "warn"} <= set(severities)


def test_one_variant_alone_has_no_recommendation(bench: Bench, tmp_path: Path) -> None:
    output = bench.run(bench.study(8, good=right)).output

    assert "What is missing" not in output
    assert bench.report()["recommendation"] is None

"""What is said of a run before its end."""

from pathlib import Path

import pytest

from evaluator.analyse.interim import interim
from evaluator.analyse.report import Report
from evaluator.analyse.run import look_at
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox
from tests.support.scripted import Bench, right, wrong


def halfway(bench: Bench, extra: str = "", **scripts: object) -> Report:
    """Make a report of a run of 20 questions in which the second variant has answered eight."""
    bench.run(bench.study(20, extra, **(scripts or {"good": right, "bad": wrong})))  # type: ignore[arg-type]
    folder = bench.folder / "runs" / "s"
    journal = folder / "records" / "bad.jsonl"
    if journal.exists():
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:8]))
    return look_at(folder, grader=Grader(NoSandbox("not needed", "")))[0]


@pytest.mark.parametrize("going_on", [True, False], ids=["going-on", "stopped"])
def test_a_fixed_number_of_questions_has_no_verdict_before_its_end(bench: Bench, *, going_on: bool) -> None:
    report = halfway(bench)

    shown = interim(report, going_on=going_on)

    assert report.comparisons
    assert report.recommendation
    assert (shown.comparisons, shown.recommendation, shown.exploratory, shown.saved) == ((), None, None, None)
    assert shown.scores == report.scores
    assert (
        shown.unfinished[0] == f"{'Still running' if going_on else 'Stopped before its end'}: 28 of 40 answers so far."
    )
    assert shown.unfinished[1] == "good 20 of 20 answers, bad 8 of 20 answers."
    assert shown.unfinished[2].startswith("Verdicts come at the end")
    assert any("goes on where it stopped" in sentence for sentence in shown.unfinished) == (not going_on)


def test_verdicts_that_hold_whenever_one_looks_are_shown(bench: Bench) -> None:
    report = halfway(bench, "decide: {mode: sequential}\n")

    shown = interim(report, going_on=True)

    assert shown.comparisons == report.comparisons != ()
    assert shown.recommendation == report.recommendation
    assert "Verdicts hold whenever one looks." in shown.unfinished


def test_what_was_not_asked_yet_is_no_finding(bench: Bench) -> None:
    report = halfway(bench)

    codes = {check.code for check in interim(report, going_on=True).checks}

    assert "no_reply" in {check.code for check in report.checks}
    assert codes == {check.code for check in report.checks} - {"no_reply"}


def test_one_variant_alone_is_counted_once(bench: Bench) -> None:
    shown = interim(halfway(bench, good=right), going_on=True)

    assert shown.unfinished[0] == "Still running: 20 of 20 answers so far."
    assert not any("good" in sentence for sentence in shown.unfinished)


def test_looking_writes_nothing(bench: Bench, tmp_path: Path) -> None:
    halfway(bench)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    look_at(bench.folder / "runs" / "s", grader=Grader(NoSandbox("not needed", "")))

    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before

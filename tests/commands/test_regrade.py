"""A run is graded again from its records, and what that changes is said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evaluator.analyse import kept
from evaluator.cli import main
from evaluator.grade.grader import VERSION
from evaluator.grade.outlines import Outlines
from tests.support.scripted import Bench, right, wrong


def regrade(folder: Path) -> Result:
    return CliRunner().invoke(main, ["regrade", str(folder)])


def finished(bench: Bench) -> Path:
    """Make a run of two variants on ten questions."""
    bench.run(bench.study(10, good=right, bad=wrong))
    return bench.folder / "runs" / "s"


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object], *, variant: str, first: int) -> None:
    """Make the first few grades of a variant what an older grader might have given."""
    grades = [json.loads(line) for line in (folder / "grades.jsonl").read_text().splitlines()]
    for grade in [grade for grade in grades if grade["variant"] == variant][:first]:
        change(grade)
    (folder / "grades.jsonl").write_text("".join(json.dumps(grade) + "\n" for grade in grades))


def test_when_nothing_changed_it_says_so_and_asks_nothing(bench: Bench) -> None:
    folder = finished(bench)
    before, asked = (folder / "grades.jsonl").read_bytes(), len(bench.fakes["good"].requests)

    result = regrade(folder)

    assert result.exit_code == 0, result.output
    assert result.output.endswith(f"Graded by grader {VERSION}, as before\nnothing changed\n")
    assert (folder / "grades.jsonl").read_bytes() == before
    assert len(bench.fakes["good"].requests) == asked


def test_changes_are_counted_by_variant_and_kind_with_examples(bench: Bench) -> None:
    folder = finished(bench)
    rewrite(folder, lambda grade: grade.update(outcome="wrong"), variant="good", first=7)
    rewrite(folder, lambda grade: grade.update(outcome="unparsed", extracted=None), variant="bad", first=1)

    said = regrade(folder).output

    assert "good, MMLU-Pro: 7 of 10 outcomes changed\n  wrong -> correct 7 (questions " in said
    assert "bad, MMLU-Pro: 1 of 10 outcomes changed\n  unparsed -> wrong 1 (questions " in said
    assert "nothing changed" not in said
    (examples,) = [line for line in said.splitlines() if "wrong -> correct" in line]
    assert examples.count(",") == 5
    assert {score["variant"]: score["outcomes"] for score in bench.report()["scores"]} == {
        "good": {"correct": 10},
        "bad": {"wrong": 10},
    }


def test_another_letter_with_the_same_outcome_is_told_too(bench: Bench) -> None:
    folder = finished(bench)
    rewrite(folder, lambda grade: grade.update(extracted="J"), variant="bad", first=2)

    said = regrade(folder).output

    assert "bad, MMLU-Pro: 0 of 10 outcomes changed\n  still wrong, but another answer was read 2 " in said


def test_the_version_that_graded_before_is_named(bench: Bench) -> None:
    folder = finished(bench)
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps({**report, "grader": "0"}))

    assert f"Graded by grader {VERSION}, before by grader 0" in regrade(folder).output


def test_a_run_that_was_never_graded_is_graded(bench: Bench) -> None:
    folder = finished(bench)
    (folder / "grades.jsonl").unlink()
    (folder / "report.json").unlink()

    result = regrade(folder)

    assert result.exit_code == 0
    assert "there was no report before\n20 graded for the first time\n" in result.output


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(lambda folder: (folder / "plan.json").unlink(), "no run lies here", id="no-run"),
        pytest.param(lambda folder: (folder / "grades.jsonl").write_text("{}\n"), "grades.jsonl:1: ", id="damaged"),
    ],
)
def test_what_cannot_be_regraded_is_one_sentence(bench: Bench, damage: Callable[[Path], object], said: str) -> None:
    folder = finished(bench)
    damage(folder)

    result = regrade(folder)

    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_is_kept_of_earlier_grades_is_left_aside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LEAST", 0)
    folder = finished(bench)
    taken: list[bool] = []

    def noted(self: kept.KeptOutlines, path: Path) -> Outlines | None:
        found = get(self, path)
        taken.append(found is not None)
        return found

    get = kept.KeptOutlines.get
    monkeypatch.setattr(kept.KeptOutlines, "get", noted)
    for command in ("report", "regrade"):
        assert CliRunner().invoke(main, [command, str(folder)]).exit_code == 0

    assert taken == [True, True, False, False]

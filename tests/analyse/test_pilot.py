"""What a plan learns from a run's folder."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evaluator.analyse.pilot import read_pilot
from evaluator.commands.plan import show_plan
from evaluator.errors import StudyError
from evaluator.study.file import parse
from tests.support.scripted import Bench, right, wrong


def planned(path: Path, runs: Path) -> Any:
    console = Console(file=(out := io.StringIO()))
    show_plan(path, runs, tokens_per_second=None, tokens_per_answer=None, as_json=True, console=console)
    return json.loads(out.getvalue())


def test_a_run_is_read_from_its_folder(bench: Bench) -> None:
    path = bench.study(n=20, good=right, bad=wrong)
    assert bench.run(path).exit_code == 0
    runs = bench.folder / "runs"

    plan = planned(path, runs)

    (seen,) = plan["observed"]
    assert (seen["seen"]["variant"], seen["seen"]["n"], seen["seen"]["differ"]) == ("bad", 20, 20)
    assert seen["seen"]["difference"] == -1.0
    assert plan["seconds"] > 0
    assert plan["seconds_left"] == 0


def test_answers_newer_than_the_report_are_counted_from_the_records(bench: Bench) -> None:
    path = bench.study(n=20, good=right, bad=wrong)
    bench.run(path)
    folder = bench.folder / "runs" / "s"
    study = parse(path.read_text(), "study.yaml")
    reported = read_pilot(study, folder)
    os.utime(folder / "report.json", (1, 1))

    counted = read_pilot(study, folder)

    assert reported is not None
    assert counted is not None
    assert counted.measured == reported.measured


@pytest.mark.parametrize(
    ("was", "now", "ignored"),
    [
        pytest.param("max_tokens: 100", "max_tokens: 200", None, id="sampling"),
        pytest.param("shots: 0", "shots: 5", None, id="shots"),
        pytest.param("name: bad, model: fake", "name: bad, model: other", ("bad",), id="a variant's model"),
        pytest.param("questions: 20", "questions: 500", (), id="more questions speak for each other"),
    ],
)
def test_only_answers_to_the_same_study_speak_for_it(
    bench: Bench, was: str, now: str, ignored: tuple[str, ...] | None
) -> None:
    path = bench.study(n=20, good=right, bad=wrong)
    bench.run(path)
    assert was in path.read_text()
    past = read_pilot(parse(path.read_text().replace(was, now), "study.yaml"), bench.folder / "runs" / "s")

    assert (past and past.ignored) == ignored
    if ignored and past:
        assert past.disagreements == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("report.json", "report.json: not what whichquant wrote"),
        ("grades.jsonl", "grades.jsonl:1: not a grade"),
        ("plan.json", "plan.json: not what whichquant wrote"),
    ],
)
def test_a_damaged_run_is_told_in_a_sentence(bench: Bench, name: str, said: str) -> None:
    path = bench.study(n=5, good=right, bad=wrong)
    bench.run(path)
    damaged = bench.folder / "runs" / "s" / name
    damaged.write_text("{")

    with pytest.raises(StudyError, match=said):
        planned(path, bench.folder / "runs")

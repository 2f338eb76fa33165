"""A run that an earlier version made, before the code lay in rooms: it is loaded, reported and gone on with.

`support/runs/before-the-rooms` was made by whichquant 0.1.0 when its modules lay flat in two folders: two scripted
servers, 24 MMLU-Pro questions. Only the ports of the servers are written as {good} and {bad}.
"""

import json
import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest

from evaluator.analyse.load import load_run
from evaluator.store import journal
from evaluator.store.folder import records_path
from servers.fake import Reply
from tests.support.scripted import ANSWERS, Bench, prompt_of

KEPT = Path(__file__).parents[1] / "support" / "runs" / "before-the-rooms"
SHARES = {"good": 90, "bad": 40}
"""Percent of the questions that each server answers rightly."""


def answering(share: int) -> Any:
    def answer(body: Any, _number: int = 0) -> Reply:
        text = prompt_of(body)
        other = "B" if ANSWERS[text] == "A" else "A"
        letter = ANSWERS[text] if zlib.crc32(text.encode()) % 100 < share else other
        return Reply(text=f"Let's see. The answer is ({letter}).")

    return answer


@pytest.fixture
def study(bench: Bench) -> Path:
    """Lay the run where `bench` runs its study, whose servers answer at other ports today."""
    path = bench.study(24, **{name: answering(share) for name, share in SHARES.items()})
    folder = bench.folder / "runs" / "s"
    shutil.copytree(KEPT, folder)
    for file in folder.rglob("*"):
        if file.is_file():
            text = file.read_text()
            for name, fake in bench.fakes.items():
                text = text.replace(f"127.0.0.1:{{{name}}}", fake.base_url.removeprefix("http://").removesuffix("/v1"))
            file.write_text(text)
    return path


WORDS = {"sentence", "message", "advice"}
"""What may be put better from one version to the next."""


def without_words(value: Any) -> Any:
    if isinstance(value, float):
        return float(
            f"{value:.12g}"
        )  # of an exact p value the earlier version gave one or two units in the last place less
    if isinstance(value, dict):
        return {key: without_words(below) for key, below in value.items() if key not in WORDS}
    return [without_words(below) for below in value] if isinstance(value, list) else value


def numbers(report: Any) -> Any:
    kept = ("scores", "comparisons", "exploratory", "checks", "budgets", "problems")
    return without_words({key: report[key] for key in kept})


def test_it_is_loaded(study: Path, bench: Bench) -> None:
    run = load_run(bench.folder / "runs" / "s")

    assert {name: len(grades) for name, grades in run.grades.items()} == {"good": 24, "bad": 24}
    assert run.study.baseline == "good"


def test_its_report_is_the_same_to_twelve_digits(study: Path, bench: Bench) -> None:
    before = bench.report()

    done = bench.run(study)

    assert done.exit_code == 0
    assert not bench.asked("good")
    assert numbers(bench.report()) == numbers(before)
    assert json.loads((KEPT / "report.json").read_text())["scores"] == bench.report()["scores"]


def test_more_questions_are_asked_of_it_and_none_again(study: Path, bench: Bench) -> None:
    study.write_text(study.read_text().replace("questions: 24", "questions: 40"))

    done = bench.run(study)

    assert done.exit_code == 0
    for name in SHARES:
        assert len(bench.asked(name)) == 16
        assert len(journal.read(records_path(bench.folder / "runs" / "s", name))) == 40
    assert {score["questions"] for score in bench.report()["scores"]} == {40}

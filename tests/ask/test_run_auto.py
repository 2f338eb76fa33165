"""Whole runs whose number of questions in flight is found while they are asked."""

import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from evaluator.store import journal
from evaluator.store.folder import records_path
from evaluator.store.serving import InFlight, read_serving
from servers.fake import Reply
from tests.support.scripted import Bench, right

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path / "cache"))


class FourWorkers:
    """Answers four questions at a time, and lets the others wait."""

    def __init__(self) -> None:
        self._free_at = [0.0] * 4

    def __call__(self, body: Any, number: int) -> Reply:
        now = time.monotonic()
        first = min(range(4), key=self._free_at.__getitem__)
        self._free_at[first] = max(now, self._free_at[first]) + 0.03
        return replace(right(body, number), delay=self._free_at[first] - now, completion_tokens=20)


def auto(study: Path, *, name: str = "s", **more: int) -> Path:
    text = study.read_text().replace("concurrency: 3", "concurrency: auto").replace("study: s", f"study: {name}")
    for key, value in more.items():
        text = re.sub(rf"{key}: \d+", f"{key}: {value}", text)
    study.write_text(text)
    return study


def found(bench: Bench, run: str = "s") -> InFlight:
    serving = read_serving(bench.folder / "runs" / run)
    assert serving is not None
    assert serving.in_flight is not None
    return serving.in_flight


def at_once(bench: Bench, variant: str, run: str = "s") -> list[int | None]:
    records = journal.read(records_path(bench.folder / "runs" / run, variant))
    return [record.at_once for record in records.values()]


def test_the_number_is_found_while_the_first_variant_is_asked_and_all_others_are_asked_at_it(bench: Bench) -> None:
    result = bench.run(auto(bench.study(800, good=FourWorkers(), other=FourWorkers())))

    assert result.exit_code == 0, result.output
    assert {name: Counter(bench.asked(name)).most_common(1)[0][1] for name in bench.fakes} == {"good": 1, "other": 1}
    number = found(bench)
    assert number.how == "measured"
    assert number.variants == ("good",)
    assert {level.in_flight for level in number.curve} >= {1, 2, 4, 8}
    assert 3 <= number.number <= 16
    assert at_once(bench, "other") == [None] * 800
    assert at_once(bench, "good")[0] == 1
    assert f"{number.number} questions at once" in " ".join(result.output.split())
    report = bench.report()
    assert report["serving"]["in_flight"]["number"] == number.number
    assert {one["in_flight"] for one in report["resources"]} == {number.number}


def test_the_next_run_begins_with_what_was_found(bench: Bench) -> None:
    study = bench.study(800, good=FourWorkers())
    bench.run(auto(study))
    bench.run(auto(study, name="again", questions=60))

    assert found(bench, "again").number == found(bench).number
    assert found(bench, "again").how == "remembered"
    assert at_once(bench, "good", "again") == [None] * 60


def test_few_questions_are_asked_a_few_at_once(bench: Bench) -> None:
    bench.run(auto(bench.study(20, good=right)))

    assert (found(bench).number, found(bench).how) == (4, "few questions")
    assert at_once(bench, "good") == [None] * 20


def test_a_number_in_the_study_rules(bench: Bench) -> None:
    study = bench.study(60, good=right)
    bench.run(study)

    serving = read_serving(bench.folder / "runs" / "s")
    assert serving is None or serving.in_flight is None
    assert "3 questions at once" in (bench.folder / "runs" / "s" / "report.md").read_text()


def test_a_run_that_goes_on_keeps_its_number(bench: Bench) -> None:
    study = auto(bench.study(20, good=right))
    bench.run(study)
    bench.run(auto(study, questions=80))

    assert found(bench).number == 4
    assert len(bench.asked("good")) == 80


def test_variants_that_are_asked_together_share_one_number(bench: Bench) -> None:
    study = bench.study(400, "parallel: true\n", good=FourWorkers(), other=FourWorkers())
    result = bench.run(auto(study))

    assert result.exit_code == 0, result.output
    assert found(bench).variants == ("good", "other")
    assert not set(bench.report()["problems"])

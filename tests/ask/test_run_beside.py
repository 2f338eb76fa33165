"""Asking waits for neither grading nor disk: the next server is asked while the last one's programs run."""

import threading
from typing import Any

import pytest

from evaluator.grade import grader as grading
from evaluator.grade.sandbox import Run
from evaluator.records import Record
from evaluator.store.journal import Journal
from servers.fake import Reply
from tests.support.scripted import HUMANEVAL, Bench, prompt_of, right

pytestmark = pytest.mark.usefixtures("hasty")

CODE = "benchmarks: {humaneval: {questions: 6, shots: 0}}\n"


def body(body: Any, _number: int = 0) -> Reply:
    """Answer with a program of one's own for each problem."""
    return Reply(text=f"```python\n{HUMANEVAL[prompt_of(body)].code_prompt}    return 0\n```")


def of_code(bench: Bench, **scripts: Any) -> Any:
    path = bench.study(6, **scripts)
    kept = [line for line in path.read_text().splitlines() if not line.startswith("benchmarks:")]
    path.write_text("\n".join([*kept, CODE.replace(", shots: 0", "")]))
    return path


def test_the_next_server_is_asked_while_programs_still_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    second_asked = threading.Event()

    def run_when_the_second_is_asked(*_: Any, **__: Any) -> Run:
        return Run("passed" if second_asked.wait(60) else "failed", "waited for the second server")

    def second(asked: Any, number: int = 0) -> Reply:
        second_asked.set()
        return body(asked, number)

    monkeypatch.setattr(grading, "run_tests", run_when_the_second_is_asked)
    monkeypatch.setattr("evaluator.pipeline.sandbox_for", lambda *_: object())

    result = bench.run(of_code(bench, good=body, other=second))

    assert result.exit_code == 0, result.output
    assert {score["outcomes"]["correct"] for score in bench.report()["scores"]} == {6}


def test_a_place_that_is_free_asks_while_the_disk_is_slow(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the first reply is on disk before the last question was put."""
    all_put = threading.Event()
    append = Journal.append

    def write_late(journal: Any, records: list[Record]) -> None:
        assert all_put.wait(60)
        append(journal, records)

    def counted(asked: Any, number: int = 0) -> Reply:
        if len(bench.fakes["good"].requests) >= 20:
            all_put.set()
        return right(asked, number)

    monkeypatch.setattr(Journal, "append", write_late)

    result = bench.run(bench.study(20, good=counted))

    assert result.exit_code == 0, result.output
    assert bench.report()["scores"][0]["outcomes"]["correct"] == 20

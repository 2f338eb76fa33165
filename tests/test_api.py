"""The Python API: its names, what importing it costs, and that it is quiet, also while an event loop runs."""

import asyncio
import inspect
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import evaluator
from evaluator.events import Checked, Checking, Event, Graded, Planned, Status
from servers.fake import Reply
from tests.support.probe_scripts import deaf_to_temperature, honest
from tests.support.scripted import ANSWERS, Bench, prompt_of, right, wrong

NOUNS = {name for name in evaluator.__all__ if name[0].isupper()}
FUNCTIONS = set(evaluator.__all__) - NOUNS


def test_the_names_are_these() -> None:
    assert evaluator.__all__ == sorted(evaluator.__all__)
    assert {
        *("run_study", "evaluate", "check_study", "plan_study", "compare", "compare_counts"),
        *("load_run", "load_study", "extract_choice", "extract_code", "save_pictures"),
        "measure_fidelity",
    } == FUNCTIONS
    assert {"Study", "Run", "Report", "Comparison", "Fidelity", "Verdict", "StudyError"} <= NOUNS


@pytest.mark.parametrize("name", evaluator.__all__)
def test_a_name_is_there_and_documented(name: str) -> None:
    value = getattr(evaluator, name)

    assert name in dir(evaluator)
    if name != "Verdict":  # a Literal has no docstring
        assert inspect.getdoc(value)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_says_what_it_takes_gives_and_raises(name: str) -> None:
    text = inspect.getdoc(getattr(evaluator, name)) or ""

    assert "Args:" in text
    assert "Raises:" in text or "Returns:" in text


def test_an_unknown_name_is_none() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'run_studies'"):
        evaluator.run_studies  # noqa: B018


def test_a_name_is_loaded_when_it_is_first_used() -> None:
    code = (
        "import sys, evaluator; assert 'msgspec' not in sys.modules; evaluator.Study; assert 'msgspec' in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


def mistaken(body: Any, number: int) -> Reply:
    return wrong(body) if prompt_of(body) in ANSWERS else honest(body, number)


def test_a_study_runs_quietly_and_says_what_happens(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = []

    path = bench.study(6, good=honest, bad=mistaken)

    report = evaluator.run_study(path, runs=bench.folder / "runs", on_event=events.append, force=True)

    assert [score.accuracy for score in report.scores] == [1.0, 0.0]
    assert capsys.readouterr() == ("", "")
    kinds = [type(event) for event in events]
    assert {Checked, Planned, Status, Graded} <= set(kinds)
    assert kinds.count(Graded) == 12
    assert (bench.folder / "runs" / "s" / "report.html").exists()


def test_a_study_runs_while_an_event_loop_does(bench: Bench) -> None:
    """As in a notebook: the call waits in the cell, its questions are asked in a thread."""
    path = bench.study(4, good=right, bad=wrong)

    async def cell() -> evaluator.Report:
        return evaluator.run_study(path, runs=bench.folder / "runs", check=False)

    report = asyncio.run(cell())

    assert [score.questions for score in report.scores] == [4, 4]


def test_the_callers_loop_goes_on_where_the_study_is_put_into_a_thread(bench: Bench) -> None:
    beats, enough = 0, threading.Event()

    def patient(body: Any, number: int) -> Reply:
        enough.wait(10)  # the loop beats meanwhile, or it is held up
        return right(body, number)

    path = bench.study(4, good=patient, bad=wrong)

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            if beats > 5:
                enough.set()
            await asyncio.sleep(0.01)

    async def notebook() -> evaluator.Report:
        beating = asyncio.create_task(beat())
        report = await asyncio.to_thread(evaluator.run_study, path, runs=bench.folder / "runs", check=False)
        beating.cancel()
        return report

    report = asyncio.run(notebook())

    assert [score.questions for score in report.scores] == [4, 4]
    assert beats > 5
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("ThreadPool")] == []


@pytest.mark.parametrize("loop", [False, True], ids=["no-loop", "in-a-running-loop"])
@pytest.mark.parametrize("kind", [Checking, Checked, Planned, Status, Graded], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("error", [ValueError("mine"), OSError(5, "mine"), KeyboardInterrupt("mine")], ids=repr)
def test_what_a_watcher_raises_comes_out_as_it_is_and_the_run_can_go_on(
    bench: Bench, kind: type[Event], error: BaseException, *, loop: bool
) -> None:
    path = bench.study(3, good=honest, bad=mistaken)

    def watch(event: Event) -> None:
        if isinstance(event, kind):
            raise error

    def run() -> None:
        evaluator.run_study(path, runs=bench.folder / "runs", on_event=watch, force=True)

    async def cell() -> None:
        run()

    with pytest.raises(type(error)) as raised:
        asyncio.run(cell()) if loop else run()
    report = evaluator.run_study(path, runs=bench.folder / "runs", check=False)

    assert raised.value is error
    assert [score.questions for score in report.scores] == [3, 3]


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        pytest.param({"baseline": "none"}, "baseline", "is no variant", id="baseline"),
        pytest.param({"variants": []}, "variants", "of length >= 1", id="no-variant"),
        pytest.param({"concurency": 4}, "concurency", "unknown key", id="typo"),
    ],
)
def test_a_wrong_study_is_an_error_with_its_key(change: dict[str, Any], key: str, problem: str) -> None:
    study = {
        "study": "s",
        "baseline": "a",
        "variants": [{"name": "a", "model": "m", "base_url": "http://127.0.0.1:9/v1"}],
        "benchmarks": {"mmlu_pro": {"questions": 4}},
        **change,
    }

    with pytest.raises(evaluator.StudyError, match=problem) as raised:
        evaluator.load_study(study)

    assert raised.value.key == key
    assert raised.value.exit_code == 2


def test_a_blocked_study_asks_nothing_and_names_the_checks(bench: Bench, tmp_path: Path) -> None:
    path = bench.study(4, good=honest, bad=deaf_to_temperature)
    path.write_text(path.read_text().replace("max_tokens: 100", "max_tokens: 100, temperature: 1"))

    with pytest.raises(evaluator.Blocked) as raised:
        evaluator.run_study(path, runs=bench.folder / "runs")

    assert {check.code for check in raised.value.checks} == {"sampling_ignored"}
    assert not list((bench.folder / "runs" / "s").glob("records/*"))


def test_one_running_server_is_evaluated(bench: Bench) -> None:
    bench.study(1, good=honest)

    report = evaluator.evaluate(
        bench.fakes["good"].base_url,
        benchmarks={"mmlu_pro": {"questions": 5, "shots": 0}},
        runs=bench.folder / "runs",
        check=False,
    )

    assert [(score.variant, score.accuracy) for score in report.scores] == [("fake", 1.0)]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        pytest.param({"alpha": 0.7}, "give a number between 0 and 0.5", id="alpha"),
        pytest.param({"margins": {"": 0}}, "a margin lies between 0 and 100 points", id="margin"),
        pytest.param({"margins": {"mmlu_pro": 100}}, "a margin lies between 0 and 100 points", id="margin-of-one"),
    ],
)
def test_runs_are_not_compared_by_impossible_rules(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(evaluator.StudyError, match=problem):
        evaluator.compare([], **options)

"""A study run from Python on a real server, as in a notebook: the caller's event loop goes on meanwhile."""

import asyncio
from pathlib import Path

import pytest

import evaluator
from evaluator.demo.builds import builds
from evaluator.events import Event, Graded

pytestmark = pytest.mark.live
LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"


def test_a_notebook_runs_a_study_while_its_own_loop_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = builds(LAB, ["Q8_0", "Q2_K"], tmp_path)
    study = {
        "study": "notebook",
        "baseline": "q8",
        "variants": [
            {"name": name, "runtime": "llama_server", "model": str(path), "thinking": False}
            for name, path in (("q8", made["Q8_0"]), ("q2", made["Q2_K"]))
        ],
        "benchmarks": {"humaneval": {"questions": 24, "margin": 10}},
        "sampling": {"temperature": 0, "max_tokens": 400},
    }
    beats, graded = 0, 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.05)

    def watch(event: Event) -> None:
        nonlocal graded
        graded += isinstance(event, Graded)

    async def notebook() -> evaluator.Report:
        beating = asyncio.create_task(beat())
        report = await asyncio.to_thread(evaluator.run_study, study, runs=tmp_path / "runs", on_event=watch)
        beating.cancel()
        return report

    capfd.readouterr()

    report = asyncio.run(notebook())

    (comparison,) = report.comparisons
    assert comparison.verdict == "clearly worse"
    assert graded == 48 + 20  # the baseline is asked twenty of them twice
    assert beats > 20
    assert capfd.readouterr().out == ""
    assert len(evaluator.load_run(tmp_path / "runs" / "notebook").grades["q2"]) == 24

"""The demo writes an honest study of real builds, and never overwrites a finished one."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evaluator.commands import demo as module
from evaluator.study.file import load_study
from evaluator.study.study import Study

CONSOLE = Console(quiet=True)


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Study]:
    """Keep builds in a folder of the test, and take the studies instead of running them."""
    taken: list[Study] = []

    def take(path: Path, runs: Path, console: Console, **_: object) -> int:
        taken.append(load_study(path).study)
        return 0

    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "run", take)
    return taken


def test_the_lab_demo_compares_three_builds_and_a_quantized_kv_cache(studies: list[Study], tmp_path: Path) -> None:
    module.demo("lab", "llama_server", tmp_path / "runs", CONSOLE)

    (study,) = studies
    assert study.baseline == "q8_0"
    assert {v.name: v.kv_cache for v in study.variants} == {
        "q8_0": None,
        "q4_0": None,
        "q2_k": None,
        "q8_0-kv-q4_0": "q4_0",
    }
    sizes = {v.name: Path(v.model).stat().st_size for v in study.variants}
    assert sizes["q2_k"] < sizes["q4_0"] < sizes["q8_0"] == sizes["q8_0-kv-q4_0"]
    chosen = study.benchmarks.chosen()
    assert (chosen["mmlu_pro"].questions, chosen["humaneval"].questions) == (100, "all")
    assert "say nothing about any other model" in study.note


def test_every_demo_says_in_its_report_what_it_cannot_show() -> None:
    assert all(demo.note for demo in module.DEMOS.values())


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        pytest.param(None, "demo-lab-1", id="interrupted"),
        pytest.param('{"problems": {}, "checks": []}', "demo-lab-2", id="finished"),
        pytest.param('{"problems": {"q4_0": "died"}, "checks": []}', "demo-lab-1", id="a-variant-is-missing"),
        pytest.param('{"problems": {}, "checks": [{"code": "no_reply"}]}', "demo-lab-1", id="questions-are-missing"),
    ],
)
def test_an_unfinished_demo_is_gone_on_with_and_a_finished_one_left_alone(
    studies: list[Study], tmp_path: Path, last: Any, expected: str
) -> None:
    folder = tmp_path / "runs" / "demo-lab-1"
    folder.mkdir(parents=True)
    if last is not None:
        (folder / "report.json").write_text(last)

    module.demo("lab", "llama_server", tmp_path / "runs", CONSOLE)

    assert studies[0].study == expected

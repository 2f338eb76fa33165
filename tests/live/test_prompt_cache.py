"""What real servers find of a prompt in their caches, and that the order which is chosen from it saves what it says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluator.cli import main
from evaluator.demo.builds import builds
from evaluator.preflight.arrangement import Found, look_up
from evaluator.study.file import parse
from evaluator.study.requests import plan
from evaluator.study.study import Study
from servers.launch import launch
from servers.spec import ServerSpec
from servers.weights.gguf import sliding_window

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]
LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
ALONE = ("-t", "1")
"""Threads that wait for each other are slow where other programs run."""


def study(model: Path, *, tokens: int) -> Study:
    text = (
        f"study: live\nbaseline: build\nvariants:\n  - {{name: build, runtime: llama_server, model: {model},"
        f' thinking: false, args: ["-t", "1"]}}\nbenchmarks: {{mmlu_pro: {{questions: 60, shots: 5}}}}\n'
        f"sampling: {{temperature: 0, max_tokens: {tokens}}}\nconcurrency: 2\n"
    )
    return parse(text, "study.yaml")


async def found(spec: ServerSpec, asked: Study, log: Path) -> Found:
    async with launch(spec, log=log) as server:
        seen = await look_up(server, asked, plan(asked), seconds=300)
    assert seen is not None, "it reports what it had in its cache"
    return seen


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    builds(LAB, ["Q8_0"], folder)
    return folder / "lab-full-Q8_0.gguf"


async def test_llama_server_finds_a_beginning_again_on_its_slot(lab: Path, tmp_path: Path) -> None:
    asked = study(lab, tokens=8)
    spec = ServerSpec(runtime="llama_server", model=str(lab), context=8192, slots=2, args=ALONE)

    seen = await found(spec, asked, tmp_path / "log")

    assert sliding_window(lab) == 512
    assert seen.again > 0.8
    assert seen.tokens > 1000


async def test_with_whole_windows_nothing_of_it_is_lost(lab: Path, tmp_path: Path) -> None:
    asked = study(lab, tokens=8)
    spec = ServerSpec(runtime="llama_server", model=str(lab), context=8192, slots=2, args=("--swa-full", *ALONE))

    # Characters stand for tokens, of which worked examples have fewer.
    assert (await found(spec, asked, tmp_path / "log")).again > 0.85


def test_a_run_chooses_an_order_and_its_servers_evaluate_what_was_foreseen(lab: Path, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        f"study: live\nbaseline: build\nvariants:\n  - {{name: build, runtime: llama_server, model: {lab},"
        ' thinking: false, args: ["-t", "1"]}\nbenchmarks: {mmlu_pro: {questions: 60, shots: 5}}\n'
        "sampling: {temperature: 0, max_tokens: 16}\nconcurrency: 2\n"
    )

    result = CliRunner().invoke(main, ["run", str(path), "--runs", str(tmp_path / "runs"), "--force"])

    assert result.exit_code in (0, 1), result.output
    report = json.loads((tmp_path / "runs" / "live" / "report.json").read_text())
    cache = report["serving"]["cache"]["build"]
    chosen = [
        one["evaluated"] for one in cache["tried"] if (one["order"], one["flags"]) == (cache["order"], cache["flags"])
    ]
    assert len(chosen) == 1
    assert chosen[0] <= 1.03 * min(one["evaluated"] for one in cache["tried"])
    assert abs(cache["evaluated"] - chosen[0]) < 0.1
    if cache["flags"]:
        assert set(cache["flags"]) <= set(report["facts"]["build"]["command"])

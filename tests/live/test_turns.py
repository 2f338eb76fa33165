"""Variants that take turns on real servers: none is started again where memory suffices."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluator.cli import main
from evaluator.demo.builds import builds

pytestmark = pytest.mark.live
LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
STARTS = ("starting its server", "its server loads")
STUDY = """\
study: turns
baseline: f16
variants:
  - {{name: f16, runtime: llama_server, model: {lab}, thinking: false, args: ["-t", "1", "-tb", "1"]}}
  - {{name: q8, runtime: llama_server, model: {q8}, thinking: false, args: ["-t", "1", "-tb", "1"]}}
benchmarks: {{mmlu_pro: {{questions: 40, shots: 0, margin: 2}}}}
sampling: {{temperature: 0, max_tokens: 60}}
decide: {{mode: {mode}, noise_floor: 0}}
concurrency: 4
"""


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        pytest.param("group_sequential, looks: 2", "its server is still loaded", id="they-stay"),
        pytest.param("fixed", "loads while f16 gives its last replies", id="the-next-loads-early"),
    ],
)
def test_servers_are_started_once_where_memory_suffices(tmp_path: Path, mode: str, says: str) -> None:
    builds(LAB, ["Q8_0"], tmp_path)
    study, log = tmp_path / "study.yaml", tmp_path / "log"
    study.write_text(STUDY.format(lab=LAB, q8=tmp_path / "lab-full-Q8_0.gguf", mode=mode))

    result = CliRunner().invoke(main, ["run", str(study), "--runs", str(tmp_path / "runs"), "--json-log", str(log)])

    assert result.exit_code == 0, result.output
    statuses = [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "status"]
    assert [one["variant"] for one in statuses if one["text"].startswith(STARTS)] == ["f16", "q8"]
    assert any(says in one["text"] for one in statuses)
    report = json.loads((tmp_path / "runs" / "turns" / "report.json").read_text())
    assert [sum(score["outcomes"].values()) for score in report["scores"]] == [40, 40]
    facts = json.loads((tmp_path / "runs" / "turns" / "facts.json").read_text())
    assert {one.get("restarts", 0) for one in facts.values()} == {0}

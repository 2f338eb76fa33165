"""Variants that take turns on real servers: none is started again where memory suffices, and where not, it is said."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluator.ask import loaded
from evaluator.cli import main
from evaluator.demo.builds import builds
from servers.usage.room import Room

pytestmark = pytest.mark.live
LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
TWO_ROUNDS = "group_sequential, looks: 2"
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
    ("mode", "usable", "starts", "says"),
    [
        pytest.param(TWO_ROUNDS, None, ["f16", "q8"], "its server is still loaded", id="memory-suffices"),
        pytest.param(TWO_ROUNDS, 0, ["f16", "q8", "f16", "q8"], "is stopped before", id="memory-is-short"),
        pytest.param("fixed", None, ["f16", "q8"], "loads while f16 gives its last replies", id="the-next-loads-early"),
        pytest.param("fixed", 0, ["f16", "q8"], "started when the one before it has ended: together", id="not-early"),
    ],
)
def test_servers_that_are_started(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    *,
    usable: int | None,
    starts: list[str],
    says: str,
) -> None:
    if usable is not None:
        monkeypatch.setattr(loaded, "room", lambda: Room(usable, 8 << 30))
    builds(LAB, ["Q8_0"], tmp_path)
    study, log = tmp_path / "study.yaml", tmp_path / "log"
    study.write_text(STUDY.format(lab=LAB, q8=tmp_path / "lab-full-Q8_0.gguf", mode=mode))

    result = CliRunner().invoke(main, ["run", str(study), "--runs", str(tmp_path / "runs"), "--json-log", str(log)])

    assert result.exit_code == 0, result.output
    statuses = [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "status"]
    assert [one["variant"] for one in statuses if one["text"].startswith(STARTS)] == starts
    assert any(says in one["text"] for one in statuses)
    report = json.loads((tmp_path / "runs" / "turns" / "report.json").read_text())
    assert [sum(score["outcomes"].values()) for score in report["scores"]] == [40, 40]
    facts = json.loads((tmp_path / "runs" / "turns" / "facts.json").read_text())
    assert {one.get("restarts", 0) for one in facts.values()} == {0}

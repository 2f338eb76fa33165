"""Many questions in flight on a real server: none of them is lost."""

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluator.cli import main
from evaluator.demo.builds import builds
from evaluator.store import journal
from evaluator.store.folder import records_path
from tests.live.test_check import LAB

pytestmark = pytest.mark.live  # of mlx_lm.server a run of this size takes too long on a processor


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return builds(LAB, ["Q8_0"], tmp_path)["Q8_0"]


def run(folder: Path, name: str, model: Path, *, questions: int, more: str = "") -> None:
    """Run a study of one build; every question is answered, and put once."""
    study = folder / f"{name}.yaml"
    study.write_text(
        f"study: {name}\nbaseline: a\n"
        f"variants: [{{name: a, runtime: llama_server, model: {model}, args: [-t, '1']}}]\n"
        f"benchmarks: {{mmlu_pro: {{questions: {questions}, shots: 0}}}}\nsampling: {{max_tokens: 60}}\n"
        f"decide: {{noise_floor: 0}}\n{more}"
    )
    result = CliRunner().invoke(main, ["run", str(study), "--runs", str(folder / "runs"), "--no-check"])
    assert result.exit_code == 0, result.output
    lines = records_path(folder / "runs" / name, "a").read_text().splitlines()
    counted = Counter(json.dumps(json.loads(line)["key"]) for line in lines)
    records = journal.read(records_path(folder / "runs" / name, "a")).values()
    assert len(counted) == len(lines) == questions
    assert all(record.answer for record in records)
    assert not any(record.attempts for record in records)


@pytest.mark.parametrize("number", [16, 32])
def test_many_at_once_lose_none(model: Path, tmp_path: Path, number: int) -> None:
    run(tmp_path, "many", model, questions=2 * number, more=f"concurrency: {number}\n")

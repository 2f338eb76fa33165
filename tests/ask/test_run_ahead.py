"""What cannot be started is found before anything is: the last variant must not fail after hours."""

import sys
from pathlib import Path

import pytest

from tests.support.model_files import gguf_bytes, safetensors_bytes
from tests.support.scripted import STUDY, Bench

CONFIG = '{"model_type": "llama", "sliding_window": 512}'


@pytest.mark.parametrize(
    ("variant", "code", "says"),
    [
        pytest.param(
            "runtime: llama_server, model: model.gguf, binary: ./nowhere", 3, "nowhere", id="program-that-is-not-there"
        ),
        pytest.param(
            "runtime: ollama, model: 'gemma3:4b', binary: ./program, kv_cache: q5_0",
            2,
            "Ollama has no KV cache of type q5_0",
            id="kv-type-that-ollama-has-not",
        ),
        pytest.param(
            "runtime: ollama, model: 'gemma3:4b', binary: ./program, args: [--fast]",
            2,
            "`ollama serve` takes no arguments",
            id="arguments-that-ollama-has-not",
        ),
        pytest.param(
            "runtime: mlx_lm, model: ./mlx, binary: ./program, kv_cache: q4_0",
            2,
            "cannot quantize the KV cache",
            id="kv-type-of-a-model-with-sliding-windows",
        ),
        pytest.param(
            "runtime: mlx_lm, model: ./mlx, binary: ./program, kv_cache: q5_1",
            2,
            "mlx_lm.server has no KV cache of type q5_1",
            id="kv-type-that-mlx_lm-has-not",
        ),
    ],
)
@pytest.mark.parametrize("extra", ["", "parallel: true\n", "router: true\n"], ids=["plain", "parallel", "router"])
def test_a_later_variant_that_cannot_be_started_is_told_before_the_first_is(
    *, bench: Bench, monkeypatch: pytest.MonkeyPatch, variant: str, code: int, says: str, extra: str
) -> None:
    monkeypatch.chdir(bench.folder)
    started = bench.folder / "started"
    program = Path("program")
    program.write_text(f"#!{sys.executable}\nopen({str(started)!r}, 'w')\n")
    program.chmod(0o755)
    Path("model.gguf").write_bytes(gguf_bytes())
    Path("mlx").mkdir()
    Path("mlx/config.json").write_text(CONFIG)
    Path("mlx/model.safetensors").write_bytes(safetensors_bytes({"a.weight": ("F16", (2, 2))}))
    first = "  - {name: good, runtime: llama_server, model: model.gguf, binary: ./program}"
    study = Path("study.yaml")
    study.write_text(STUDY.format(variants=f"{first}\n  - {{name: later, {variant}}}", n=5) + extra)

    result = bench.run(study)

    assert result.exit_code == code, result.stderr
    assert says in result.stderr
    assert "later" in result.stderr
    assert "Traceback" not in result.stderr
    assert not started.exists()
    assert not list((bench.folder / "runs").rglob("*.jsonl"))

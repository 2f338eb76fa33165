"""GGUF to MLX with real weights: mlx_lm answers from the converted model as llama.cpp does from the GGUF."""

import gzip
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import httpx2
import pytest

from evaluator.demo import to_mlx
from evaluator.demo.to_mlx import convert

pytestmark = pytest.mark.live
LAB = Path(to_mlx.__file__).with_name("lab-full-f16.gguf")
ODD = ("", " ", "  x", "\n\n\t", "naïve — 漢字 🙂", "<|turn>user\nhi<turn|>", "1234567 0.5e-3", "don't\r\n")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mlx") / "lab-4bit"
    convert(LAB, out, bits=4)
    return out


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    packed = resources.files("evaluator.benchmarks").joinpath("data/humaneval.jsonl.gz").read_bytes()
    return [json.loads(line)["prompt"] for line in gzip.decompress(packed).splitlines()]


@pytest.fixture(scope="module")
def llama_server() -> Iterator[str]:
    """Serve the GGUF itself, for its tokenizer."""
    xllamacpp = pytest.importorskip("xllamacpp")
    params: Any = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.port, params.warmup = str(LAB), 512, 0, False
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    yield server.listening_address
    del server


def test_four_bits_are_about_four_bits(converted: Path) -> None:
    # 4 bits and a 32-bit scale and offset for each 64 weights are 5 bits for each of 16
    assert 4.9 / 16 < (converted / "model.safetensors").stat().st_size / LAB.stat().st_size < 5.3 / 16


def test_converted_model_writes_code_as_it_has_learned(converted: Path, prompts: list[str]) -> None:
    mlx_lm = pytest.importorskip("mlx_lm")
    model, tokenizer = mlx_lm.load(str(converted))
    question = [{"role": "user", "content": "Complete the following Python function.\n\n" + prompts[0]}]
    tokens = tokenizer.apply_chat_template(question, add_generation_prompt=True, enable_thinking=False)
    assert mlx_lm.generate(model, tokenizer, prompt=tokens, max_tokens=24).startswith(
        "```python\nfrom typing import List"
    )


def test_token_ids_are_those_of_llama_cpp(converted: Path, prompts: list[str], llama_server: str) -> None:
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(converted / "tokenizer.json"))
    with httpx2.Client(base_url=llama_server) as client:
        for text in (*ODD, *prompts[:40]):
            asked = {"content": text, "add_special": True, "parse_special": True}
            assert tokenizer.encode(text).ids == client.post("/tokenize", json=asked).json()["tokens"], text

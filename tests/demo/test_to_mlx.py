"""GGUF to MLX: what is written, and what is refused in one sentence."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from evaluator.demo import to_mlx
from evaluator.demo.mlx_tokenizer import merges_from_scores
from evaluator.demo.to_mlx import computing_type, convert, write_plain
from servers.errors import ModelError

LAB = Path(to_mlx.__file__).with_name("lab-full-f16.gguf")
pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("gguf", "safetensors", "tokenizers")), reason="needs whichquant[mlx]"
)


def test_merges_come_back_in_the_order_of_the_scores() -> None:
    tokens = ["<unk>", "a", "b", "c", "ab", "bc", "abc"]
    types = [2, 1, 1, 1, 1, 1, 1]
    scores = [0.0, -9.0, -9.0, -9.0, -1.0, 0.0, -2.0]
    assert merges_from_scores(tokens, types, scores) == [("b", "c"), ("a", "b"), ("a", "bc"), ("ab", "c")]


def test_lab_model_becomes_a_whole_directory(tmp_path: Path) -> None:
    write_plain(LAB, tmp_path / "plain")
    assert sorted(path.name for path in (tmp_path / "plain").iterdir()) == [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    config = json.loads((tmp_path / "plain" / "config.json").read_text())
    assert (config["model_type"], config["num_hidden_layers"], config["vocab_size"]) == ("gemma3_text", 8, 4096)
    assert config["layer_types"].index("full_attention") == 5
    assert (tmp_path / "plain" / "chat_template.jinja").read_text() == LAB.parent.joinpath(
        "making/chat.jinja"
    ).read_text()


def test_what_is_no_gguf_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"no weights at all, but more than a header's worth of bytes")
    with pytest.raises(ModelError, match=r"x\.gguf cannot be read as GGUF: "):
        convert(tmp_path / "x.gguf", tmp_path / "out", bits=4)
    assert [path.name for path in tmp_path.iterdir()] == ["x.gguf"]


def test_an_existing_directory_is_not_written_into(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="exists already"):
        convert(LAB, tmp_path, bits=4)


def test_without_mlx_the_install_line_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_mlx, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install gguf mlx-lm safetensors tokenizers"):
        convert(LAB, tmp_path / "out")


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [("Darwin", "arm64", "bfloat16"), ("Darwin", "x86_64", "float32"), ("Linux", "aarch64", "float32")],
)
def test_scales_are_in_what_the_machine_computes_fast(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, expected: str
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert computing_type() == expected

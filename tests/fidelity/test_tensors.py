"""Which tensors a model's files hold, and what is no model, or damaged."""

from pathlib import Path

import pytest

from evaluator.errors import StudyError
from evaluator.fidelity.models import open_model
from evaluator.fidelity.tensors import Tensor
from tests.support.model_files import gguf_bytes, mlx_folder, packed, safetensors_bytes

NAMES = {
    "token_embd.weight": "embedding",
    "per_layer_token_embd.weight": "embedding",
    "model.embed_tokens.weight": "embedding",
    "blk.0.attn_q.weight": "attention",
    "blk.0.attn_output.weight": "attention",
    "model.layers.0.self_attn.q_proj.weight": "attention",
    "blk.0.ffn_down.weight": "feed-forward",
    "model.layers.0.mlp.down_proj.weight": "feed-forward",
    "blk.0.ffn_down_exps.weight": "experts",
    "blk.0.ffn_gate_inp.weight": "experts",
    "model.layers.0.mlp.switch_mlp.up_proj.weight": "experts",
    "blk.0.ssm_in.weight": "state space",
    "blk.0.attn_norm.weight": "norms",
    "blk.0.attn_q_norm.weight": "norms",
    "blk.0.ffn_norm.weight": "norms",
    "output_norm.weight": "norms",
    "model.layers.0.input_layernorm.weight": "norms",
    "output.weight": "output",
    "lm_head.weight": "output",
    "rope_freqs.weight": "other",
    "": "other",
}


@pytest.mark.parametrize(("name", "group"), NAMES.items(), ids=NAMES)
def test_every_tensor_has_its_group(name: str, group: str) -> None:
    assert Tensor(name, "F32", (4, 4), 64, None).group == group


def test_a_gguf_is_opened_by_its_headers(tmp_path: Path) -> None:
    file = tmp_path / "m-Q4_0.gguf"
    matrices = [("token_embd.weight", (64, 4), 2, 144), ("blk.0.attn_norm.weight", (64,), 0, 256)]
    file.write_bytes(gguf_bytes({"general.file_type": 2, "general.name": "M Q4_0"}, matrices))

    model = open_model(file)

    assert (model.name, model.form, model.architecture, model.size) == (
        file.name,
        "GGUF",
        "llama",
        len(file.read_bytes()),
    )
    assert [(one.name, one.kind, one.shape, one.bytes) for one in model.tensors.values()] == [
        ("token_embd.weight", "Q4_0", (64, 4), 144),
        ("blk.0.attn_norm.weight", "F32", (64,), 256),
    ]
    assert model.says == {"its name": file.name, "general.name": "M Q4_0", "general.file_type": "Q4_0"}


def test_the_layers_of_mlx_are_put_together(tmp_path: Path) -> None:
    folder = mlx_folder(tmp_path / "m", ["model.safetensors"])
    (folder / "config.json").write_text('{"model_type": "llama", "quantization": {"bits": 4, "group_size": 64}}')
    tensors = {**packed("lm_head", 4, 64, rows=3, columns=128), "norm.weight": ("F32", (128,))}
    (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors))

    model = open_model(folder)

    assert (model.form, model.architecture) == ("MLX", "llama")
    assert [(one.name, one.kind, one.shape, one.bytes) for one in model.tensors.values()] == [
        ("lm_head.weight", "4 bits, groups of 64, scales BF16", (128, 3), 3 * (64 + 2 * 2 * 2)),
        ("norm.weight", "F32", (128,), 512),
    ]


TWICE = (("a.weight", (4, 4), 0, 64), ("a.weight", (4, 4), 0, 64))
WHOLE = gguf_bytes(tensors=(("a.weight", (32, 4), 0, 512),))
BROKEN = {
    "cut": (WHOLE[:-100], "its download was cut"),
    "cut-in-its-header": (WHOLE[:60], "ends inside its header"),
    "no-model": (b"a text, and no model " * 9, "is no GGUF"),
    "empty": (b"", ""),
    "a-name-twice": (gguf_bytes(tensors=TWICE), "two tensors 'a.weight'"),
    "rows-that-do-not-fit": (
        gguf_bytes(tensors=(("a.weight", (16, 4), 2, 36),)),
        "rows of 16 in 'a.weight', which is Q4_0",
    ),
    "elements-that-do-not-fit": (gguf_bytes(tensors=(("a.weight", (5, 4), 2, 36),)), "has broken rows"),
    "of-no-bytes-at-all": (gguf_bytes(tensors=(("a.weight", (1 << 60, 4), 0, 16),)), "damaged header"),
}


@pytest.mark.parametrize(("content", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_damaged_gguf_is_one_sentence(content: bytes, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(content)

    with pytest.raises(StudyError) as refused:
        open_model(file)
    assert problem in str(refused.value)
    assert str(file) in str(refused.value)
    assert (refused.value.exit_code, "\n" in str(refused.value)) == (2, False)


@pytest.mark.parametrize("make", ["nothing", "folder", "half-a-folder"])
def test_what_is_no_model_is_one_sentence(make: str, tmp_path: Path) -> None:
    path = tmp_path / "m"
    if make != "nothing":
        path.mkdir()
    if make == "half-a-folder":
        (path / "config.json").write_text("{}")

    with pytest.raises(StudyError) as refused:
        open_model(path)
    assert str(path) in str(refused.value)
    assert refused.value.exit_code == 2


MLX_BROKEN = {
    "cut": (lambda raw: raw[:-8], '{"quantization": {"bits": 4, "group_size": 64}}'),
    "packed-otherwise": (lambda raw: raw, '{"quantization": {"bits": 8, "group_size": 64}}'),
    "by-other-means": (lambda raw: raw, '{"quantization_config": {"quant_method": "gptq"}}'),
    "bits-that-are-none": (lambda raw: raw, '{"quantization": {"bits": -4, "group_size": "x"}}'),
}


@pytest.mark.parametrize(("damage", "config"), MLX_BROKEN.values(), ids=MLX_BROKEN)
def test_damaged_mlx_weights_are_one_sentence(damage: object, config: str, tmp_path: Path) -> None:
    folder = mlx_folder(tmp_path / "m", ["model.safetensors"])
    (folder / "config.json").write_text(config)
    raw = safetensors_bytes(packed("lm_head", 4, 64))
    (folder / "model.safetensors").write_bytes(damage(raw) if callable(damage) else raw)

    with pytest.raises(StudyError) as refused:
        open_model(folder)
    assert (refused.value.exit_code, "\n" in str(refused.value)) == (2, False)

"""Bits, groups and parameters of MLX weights come from their files, read as mlx_lm reads them."""

import importlib
import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from servers.errors import ModelError
from servers.weights import mlx as weights_mlx
from servers.weights.facts import FileFacts
from servers.weights.hashing import template_sha256
from servers.weights.source import check
from tests.support.model_files import mlx_folder, packed, safetensors_bytes, u64

UNKNOWN = FileFacts()


def safetensors(path: Path, tensors: Any) -> None:
    path.write_bytes(safetensors_bytes(tensors))


NORM = {"norm.weight": ("BF16", (64,))}
FOUR = {"bits": 4, "group_size": 64}


@pytest.mark.parametrize(
    ("config", "tensors", "said"),
    [
        pytest.param({}, {"a.weight": ("BF16", (2, 8))} | NORM, ("BF16", 80, 16), id="unquantized"),
        pytest.param(
            {}, {"a.weight": ("F16", (2, 8)), "b.weight": ("F32", (1, 8)), "c.weight": ("F16", (1, 8))},
            ("F16 (F16 × 2, F32 × 1)", 32, 20), id="two-types",
        ),
        pytest.param({"quantization": FOUR}, packed("a", 4, 64), ("4 bits, groups of 64", 256, 4.5), id="4-bit"),
        pytest.param(
            {"quantization": {"bits": 3, "group_size": 32, "mode": "affine"}}, packed("a", 3, 32),
            ("3 bits, groups of 32", 256, 4), id="3-bit",
        ),
        pytest.param(
            {"quantization": {"bits": 4, "group_size": 32, "mode": "mxfp4"}},
            {"a.weight": ("U32", (2, 16)), "a.scales": ("U8", (2, 4))},
            ("4 bits, groups of 32, mxfp4", 256, 4.25), id="mxfp4",
        ),
        pytest.param(
            {"quantization": {**FOUR, "b": {"bits": 8, "group_size": 64}, "c": {"bits": 8}, "d": False, "a": FOUR}},
            packed("a", 4, 64) | packed("b", 8, 64) | packed("c", 8, 64) | {"d.weight": ("BF16", (2, 128))},
            ("4 bits, groups of 64; 2 layers otherwise: 8 bits; 1 layer otherwise: unquantized", 1024, 9.375),
            id="mixed",
        ),
        pytest.param(
            {"quantization": {**FOUR, "b": {"bits": 6, "group_size": 32}}}, packed("a", 4, 64) | packed("b", 6, 32),
            ("4 bits, groups of 64; 1 layer otherwise: 6 bits, groups of 32", 512, 5.75), id="other-groups",
        ),
        pytest.param({"quantization": {}}, {"a.weight": ("BF16", (2, 8))}, ("BF16", 16, 16), id="not-at-all"),
        pytest.param(
            {"quantization": {**FOUR, "mode": "affine", "a": {"group_size": None, "bits": 3, "mode": "affine"}}},
            packed("a", 3, 64), ("4 bits, groups of 64; 1 layer otherwise: 3 bits", 256, 3.5), id="null-for-groups",
        ),
        pytest.param(
            {"quantization": {"bits": 4, "group_size": 32, "a": {"bits": 6}}}, packed("a", 6, 64),
            ("4 bits, groups of 32; 1 layer otherwise: 6 bits, groups of 64", 256, 6.5), id="a-layer-with-bits-alone",
        ),
        pytest.param(
            {"quantization": {"bits": 8, "group_size": 32, "a": {"group_size": 64, "bits": None}}}, packed("a", 4, 64),
            ("8 bits, groups of 32; 1 layer otherwise: 4 bits, groups of 64", 256, 4.5), id="a-layer-without-bits",
        ),
        pytest.param(
            {"quantization": {"bits": None, "group_size": None}}, packed("a", 4, 64),
            ("4 bits, groups of 64", 256, 4.5), id="nulls-for-all",
        ),
        pytest.param(
            {"quantization": {"bits": 0, "group_size": 0}}, packed("a", 4, 64),
            ("4 bits, groups of 64", 256, 4.5), id="noughts-for-all",
        ),
        pytest.param(
            {"quantization": {**FOUR, "a": True, "b": None, "c": {}, "linear_class": "x"}},
            packed("a", 4, 64) | {"b.weight": ("BF16", (2, 128)), "c.weight": ("BF16", (2, 128))},
            ("4 bits, groups of 64; 2 layers otherwise: unquantized", 768, (144 * 8 + 512 * 16) / 768),
            id="true-null-and-empty",
        ),
        pytest.param(
            {"quantization": {"bits": 4, "group_size": 16, "mode": "nvfp4"}},
            {"a.weight": ("U32", (2, 16)), "a.scales": ("U8", (2, 8)), "a.global_scale": ("F32", (1,))},
            ("4 bits, groups of 16, nvfp4", 256, (144 + 4) * 8 / 256), id="nvfp4",
        ),
        pytest.param(
            {"quantization": {**FOUR, "a": {"mode": "mxfp8"}}},
            {"a.weight": ("U32", (2, 32)), "a.scales": ("U8", (2, 4))},
            ("4 bits, groups of 64; 1 layer otherwise: 8 bits, groups of 32, mxfp8", 256, 8.25), id="mxfp8",
        ),
        pytest.param(
            {"quantization": FOUR}, {"a.weight": ("U32", (2, 16)), "a.scales": ("U8", (2, 4))},
            ("4 bits, groups of 64", 256, 4.25), id="mxfp4-that-no-entry-names",
        ),
        pytest.param({}, NORM, (None, 64, 16), id="vectors-alone"),
    ],
)  # fmt: skip
def test_a_directory_says_its_bits(
    tmp_path: Path, config: Any, tensors: dict[str, Any], said: tuple[str | None, int, float]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    safetensors(tmp_path / "model.safetensors", tensors)
    facts = weights_mlx.read(tmp_path)

    assert (facts.quantization, facts.parameters, facts.bits_per_weight) == said


def test_the_weights_of_all_files_count(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"quantization": FOUR}))
    layer = packed("a", 4, 64)
    safetensors(tmp_path / "model-00001-of-00002.safetensors", {"a.weight": layer.pop("a.weight")})
    safetensors(tmp_path / "model-00002-of-00002.safetensors", layer)
    safetensors(tmp_path / "adapters.safetensors", {"lora.weight": ("F32", (9, 9))})

    assert weights_mlx.read(tmp_path).parameters == 256


@pytest.mark.skipif(find_spec("mlx_lm") is None, reason="needs whichquant[mlx]")
@pytest.mark.parametrize("recipe", ["mixed_2_6", "mixed_3_4", "mixed_3_6", "mixed_4_6"])
@pytest.mark.parametrize("group", [None, 32])
def test_what_mlx_lm_converts_is_read(tmp_path: Path, recipe: str, group: int | None) -> None:
    """A random model, quantized and saved by mlx_lm itself, which also counts its weights and bits."""
    utils: Any = importlib.import_module("mlx_lm.utils")
    convert: Any = importlib.import_module("mlx_lm.convert")
    llama: Any = importlib.import_module("mlx_lm.models.llama")
    config: dict[str, Any] = {
        "model_type": "llama",
        "hidden_size": 128,
        "num_hidden_layers": 4,
        "intermediate_size": 256,
    }
    config |= {"num_attention_heads": 2, "rms_norm_eps": 1e-5, "vocab_size": 64}
    model = llama.Model(llama.ModelArgs.from_dict(config))
    parameters = utils.get_total_parameters(model)
    predicate = convert.mixed_quant_predicate_builder(recipe, model, group)
    model, config = utils.quantize_model(model, config, group, None, quant_predicate=predicate)
    utils.save_model(tmp_path, model)
    utils.save_config(config, tmp_path / "config.json")
    facts = weights_mlx.read(tmp_path)

    assert (group is None) == ('"group_size": null' in (tmp_path / "config.json").read_text())
    assert facts.parameters == parameters
    assert facts.bits_per_weight == pytest.approx(utils.compute_bits_per_weight(model), rel=1e-9)
    assert facts.quantization is not None
    assert facts.quantization.startswith(f"4 bits, groups of {group or 64}; ")
    assert check(str(tmp_path), runtime="mlx_lm", base=Path()) == tmp_path


def part(number: int, total: int) -> str:
    return f"model-{number:05}-of-{total:05}.safetensors"


ALL = [part(i, 2) for i in (1, 2)]
PAIR = ["model-a.safetensors", "model-b.safetensors"]


@pytest.mark.parametrize(
    ("files", "index", "lost"),
    [
        pytest.param(["model.safetensors"], ALL, None, id="one-file-and-a-leftover-index"),
        pytest.param(ALL, [part(i, 4) for i in (1, 2, 3, 4)], None, id="two-files-and-the-index-of-four"),
        pytest.param(ALL, ALL, None, id="all-of-the-index"),
        pytest.param(ALL, None, None, id="no-index"),
        pytest.param(["model.safetensors"], ["model.safetensors"], None, id="one-and-its-index"),
        pytest.param(ALL, ["model.safetensors"], None, id="two-files-and-the-index-of-one"),
        pytest.param(["weights.safetensors"], None, None, id="another-name"),
        pytest.param([*ALL, "._model.safetensors"], ALL, None, id="macos-beside"),
        pytest.param(ALL[:1], ALL, ALL[1:], id="a-shard-missing"),
        pytest.param(ALL[1:], None, ALL[:1], id="a-shard-missing-without-an-index"),
        pytest.param([part(i, 4) for i in (1, 3)], ALL, [part(2, 4), part(4, 4)], id="two-missing"),
        pytest.param(["model.safetensors", part(1, 2)], ["model.safetensors"], ALL[1:], id="half-a-series-beside"),
        pytest.param(PAIR[:1], PAIR, PAIR[1:], id="no-series"),
        pytest.param(["model.safetensors", "x.incomplete"], ALL, ALL[1:], id="leftover-or-stopped"),
        pytest.param(["other.safetensors", "model.safetensors.part"], None, ["model.safetensors.part"], id="a-part"),
    ],
)  # fmt: skip
def test_weights_are_whole_by_what_mlx_lm_loads(
    tmp_path: Path, files: list[str], index: list[str] | None, lost: list[str] | None
) -> None:
    folder = mlx_folder(tmp_path / "m", files, index)
    if lost is None:
        assert check(str(folder), runtime="mlx_lm", base=Path()) == folder
        return
    with pytest.raises(ModelError) as caught:
        check(str(folder), runtime="mlx_lm", base=Path())
    are = "is" if len(lost) == 1 else "are"
    assert f"{folder} is incomplete: {', '.join(lost)} {are} missing: fetch the model again." == str(caught.value)


WHOLE = safetensors_bytes({"a.weight": ("F32", (64, 64))})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(WHOLE[:-1], "bytes: its download was cut", id="a-byte-short"),
        pytest.param(WHOLE[:9000], "is 9.0 kB, its tensors need 16.5 kB: its download was cut", id="half"),
        pytest.param(WHOLE[:40], "ends inside its header: its download was cut", id="in-the-header"),
        pytest.param(WHOLE[:8], "is no safetensors file", id="the-length-alone"),
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1", "is a Git LFS pointer", id="lfs"),
        pytest.param(b"<!doctype html><title>Sign in</title>", "is a web page", id="html"),
        pytest.param(b"GGUF" + bytes(99), "is no safetensors file", id="gguf"),
        pytest.param(bytes(999), "begins with noughts", id="set-aside"),
        pytest.param(u64(2**60) + b"{", "has a damaged header", id="a-huge-header"),
        pytest.param(u64(9) + b"{" * 9, "has a damaged header", id="no-json"),
    ],
)
def test_a_shard_that_is_not_whole_is_said(tmp_path: Path, content: bytes, words: str) -> None:
    folder = mlx_folder(tmp_path / "m", ALL, ALL)
    (folder / ALL[1]).write_bytes(content)
    with pytest.raises(ModelError) as caught:
        check(str(folder), runtime="mlx_lm", base=Path())

    assert words in str(caught.value)
    assert str(folder / ALL[1]) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param({"model_type": "bert"}, "is an embedding model (model_type bert)", id="bert"),
        pytest.param({"model_type": "xlm-roberta"}, "is an embedding model", id="xlm-roberta"),
        pytest.param({"model_type": "modernbert"}, "is an embedding model", id="modernbert"),
        pytest.param({"model_type": "nomic_bert"}, "is an embedding model", id="nomic"),
        pytest.param({"model_type": "mpnet"}, "is an embedding model", id="mpnet"),
        pytest.param({"model_type": "whisper"}, "is a speech recognizer", id="whisper"),
        pytest.param({"model_type": "qwen3"}, None, id="a-language-model"),
        pytest.param({"model_type": "something-new"}, None, id="of-a-later-version"),
        pytest.param({"model_type": 7}, None, id="odd"),
    ],
)
def test_what_writes_no_answers_is_no_model(tmp_path: Path, config: Any, words: str | None) -> None:
    folder = mlx_folder(tmp_path / "m", ["model.safetensors"])
    (folder / "config.json").write_text(json.dumps(config))
    if words is None:
        assert check(str(folder), runtime="mlx_lm", base=Path()) == folder
    else:
        with pytest.raises(ModelError, match=re.escape(words)):
            check(str(folder), runtime="mlx_lm", base=Path())


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapters.safetensors").write_bytes(WHOLE)
    with pytest.raises(ModelError, match="is a LoRA adapter, not a model"):
        check(str(tmp_path), runtime="mlx_lm", base=Path())


def test_whatever_stands_behind_the_tensors_is_fine(tmp_path: Path) -> None:
    folder = mlx_folder(tmp_path / "m", ["model.safetensors"])
    (folder / "model.safetensors").write_bytes(WHOLE + bytes(99))

    assert check(str(folder), runtime="mlx_lm", base=Path()) == folder


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"quantization": {"bits": 8, "group_size": 64}}, id="other-bits"),
        pytest.param({"quantization": {"bits": 4, "group_size": 32}}, id="other-groups"),
        pytest.param({"quantization": {"bits": 4}}, id="no-groups"),
        pytest.param({"quantization": "4 bits"}, id="text"),
        pytest.param({"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 64}}, id="awq"),
        pytest.param({}, id="silent"),
    ],
)
def test_a_packing_that_is_not_as_said_is_unknown(tmp_path: Path, config: Any) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    safetensors(tmp_path / "model.safetensors", packed("a", 4, 64))

    assert weights_mlx.read(tmp_path) == UNKNOWN


def entry(**fields: Any) -> bytes:
    raw = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **fields}}).encode()
    return u64(len(raw)) + raw + bytes(8)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(u64(2**63) + b"{}", id="huge-header"),
        pytest.param(u64(0), id="no-header"),
        pytest.param(u64(9) + b"\xff" * 9, id="no-json"),
        pytest.param(u64(2) + b"[]", id="a-list"),
        pytest.param(u64(2) + b"{}", id="no-tensors"),
        pytest.param(u64(9999) + b"[" * 9999, id="deep"),
        pytest.param(entry()[:-1], id="truncated"),
        pytest.param(entry(shape=[10**30]), id="vast"),
        pytest.param(entry(shape=[2**62, 2**62]), id="vast-product"),
        pytest.param(entry(shape=[-2]), id="negative"),
        pytest.param(entry(shape="2"), id="text"),
        pytest.param(entry(data_offsets=[8, 0]), id="backwards"),
        pytest.param(entry(data_offsets=[0]), id="no-end"),
        pytest.param(entry(dtype=1), id="no-type"),
    ],
)
def test_a_damaged_directory_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    (tmp_path / "config.json").write_bytes(b"{broken")
    (tmp_path / "tokenizer_config.json").write_bytes(b"\xff")

    assert weights_mlx.read(tmp_path) == UNKNOWN


def test_a_tensor_in_two_files_is_damage(tmp_path: Path) -> None:
    for name in ("model-1.safetensors", "model-2.safetensors"):
        safetensors(tmp_path / name, NORM)

    assert weights_mlx.read(tmp_path) == UNKNOWN


@pytest.mark.parametrize(
    ("files", "qat"),
    [
        ({"README.md": "---\nbase_model: google/gemma-3-4b-it-qat-q4_0-unquantized\n---\n# x"}, True),
        ({"README.md": "---\r\ntags:\r\n- QAT\r\n---\r\n"}, True),
        ({"config.json": '{"_name_or_path": "x/gemma-qat"}'}, None),
        ({"README.md": "---\ntags: [mlx]\n---\nMade from the QAT weights? No."}, None),
        ({"README.md": "QAT\n---\nqat\n---"}, None),
        ({"README.md": "---\nqat"}, None),
    ],
    ids=["base-model", "tag", "a name proves nothing", "prose", "no-front-matter", "open-front-matter"],
)
def test_a_model_card_mentions_qat(tmp_path: Path, files: dict[str, str], qat: bool | None) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content.encode())

    assert weights_mlx.read(tmp_path).qat is qat


@pytest.mark.parametrize(
    ("files", "template"),
    [
        ({"chat_template.jinja": "{{ a }}\n", "tokenizer_config.json": '{"chat_template": "{{ b }}"}'}, "{{ a }}"),
        ({"tokenizer_config.json": '{"chat_template": "{{ b }}"}'}, "{{ b }}"),
        ({"tokenizer_config.json": '{"chat_template": [{"name": "default"}]}'}, None),
        ({"tokenizer_config.json": "{}"}, None),
    ],
    ids=["file", "tokenizer", "several", "none"],
)
def test_a_directory_has_its_chat_template(tmp_path: Path, files: dict[str, str], template: str | None) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)

    assert weights_mlx.read(tmp_path).chat_template_sha256 == template_sha256(template)

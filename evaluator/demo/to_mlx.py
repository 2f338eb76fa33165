"""A GGUF as a directory that mlx_lm reads, at any number of bits: no torch, no network."""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluator.demo.mlx_tokenizer import build_tokenizer, stop_tokens, tokenizer_config
from servers.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    Weights = dict[str, NDArray[np.float32]]

ARCHITECTURES = ("gemma3", "llama")
GLOBAL_EVERY = 6
"""Every sixth layer of Gemma 3 attends globally, the others within a window; a GGUF does not say so."""
LOCAL_ROPE_BASE = 10_000.0
"""Of Gemma 3's windowed layers; a GGUF has the global layers' alone."""

_SHARED_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_norm": "input_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_LAYER_NAMES = {
    "gemma3": _SHARED_NAMES
    | {
        "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm",
        "post_attention_norm": "post_attention_layernorm",
        "ffn_norm": "pre_feedforward_layernorm",
        "post_ffw_norm": "post_feedforward_layernorm",
    },
    "llama": _SHARED_NAMES | {"ffn_norm": "post_attention_layernorm"},
}
_TOP_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}


def convert(gguf: Path, out: Path, *, bits: int | None = None, group_size: int = 64) -> None:
    """Write a GGUF as a directory that mlx_lm reads; it appears whole or not at all.

    Text models in the shape of Gemma 3 up to 1B and of Llama without scaled rotary embedding.

    Args:
        gguf: The model; where it is quantized, it is dequantized first and so loses twice.
        out: The directory to make; it must not exist.
        bits: Of the quantized weights: 2, 3, 4, 5, 6 or 8; None leaves them unquantized.
        group_size: Weights that share a scale and an offset.

    Raises:
        ModelError: The GGUF is of another shape, mlx_lm is not installed, `out` exists, or the conversion failed.
    """
    missing = [name for name in ("gguf", "mlx_lm", "safetensors", "tokenizers") if find_spec(name) is None]
    if missing:
        packages = " ".join(name.replace("_", "-") for name in missing)
        raise ModelError(f"Converting to MLX needs {', '.join(missing)}", remedy=f"pip install {packages}.")
    if out.exists():
        raise ModelError(f"{out} exists already, so nothing is converted into it.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="converting-", dir=out.parent) as folder:
        plain, finished = Path(folder) / "plain", Path(folder) / "finished"
        write_plain(gguf, plain)
        _run_mlx_lm(plain, finished, bits=bits, group_size=group_size)
        finished.rename(out)


def computing_type() -> str:
    """Choose the type of what is not quantized, scales and offsets included.

    Apple's GPUs compute in bfloat16, as Gemma was trained. On a CPU mlx is slow with it: 4-bit Gemma 3 270M took 6.4 s
    a token with bfloat16 scales, 0.5 s with float32.
    """
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return "bfloat16" if apple else "float32"


def write_plain(gguf: Path, folder: Path) -> None:
    """Write a GGUF in the layout of a Hugging Face repo, with float32 weights.

    Raises:
        ModelError: It is no GGUF or of a shape that cannot be converted.
    """
    from gguf import GGUFReader  # noqa: PLC0415
    from safetensors.numpy import save_file  # noqa: PLC0415

    try:
        reader = GGUFReader(gguf)
    except (OSError, ValueError) as error:
        raise ModelError(f"{gguf} cannot be read as GGUF: {error}.") from error
    header = {name: field.contents() for name, field in reader.fields.items()}
    architecture = header.get("general.architecture")
    if architecture not in ARCHITECTURES:
        raise ModelError(
            f"{gguf} is of the architecture {architecture}, and only {', '.join(ARCHITECTURES)} can be converted."
        )
    if f"{architecture}.rope.scaling.factor" in header:
        raise ModelError(f"{gguf} scales its rotary embedding, and such models cannot be converted.")
    weights = read_weights(reader, header)
    folder.mkdir()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    build_tokenizer(header).save(str(folder / "tokenizer.json"))
    config = model_config(header, weights)
    ends = {name: config[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id") if name in config}
    for name, content in {
        "config.json": config,
        "generation_config.json": ends,
        "tokenizer_config.json": tokenizer_config(header, context=config["max_position_embeddings"]),
    }.items():
        (folder / name).write_text(json.dumps(content, indent=1))
    if template := header.get("tokenizer.chat_template"):
        (folder / "chat_template.jinja").write_text(template)


def read_weights(reader: Any, header: "Mapping[str, Any]") -> "Weights":  # noqa: ANN401 - gguf has no types
    """Dequantize all weights and undo what llama.cpp's converter did to them.

    It stores Gemma's norms as one plus the weight, and reorders Llama's query and key rows from half-and-half to
    interleaved rotary pairs.
    """
    import numpy as np  # noqa: PLC0415
    from gguf.quants import dequantize  # noqa: PLC0415

    weights: Weights = {}
    for tensor in reader.tensors:
        shape = [int(size) for size in reversed(tensor.shape)]
        name = weight_name(tensor.name, header)
        weight = reorder(dequantize(tensor.data, tensor.tensor_type).astype(np.float32).reshape(shape), name, header)
        if header["general.architecture"] == "gemma3" and name.endswith("norm.weight"):
            weight = weight - 1.0
        weights[name] = np.ascontiguousarray(weight)
    return weights


def reorder(rows: "NDArray[Any]", name: str, header: "Mapping[str, Any]") -> "NDArray[Any]":
    """Put a weight's rows, numbers or codes, into the order of the Hugging Face layout."""
    architecture = header["general.architecture"]
    heads = {
        "q_proj": header[f"{architecture}.attention.head_count"],
        "k_proj": header[f"{architecture}.attention.head_count_kv"],
    }.get(name.split(".")[-2])
    if architecture != "llama" or heads is None:
        return rows
    height, width = rows.shape
    return rows.reshape(heads, height // heads // 2, 2, width).swapaxes(1, 2).reshape(height, width)


def weight_name(name: str, header: "Mapping[str, Any]") -> str:
    """Return a weight's name in the Hugging Face layout.

    Raises:
        ModelError: A model that can be converted has no such weight.
    """
    architecture = header["general.architecture"]
    if name in _TOP_NAMES:
        return _TOP_NAMES[name]
    found = re.fullmatch(r"blk\.(\d+)\.([a-z_]+)\.weight", name)
    layer_name = _LAYER_NAMES[architecture].get(found[2]) if found else None
    if found is None or layer_name is None:
        raise ModelError(f"The GGUF has weights {name}, which a {architecture} model that can be converted has not.")
    return f"model.layers.{found[1]}.{layer_name}.weight"


def model_config(header: "Mapping[str, Any]", weights: "Weights") -> dict[str, Any]:
    """Return config.json."""
    architecture = header["general.architecture"]

    def of(name: str) -> Any:  # noqa: ANN401 - a GGUF's values are of many types
        return header[f"{architecture}.{name}"]

    ends = stop_tokens(header)
    config: dict[str, Any] = {
        "vocab_size": len(weights["model.embed_tokens.weight"]),
        "hidden_size": of("embedding_length"),
        "num_hidden_layers": of("block_count"),
        "intermediate_size": of("feed_forward_length"),
        "num_attention_heads": of("attention.head_count"),
        "num_key_value_heads": of("attention.head_count_kv"),
        "rms_norm_eps": of("attention.layer_norm_rms_epsilon"),
        "max_position_embeddings": of("context_length"),
        "rope_theta": of("rope.freq_base"),
        "bos_token_id": header.get("tokenizer.ggml.bos_token_id"),
        "pad_token_id": header.get("tokenizer.ggml.padding_token_id"),
        "eos_token_id": ends if len(ends) > 1 else ends[0],
        "tie_word_embeddings": "lm_head.weight" not in weights,
        "attention_bias": False,
        "torch_dtype": "float32",
    }
    if architecture == "llama":
        shape = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "mlp_bias": False}
        return config | shape | {"head_dim": of("rope.dimension_count")}
    local = [(layer + 1) % GLOBAL_EVERY != 0 for layer in range(of("block_count"))]
    return config | {
        "model_type": "gemma3_text",
        "architectures": ["Gemma3ForCausalLM"],
        "hidden_activation": "gelu_pytorch_tanh",
        "head_dim": of("attention.key_length"),
        # Not in a GGUF; equal to the head's width in all Gemma 3 models but 27B, which scales its rotary embedding.
        "query_pre_attn_scalar": of("attention.key_length"),
        "rope_local_base_freq": LOCAL_ROPE_BASE,
        "sliding_window": of("attention.sliding_window"),
        "sliding_window_pattern": GLOBAL_EVERY,
        "layer_types": ["sliding_attention" if windowed else "full_attention" for windowed in local],
    }


def _run_mlx_lm(plain: Path, finished: Path, *, bits: int | None, group_size: int) -> None:
    """Have mlx_lm cast and quantize, in a process of its own: it prints, and holds the weights until it ends."""
    command = [sys.executable, "-m", "mlx_lm", "convert", "--hf-path", str(plain), "--mlx-path", str(finished)]
    command += ["--dtype", computing_type()]
    if bits is not None:
        command += ["-q", "--q-bits", str(bits), "--q-group-size", str(group_size)]
    # All it needs is in the folder, so a hub that cannot be reached must not delay it.
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, check=False)
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip() or f"it ended with code {done.returncode}").splitlines()
        raise ModelError(f"mlx_lm could not convert the model: {words[-1].rstrip('.')}.")

"""Model files made by hand, byte by byte: GGUF with tensors of any type, known or not, and safetensors."""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ALIGNMENT = 32
SIZES = {"U32": 4, "F32": 4, "BF16": 2, "F16": 2, "U8": 1}


def u64(number: int) -> bytes:
    return struct.pack("<Q", number)


def text(value: str) -> bytes:
    return u64(len(value.encode())) + value.encode()


def pair(key: str, value: Any) -> bytes:
    """A piece of metadata: a text, a list of texts, or a whole number."""
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, list):
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    return text(key) + struct.pack("<II", 4, value)


def gguf_bytes(
    metadata: Mapping[str, Any] | None = None,
    tensors: Sequence[tuple[str, tuple[int, ...], int, int | bytes]] = (("token_embd.weight", (4,), 0, 16),),
    version: int = 3,
) -> bytes:
    """A whole GGUF; each tensor has a name, a shape (rows first), the number of its type, and its bytes, or how many
    zeros.
    """
    pairs = {"general.architecture": "llama", **(metadata or {})}
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    head += b"".join(pair(key, value) for key, value in pairs.items())
    body = b""
    for name, shape, kind, numbers in tensors:
        content = bytes(numbers) if isinstance(numbers, int) else numbers
        head += text(name) + struct.pack("<I", len(shape)) + b"".join(map(u64, shape))
        head += struct.pack("<IQ", kind, len(body))
        body += content + bytes(-len(content) % ALIGNMENT)
    return head + bytes(-len(head) % ALIGNMENT) + body


def safetensors_bytes(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> bytes:
    """A whole safetensors file of zeros; each tensor has a type and a shape."""
    head: dict[str, Any] = {"__metadata__": {"format": "mlx"}}
    at = 0
    for name, (dtype, shape) in tensors.items():
        end = at + SIZES[dtype] * math.prod(shape)
        head[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    raw = json.dumps(head).encode()
    return u64(len(raw)) + raw + bytes(at)


def packed(name: str, bits: int, group: int, rows: int = 2, columns: int = 128) -> dict[str, Any]:
    """Return the three tensors of a quantized layer."""
    scales = ("BF16", (rows, columns // group))
    words = ("U32", (rows, columns * bits // 32))
    return {f"{name}.weight": words, f"{name}.scales": scales, f"{name}.biases": scales}


def mlx_folder(path: Path, shards: Mapping[str, Any] | Sequence[str], index: Sequence[str] | None = None) -> Path:
    """A directory of weights with a tensor in each file, and an index that names files."""
    path.mkdir(parents=True)
    (path / "config.json").write_text('{"model_type": "llama"}')
    for i, name in enumerate(shards):
        (path / name).write_bytes(safetensors_bytes({f"model.t{i}.weight": ("F16", (2, 2))}))
    if index is not None:
        names = {f"model.t{i}.weight": name for i, name in enumerate(index)}
        (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    return path

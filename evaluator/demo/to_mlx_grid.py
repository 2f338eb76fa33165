"""A GGUF's own grid in MLX's form: Q4_0 and Q8_0 become MLX's 4 and 8 bits without a weight being changed.

Both hold whole numbers and a float16 scale d for each 32 weights. Q4_0 stands for d (code - 8), Q8_0 for d times a
number of -128 to 127; MLX for scale times code plus bias. So with groups of 32, scale d and bias -8 d, or -128 d, it
is the same number: neither sum takes more than the 24 bits of float32, in which scale and bias are kept. MLX's own
quantizer lays a new grid over what it is given, between each group's smallest and largest weight.
"""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evaluator.demo.to_mlx import reorder, weight_name, write_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

GROUP = 32
"""Weights that share a scale, in both forms."""
_WEIGHTS = "model.safetensors"


class Changed(NamedTuple):
    """How many of the weights that a GGUF holds in Q4_0 or Q8_0 a conversion moved."""

    moved: int
    """By more than a hundredth of the grid's step."""
    unequal: int
    """At all, that is, also by rounding."""
    total: int


def convert_grid(gguf: Path, out: Path) -> None:
    """Write a GGUF as a directory that mlx_lm reads, with the very weights that it stands for.

    What is neither Q4_0 nor Q8_0 is written unquantized, in float32.

    Args:
        gguf: The model, of a shape that `to_mlx.convert` takes.
        out: The directory to make; it must not exist, and appears whole or not at all.

    Raises:
        ModelError: It cannot be read, or is of another shape.
        OSError: The directory cannot be written, or exists.
    """
    import numpy as np  # noqa: PLC0415
    from gguf import GGUFReader  # noqa: PLC0415
    from safetensors.numpy import load_file, save_file  # noqa: PLC0415

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="converting-", dir=out.parent) as folder:
        plain = Path(folder) / "plain"
        write_plain(gguf, plain)
        weights: Arrays = load_file(plain / _WEIGHTS)
        reader, packings = GGUFReader(gguf), {}
        header = {name: field.contents() for name, field in reader.fields.items()}
        for tensor in reader.tensors:
            if tensor.tensor_type.name in _CODES:
                name = weight_name(tensor.name, header)
                layer, bits = name.removesuffix(".weight"), _CODES[tensor.tensor_type.name]
                codes, scales = _codes(tensor, bits)
                weights[name] = _packed(reorder(codes, name, header), bits)
                weights[f"{layer}.scales"] = scales = reorder(scales, name, header)
                weights[f"{layer}.biases"] = scales * scales.dtype.type(-(1 << (bits - 1)))
                packings[layer] = {"group_size": GROUP, "bits": bits}
        whole = {name: np.ascontiguousarray(weight) for name, weight in weights.items()}
        save_file(whole, plain / _WEIGHTS, {"format": "mlx"})
        config = json.loads((plain / "config.json").read_text())
        if packings:
            config["quantization"] = {"group_size": GROUP, "bits": 4} | packings
        (plain / "config.json").write_text(json.dumps(config, indent=1))
        plain.rename(out)


_CODES = {"Q4_0": 4, "Q8_0": 8}
"""Bits of a code, by the type of tensor."""


def _codes(tensor: Any, bits: int) -> "tuple[NDArray[np.uint8], NDArray[np.float32]]":  # noqa: ANN401 - gguf has no types
    """Return a tensor's codes, counted from 0, [rows, columns], and its scales, [rows, columns / GROUP]."""
    import numpy as np  # noqa: PLC0415

    rows, columns = int(tensor.shape[1]), int(tensor.shape[0])
    blocks = np.ascontiguousarray(tensor.data).reshape(-1, 2 + GROUP * bits // 8)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32).reshape(rows, -1)
    codes = blocks[:, 2:]
    # a byte of Q4_0 holds a code of the block's first half and, above it, one of its second
    codes = np.concatenate([codes & 15, codes >> 4], axis=1) if bits == 4 else codes + np.uint8(128)
    return codes.reshape(rows, columns), scales


def _packed(codes: "NDArray[np.uint8]", bits: int) -> "NDArray[np.uint32]":
    """Pack codes into words of 32 bits as MLX does, the first lowest."""
    import numpy as np  # noqa: PLC0415

    in_word = 32 // bits
    places = np.arange(in_word, dtype=np.uint32) * np.uint32(bits)
    words: NDArray[np.uint32] = np.bitwise_or.reduce(
        codes.reshape(len(codes), -1, in_word).astype(np.uint32) << places, axis=-1
    )
    return words


def changed(gguf: Path, folder: Path) -> Changed:
    """Count the weights in Q4_0 or Q8_0 that are others in a directory that was made of the GGUF.

    Raises:
        OSError: The directory cannot be read.
    """
    import numpy as np  # noqa: PLC0415

    moved = unequal = total = 0
    for ours, theirs, steps in _both(gguf, folder):
        away = np.abs(ours - theirs)
        moved += int((away > 0.01 * np.abs(steps)).sum())
        unequal += int((away > 0).sum())
        total += ours.size
    return Changed(moved, unequal, total)


def _both(gguf: Path, folder: Path) -> "Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]":
    """Yield each weight of the GGUF that is on a grid, the directory's, and the grid's steps; [groups, GROUP]."""
    import mlx.core as mx  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415
    from gguf import GGUFReader  # noqa: PLC0415

    reader, quantization = GGUFReader(gguf), json.loads((folder / "config.json").read_text()).get("quantization", {})
    header = {name: field.contents() for name, field in reader.fields.items()}
    found: dict[str, Any] = {}
    for file in sorted(folder.glob("model*.safetensors")):
        found |= mx.load(str(file))  # type: ignore[arg-type] # of safetensors it gives a dictionary
    for tensor in reader.tensors:
        if bits := _CODES.get(tensor.tensor_type.name):
            name = weight_name(tensor.name, header)
            layer = name.removesuffix(".weight")
            theirs = found[name]
            if f"{layer}.scales" in found:
                own = quantization.get(layer)
                how = own if isinstance(own, dict) else quantization
                packed = theirs, found[f"{layer}.scales"], found[f"{layer}.biases"]
                theirs = mx.dequantize(*packed, group_size=how["group_size"], bits=how["bits"])
            codes, scales = (reorder(part, name, header) for part in _codes(tensor, bits))
            steps = scales.reshape(-1, 1)
            ours = (codes.reshape(-1, GROUP).astype(np.float32) - np.float32(1 << (bits - 1))) * steps
            yield ours, np.array(theirs.astype(mx.float32)).reshape(-1, GROUP), steps

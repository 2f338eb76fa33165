"""Write a GGUF of any size with random weights: tokens cost what they cost in life where no model can be fetched.

python -m tests.bench.random_model OUT [--like evaluator/demo/lab-full-f16.gguf] [--size 1b] [--type Q8_0]

Its shape is Llama's; vocabulary and chat template are those of a small GGUF. What it writes means nothing: it is for
measuring speed.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import gguf
import numpy as np
from numpy.typing import NDArray

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
HEAD = 64
"""Width of an attention head: a multiple of the 32 that a block of quantized keys and values takes."""
SPREAD = 0.02
"""Standard deviation of the weights, as models are begun."""


class Shape(NamedTuple):
    """A Llama's."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    inner: int


SIZES = {
    "3m": Shape(layers=2, width=256, heads=4, kv_heads=2, inner=512),
    "20m": Shape(layers=6, width=512, heads=8, kv_heads=4, inner=1536),
    "135m": Shape(layers=30, width=576, heads=9, kv_heads=3, inner=1536),
    "1b": Shape(layers=16, width=2048, heads=32, kv_heads=8, inner=8192),
    "3b": Shape(layers=28, width=3072, heads=48, kv_heads=8, inner=8192),
}
"""The larger ones as SmolLM2 135M and Llama 3.2, apart from the vocabulary; the smallest is for counting tokens."""


def matrices(shape: Shape) -> dict[str, tuple[int, int]]:
    """Give the rows and columns of each matrix of a layer, by its name in a GGUF."""
    keys = shape.kv_heads * HEAD
    return {
        "attn_q": (shape.heads * HEAD, shape.width),
        "attn_k": (keys, shape.width),
        "attn_v": (keys, shape.width),
        "attn_output": (shape.width, shape.heads * HEAD),
        "ffn_gate": (shape.inner, shape.width),
        "ffn_up": (shape.inner, shape.width),
        "ffn_down": (shape.width, shape.inner),
    }


class Drawn:
    """Matrices of random weights: one of each form is drawn, since equal ones take as long to read and to multiply."""

    def __init__(self, kind: gguf.GGMLQuantizationType) -> None:
        self.kind = kind
        self._rng = np.random.default_rng(1)
        self._kept: dict[tuple[int, int], NDArray[np.generic]] = {}

    def __call__(self, rows: int, columns: int) -> NDArray[np.generic]:
        if (rows, columns) not in self._kept:
            self._kept[rows, columns] = self.fresh(rows, columns)
        return self._kept[rows, columns]

    def fresh(self, rows: int, columns: int) -> NDArray[np.generic]:
        """Draw one that no other tensor has."""
        weights = self._rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(SPREAD)
        quantized: NDArray[np.generic] = gguf.quantize(weights, self.kind)
        return quantized


def write(out: Path, like: Path, shape: Shape, kind: gguf.GGMLQuantizationType, context: int = 32768) -> None:
    """Write the model, with vocabulary and chat template of the GGUF `like`."""
    fields = gguf.GGUFReader(like).fields
    vocabulary = len(fields["tokenizer.ggml.tokens"].contents())
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_name("random weights")
    writer.add_file_type({"Q8_0": 7, "Q4_0": 2, "F16": 1}[kind.name])
    writer.add_vocab_size(vocabulary)
    writer.add_context_length(context)
    writer.add_block_count(shape.layers)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(500_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    for name, field in fields.items():
        if name.startswith("tokenizer."):
            inside = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(name, field.contents(), field.types[0], inside)
    _add_tensors(writer, shape, Drawn(kind), vocabulary)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tensors(writer: gguf.GGUFWriter, shape: Shape, drawn: Drawn, vocabulary: int) -> None:
    ones = np.ones(shape.width, dtype=np.float32)
    # Two that differ: with one for both, the likeliest token is always the one before
    writer.add_tensor("token_embd.weight", drawn.fresh(vocabulary, shape.width), raw_dtype=drawn.kind)
    writer.add_tensor("output.weight", drawn.fresh(vocabulary, shape.width), raw_dtype=drawn.kind)
    writer.add_tensor("output_norm.weight", ones)
    for layer in range(shape.layers):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", ones)
        for name, (rows, columns) in matrices(shape).items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", drawn(rows, columns), raw_dtype=drawn.kind)


def main() -> None:
    """Write it and print its size."""
    parser = argparse.ArgumentParser(description="Write a GGUF with random weights.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--like", type=Path, default=LAB, help="whose vocabulary and chat template it gets")
    parser.add_argument("--size", choices=SIZES, default="1b")
    parser.add_argument("--type", choices=("Q8_0", "Q4_0", "F16"), default="Q8_0")
    wanted = parser.parse_args()
    write(wanted.out, wanted.like, SIZES[wanted.size], gguf.GGMLQuantizationType[wanted.type])
    print(f"{wanted.out}: {wanted.size} {wanted.type}, {wanted.out.stat().st_size / 2**20:,.0f} MiB")


if __name__ == "__main__":
    main()

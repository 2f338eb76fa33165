"""The tensors of a model's files: their groups, types and sizes, and their numbers, one slice after the other."""

import re
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from servers.weights.facts import FileFacts

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    Slices = Iterator[NDArray[float32]]

SLICE = 1 << 20
"""Numbers in a slice, 4 MB of them, but for the rest of a row."""
_GROUPS = {
    "norms": r"norm|(?:^|\.)ln_",
    "embedding": r"token_embd|embed_tokens|tok_embeddings|position_embd|token_types|(?:^|\.)w[tp]e\.",
    "output": r"^output\.|lm_head",
    "experts": r"exps|shexp|expert|switch_mlp|ffn_gate_inp|router",
    "attention": r"attn|attention",
    "feed-forward": r"ffn|mlp|feed_forward",
    "state space": r"ssm|mamba|mixer|conv1d|time_mix",
}
"""By what stands in a tensor's name, in GGUF or in Hugging Face's layout; the first that fits."""
ORDER = ("embedding", "attention", "feed-forward", "experts", "state space", "norms", "output", "other")


class Tensor(NamedTuple):
    """One tensor, as the model knows it: what quantization adds to it is part of it."""

    name: str
    kind: str
    """Its type: `Q4_K`, or `4 bits, groups of 64, scales BF16`."""
    shape: tuple[int, ...]
    """The length of a row first."""
    bytes: int
    """With scales and offsets."""
    slices: "Callable[[], Slices] | None"
    """Gives its numbers, dequantized, in slices of whole rows; None where nobody here can dequantize them."""

    @property
    def elements(self) -> int:
        """Count its numbers."""
        return prod(self.shape)

    @property
    def matrix(self) -> bool:
        """Whether it is one: vectors (norms, biases) are never quantized."""
        return len(self.shape) > 1

    @property
    def group(self) -> str:
        """Tell which part of the model it belongs to, by its name."""
        return next((group for group, words in _GROUPS.items() if re.search(words, self.name)), "other")


class Model(NamedTuple):
    """The files of one build."""

    path: Path
    form: str
    """GGUF or MLX."""
    architecture: str
    size: int
    """Bytes of all its files of weights."""
    facts: FileFacts
    tensors: Mapping[str, Tensor]
    says: Mapping[str, str]
    """What it calls itself, by where: its file's name, `general.name`, `general.file_type`."""

    @property
    def name(self) -> str:
        """Name it as the user does."""
        return self.path.name


def rows_at_once(shape: tuple[int, ...]) -> int:
    """Return how many rows are in a slice: the same in two files of one shape, whatever their types."""
    return max(1, SLICE // max(1, shape[0] if shape else 1))

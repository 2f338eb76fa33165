"""Which tensors of a GGUF were not given the type that its name promises, and why.

A type cuts rows into blocks, of 256 numbers for the K and most IQ types. llama.cpp gives tensors whose rows are no
multiple of that another type: a model with rows of 640 has no Q2_K in its Q2_K. Others get one by the recipe of the
quantization, which leaves some layers more bits.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from gguf import GGML_QUANT_SIZES
from msgspec import Struct

from evaluator.fidelity.tensors import Tensor
from servers.weights.gguf_promise import family, named_types

_SHOWN = 3


class Denied(Struct, frozen=True):
    """A tensor that has another type than promised."""

    tensor: str
    type: str
    """What it has."""
    row: int
    """Numbers in its rows."""
    why: Literal["rows", "recipe"]
    """Its rows do not fit the promised type, or the quantization's own mix."""


class Promise(Struct, frozen=True):
    """What a file says of its type, held against its matrices."""

    type: str
    """As it is said: `Q4_K_M`."""
    where: tuple[str, ...]
    """Who says it: the file's name, `general.name`, `general.file_type`."""
    kept: int
    """Matrices that have a type of that family."""
    matrices: int
    """All."""
    denied: tuple[Denied, ...]
    """The others."""

    def in_words(self) -> str:
        """Write it as one sentence."""
        wanted, who = family(self.type), " and ".join(self.where)
        rows = [one for one in self.denied if one.why == "rows"]
        others = [one for one in self.denied if one.why == "recipe"]
        kept = f"{self.kept} of {self.matrices}" if self.denied else f"all {self.matrices}"
        words = [f"{'says' if len(self.where) == 1 else 'say'} {self.type}: {kept} matrices are {wanted.rstrip('_')}"]
        if rows:
            lengths = sorted({one.row for one in rows})
            listed = ", ".join(map(str, lengths[:_SHOWN])) + (" …" if len(lengths) > _SHOWN else "")
            words.append(f"those whose rows are no multiple of {_block(wanted)} ({listed}) got {_types(rows)} instead")
        if others:
            words.append(f"the recipe gives {_types(others)}")
        return f"{who} {'; '.join(words)}.".replace("its name", "Its name", 1)


def promises(says: Mapping[str, str], tensors: Iterable[Tensor]) -> tuple[Promise, ...]:
    """Hold what a file says of its type against its matrices; empty where it says nothing.

    Args:
        says: By where, a name or a type.
        tensors: All of the file.
    """
    matrices = [tensor for tensor in tensors if tensor.matrix]
    said: dict[str, tuple[str, tuple[str, ...]]] = {}
    for where, text in says.items():
        for name in named_types(text):
            first, places = said.get(family(name), (name, ()))
            said[family(name)] = (first, (*places, where) if where not in places else places)
    return tuple(_promise(name, where, matrices) for name, where in said.values())


def _promise(name: str, where: tuple[str, ...], matrices: list[Tensor]) -> Promise:
    wanted = family(name)
    others = [tensor for tensor in matrices if family(tensor.kind) != wanted]
    denied = tuple(
        Denied(one.name, one.kind, one.shape[0], "rows" if one.shape[0] % _block(wanted) else "recipe")
        for one in others
    )
    return Promise(name, where, len(matrices) - len(others), len(matrices), denied)


def _block(wanted: str) -> int:
    """Return the size of the blocks of a family of types; 1 of one that gguf does not know."""
    return max((block for kind, (block, _) in GGML_QUANT_SIZES.items() if family(kind.name) == wanted), default=1)


def _types(denied: list[Denied]) -> str:
    return ", ".join(f"{kind} × {count}" for kind, count in Counter(one.type for one in denied).most_common())

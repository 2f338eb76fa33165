"""Whether a GGUF holds what its name, or the type that it was asked for, promises.

`general.file_type` is what llama-quantize was asked for. A tensor whose rows the type does not divide gets another:
in a model with rows of 576, Q2_K and Q3_K become Q4_0, Q4_K becomes Q5_0, Q6_K becomes Q8_0.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from servers.weights.gguf_header import Tensor

_TYPE = re.compile(
    r"(?<![a-z0-9])(?:iq1_[sm]|iq[23]_(?:xxs|xs|s|m)|iq4_(?:nl|xs)|q[2-6]_k(?:_[a-z]{1,2})?|q[458]_[01]|tq[12]_0|"
    r"mxfp4|nvfp4|bf16|fp?16|fp?32)(?![a-z0-9_])",
    re.IGNORECASE,
)
"""Names of quantizations in the name of a file."""
_FAMILY = re.compile(r"IQ[123]_|Q\d_K|MXFP4|[A-Z]+\d+(?:_[A-Z0-9]+)?")
"""What all mixes of a quantization have in common: Q4_K of Q4_K_M, and the few bits of the IQ types, which mix."""
_MORE_PRECISE = ("token_embd", "output.", "per_layer_token_embd")
"""Tables of tokens: nearly every quantization leaves them more bits."""
_UNKNOWN = "type "
"""Beginning of a type that has no name here: nothing can be said of what it keeps."""
_SHOWN = 4


def broken_promise(
    file: str, asked: str | None, tensors: Sequence[tuple[Tensor, str]], bits: float | None
) -> str | None:
    """Say in one sentence that most weights are of another type than promised; None where the promise is kept.

    Args:
        file: The file's name.
        asked: Name of the quantization that its metadata have.
        tensors: Each with the name of its type.
        bits: Per weight, of the whole file.
    """
    matrices = [(tensor, kind) for tensor, kind in tensors if len(tensor.shape) > 1]
    most = _most(matrices)
    if bits is None or most.startswith(_UNKNOWN):
        return None
    named, asked_family = named_types(file), family(asked or most)
    promises = [] if asked_family == most else [f"its file says {asked}"]
    if named and {most, asked_family}.isdisjoint(map(family, named)) and "unquantized" not in file:
        promises.append(f"its name says {' and '.join(dict.fromkeys(named))}")
    if not promises:
        return None
    return (
        f"{' and '.join(promises)}, its tensors are {_listed(kind for _, kind in matrices)}: {bits:.2f} bits a weight"
    )


def _most(matrices: Sequence[tuple[Tensor, str]]) -> str:
    """Return the family of types that most weights have, tables of tokens left out."""
    body = [(tensor, kind) for tensor, kind in matrices if not tensor.name.startswith(_MORE_PRECISE)] or matrices
    weights: Counter[str] = Counter()
    for tensor, kind in body:
        weights[family(kind)] += tensor.elements
    return weights.most_common(1)[0][0] if weights else _UNKNOWN


def named_types(file: str) -> list[str]:
    """List the quantizations in the name of a file or a model, as llama.cpp writes them."""
    return [name.upper().replace("FP16", "F16").replace("FP32", "F32") for name in _TYPE.findall(file)]


def family(name: str) -> str:
    """Return what all mixes of a quantization have in common: `Q4_K` of `Q4_K_M`."""
    match = _FAMILY.match(name)
    return match[0] if match else name


def _listed(kinds: Iterable[str]) -> str:
    counts = Counter(kinds).most_common()
    more = len(counts) - _SHOWN
    return ", ".join(f"{kind} × {count}" for kind, count in counts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

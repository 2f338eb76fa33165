"""What a GGUF holds: types, number and bits of its weights, what its metadata say, and whether it is all there.

Names and sizes of the types are gguf's. A type that it does not know has a number for a name, and takes what lies
between its tensor and the next one.
"""

import importlib.metadata
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

from servers.errors import ModelError
from servers.weights.facts import FileFacts, mentions_qat, types_in_words
from servers.weights.gguf_header import Header, Tensor, read_header
from servers.weights.gguf_promise import broken_promise
from servers.weights.hashing import files_of, template_sha256
from servers.wording import in_bytes

_PEOPLE = (".quantized_by", ".author", ".organization")
"""Ends of the metadata that name people, who may be called anything."""
_VAST = 1 << 50
"""Bytes: no file is as large, so a tensor that ends there is damage."""


class Typed(NamedTuple):
    """A tensor, with the name of its type and its size."""

    tensor: Tensor
    kind: str
    bytes: int

    @property
    def matrix(self) -> bool:
        """Vectors (norms, biases) are never quantized, and say nothing of the file."""
        return len(self.tensor.shape) > 1


def read(model: Path) -> FileFacts:
    """Read a GGUF, all parts of it where it is split; what is missing or damaged is unknown."""
    metadata: dict[str, Any] = {}
    weights: list[Typed] = []
    try:
        for file in files_of(model):
            header = read_header(file)
            check_whole(file, header)
            metadata = {
                **header.metadata,
                **metadata,
            }  # the first part has it all, the others little more than a number
            weights += typed(header)
    except (OSError, ModelError):
        return FileFacts()
    parameters, size = sum(one.tensor.elements for one in weights), sum(one.bytes for one in weights)
    bits = 8 * size / parameters if parameters else None
    name = file_type(metadata)
    return FileFacts(
        parameters=parameters or None,
        quantization=_quantization(name, weights),
        bits_per_weight=bits,
        qat=mentions_qat(_texts(metadata)),
        quantized_by=_text(metadata, "general.quantized_by"),
        broken_promise=broken_promise(model.name, name, [(one.tensor, one.kind) for one in weights], bits),
        chat_template_sha256=template_sha256(_text(metadata, "tokenizer.chat_template")),
    )


def sliding_window(model: Path) -> int | None:
    """Return through how many tokens some of a model's layers look back; None: all look at everything, or unknown."""
    try:
        metadata = read_header(files_of(model)[0]).metadata
    except (OSError, ModelError):
        return None
    found = (value for key, value in metadata.items() if key.endswith(".attention.sliding_window"))
    return next((value for value in found if isinstance(value, int) and value > 0), None)


def check_whole(file: Path, header: Header) -> None:
    """Hold the tensors of a GGUF file against its size; of types that are not known only where they begin.

    Raises:
        ModelError: It ends before its last tensor does.
    """
    needed = 0
    for tensor in header.tensors:
        least = _size(tensor)
        if least is None and known(tensor.kind):
            raise ModelError(f"{file} has a damaged header ({tensor.name} has broken rows)", remedy="fetch it again.")
        needed = max(needed, tensor.at + (bool(tensor.elements) if least is None else least))
    if needed > _VAST:
        raise ModelError(f"{file} has a damaged header (a tensor of {needed:.0e} bytes)", remedy="fetch it again.")
    if needed > header.size:
        has, needs = in_bytes(header.size, needed), in_bytes(needed, header.size)
        raise ModelError(f"{file} is {has}, its tensors need {needs}: its download was cut", remedy="fetch it again.")


def known(kind: int) -> bool:
    """Whether the gguf package knows a type of tensor."""
    return kind in set(GGMLQuantizationType)


def _size(tensor: Tensor) -> int | None:
    """Compute the bytes that a tensor takes; None where its type is unknown, or its rows do not fit it."""
    if not known(tensor.kind):
        return None
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType(tensor.kind)]
    return None if tensor.elements % block else tensor.elements // block * size


def typed(header: Header) -> list[Typed]:
    """Name the types of all tensors, and measure those of which the type says nothing by where the next one begins."""
    places = sorted({tensor.at for tensor in header.tensors} | {header.size})
    room = {begin: end - begin for begin, end in pairwise(places)}
    found = []
    for tensor in header.tensors:
        size = _size(tensor)
        kind = GGMLQuantizationType(tensor.kind).name if known(tensor.kind) else f"type {tensor.kind}"
        found.append(Typed(tensor, kind, room.get(tensor.at, 0) if size is None else size))
    return found


def _quantization(name: str | None, weights: Iterable[Typed]) -> str | None:
    """Put the types into words, and say of those without a name who does not know them."""
    matrices = [one for one in weights if one.matrix]
    words = types_in_words(name, Counter(one.kind for one in matrices))
    strange = sorted({one.tensor.kind for one in matrices if not known(one.tensor.kind)})
    if not strange or words is None:
        return words
    numbers = ", ".join(map(str, strange))
    return f"{words}; type {numbers} is unknown to gguf {importlib.metadata.version('gguf')}"


def file_type(metadata: dict[str, Any]) -> str | None:
    """Name the quantization that a file was asked for; None where it says none, or one of a later llama.cpp."""
    number = metadata.get("general.file_type")
    if type(number) is not int or number not in set(LlamaFileType):  # none, or one of a later llama.cpp
        return None
    name = LlamaFileType(number).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    return None if name == "GUESSED" else str(name)


def _text(metadata: dict[str, Any], key: str) -> str | None:
    value = metadata.get(key)
    return value.strip() or None if isinstance(value, str) else None


def _texts(metadata: dict[str, Any]) -> list[str]:
    """List what the file says of its weights."""
    values = [value for key, value in metadata.items() if key.startswith("general.") and not key.endswith(_PEOPLE)]
    return [text for value in values for text in (value if isinstance(value, list) else [value]) if type(text) is str]

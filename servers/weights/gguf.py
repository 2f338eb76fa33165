"""Read the header of a GGUF file: types and number of its weights, and what its metadata hold.

The layout is that of ggml's docs/gguf.md, versions 2 and 3, little-endian. The header is walked here, as gguf's own
reader makes an object of each of a vocabulary's tokens (12 s for Gemma's 262,144, measured; 0.1 s here) and never comes
to an end where a damaged file claims an array of 2^60 bytes. Names and sizes of the types are gguf's.
"""

import math
import mmap
import struct
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

from servers.weights.facts import FileFacts, mentions_qat, types_in_words
from servers.weights.hashing import files_of, template_sha256

_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_SCALARS = {
    kind: struct.Struct(f"<{form}")
    for kind, form in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
_TEXT, _ARRAY = 8, 9
_MAX_HEADER = 1 << 27
"""Bytes: the largest vocabularies take a quarter of it, and a damaged file is given up in seconds."""
_MAX_LIST = 64
"""Longer lists of texts are vocabularies, not metadata."""
_MAX_DIMENSIONS = 8
_ALIGNMENT = 32


class _Tensor(NamedTuple):
    kind: str
    elements: int
    bytes: int
    matrix: bool
    """Vectors (norms, biases) are never quantized, and say nothing of the file."""


def read(model: Path) -> FileFacts:
    """Read a GGUF, all parts of it where it is split; what is missing, damaged or of an unknown type is unknown."""
    metadata: dict[str, Any] = {}
    tensors: list[_Tensor] = []
    try:
        for file in files_of(model):
            pairs, infos = _header(file)
            metadata = {**pairs, **metadata}  # the first part has the metadata, the others little more than a number
            tensors += infos
    except (OSError, ValueError, OverflowError, struct.error, RecursionError):
        return FileFacts()
    parameters, size = sum(tensor.elements for tensor in tensors), sum(tensor.bytes for tensor in tensors)
    template = metadata.get("tokenizer.chat_template")
    return FileFacts(
        parameters=parameters or None,
        quantization=types_in_words(_file_type(metadata), Counter(t.kind for t in tensors if t.matrix)),
        bits_per_weight=8 * size / parameters if parameters else None,
        qat=mentions_qat(_texts(metadata)),
        chat_template_sha256=template_sha256(template if isinstance(template, str) else None),
    )


def _file_type(metadata: dict[str, Any]) -> str | None:
    number = metadata.get("general.file_type")
    if type(number) is not int or number not in set(LlamaFileType):  # none, or one of a later llama.cpp
        return None
    name = LlamaFileType(number).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    return None if name == "GUESSED" else str(name)


def _texts(metadata: dict[str, Any]) -> list[str]:
    values = [value for key, value in metadata.items() if key.startswith(("general.", "quantize."))]
    return [text for value in values for text in (value if isinstance(value, list) else [value]) if type(text) is str]


def _header(file: Path) -> tuple[dict[str, Any], list[_Tensor]]:
    """Read metadata and tensors of one file.

    Raises:
        OSError: It cannot be read.
        ValueError, OverflowError, struct.error, RecursionError: It is no whole GGUF, or has an unknown type.
    """
    size = file.stat().st_size
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), min(size, _MAX_HEADER), access=mmap.ACCESS_READ) as data:
        if data[:4] != b"GGUF":
            raise ValueError("no GGUF")
        walk = _Walk(data, 4)
        if walk.number(_U32) not in (2, 3):
            raise ValueError("a version of GGUF that is not known here")
        tensors, pairs = walk.number(_U64), walk.number(_U64)
        metadata = {walk.text(): walk.value(walk.number(_U32)) for _ in range(pairs)}
        infos = [_tensor(walk) for _ in range(tensors)]
        alignment = metadata.get("general.alignment", _ALIGNMENT)
        if type(alignment) is not int or alignment <= 0:
            raise ValueError("an alignment that is none")
        start = -(-walk.at // alignment) * alignment
    if any(start + offset + tensor.bytes > size for tensor, offset in infos):
        raise ValueError("the file ends before its last tensor")
    return metadata, [tensor for tensor, _ in infos]


def _tensor(walk: "_Walk") -> tuple[_Tensor, int]:
    """Read what stands of one tensor, and its offset into the data."""
    walk.text()
    dimensions = walk.number(_U32)
    if dimensions > _MAX_DIMENSIONS:
        raise ValueError("more dimensions than a tensor has")
    elements = math.prod(walk.number(_U64) for _ in range(dimensions))
    kind = GGMLQuantizationType(walk.number(_U32))
    block, size = GGML_QUANT_SIZES[kind]
    if elements % block:
        raise ValueError("a tensor of broken blocks")
    return _Tensor(kind.name, elements, elements // block * size, dimensions > 1), walk.number(_U64)


class _Walk:
    """A place in a header, and what is read from there on."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self.data, self.at = data, at

    def number(self, form: struct.Struct) -> Any:  # noqa: ANN401 - int, float or bool, as the form says
        (value,) = form.unpack_from(self.data, self.at)
        self.at += form.size
        return value

    def text(self) -> str:
        length = self.number(_U64)
        raw = self.data[self.at : self.at + length]
        if len(raw) < length:
            raise ValueError("the file ends in a text")
        self.at += length
        return raw.decode()

    def value(self, kind: int) -> Any:  # noqa: ANN401 - of the type that the file says
        """Read a value; a list that is no short list of texts is passed over: None."""
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _TEXT:
            return self.text()
        if kind != _ARRAY:
            raise ValueError("a type of value that is not known here")
        inner, length = self.number(_U32), self.number(_U64)
        if inner == _TEXT and length <= _MAX_LIST:
            return [self.text() for _ in range(length)]
        if inner in _SCALARS:
            self.at += _SCALARS[inner].size * length
        elif inner == _TEXT:
            self._pass_texts(length)
        else:
            for _ in range(length):
                self.value(inner)
        return None

    def _pass_texts(self, count: int) -> None:
        data, at, length = self.data, self.at, _U64.unpack_from
        for _ in range(count):
            at += 8 + length(data, at)[0]
        self.at = at

"""The tensors of a GGUF, dequantized by the gguf package."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

from evaluator.fidelity.tensors import Model, Tensor, rows_at_once
from servers.errors import ModelError
from servers.weights import gguf
from servers.weights.gguf_header import Header, read_header
from servers.weights.hashing import files_of

if TYPE_CHECKING:
    from evaluator.fidelity.tensors import Slices

_AGAIN = "fetch it again."


def open_gguf(path: Path) -> Model:
    """Read the headers of all parts of a GGUF.

    Raises:
        ModelError: A part is damaged, or a tensor stands there twice.
        OSError: It cannot be read.
    """
    files = files_of(path)
    headers = [read_header(file) for file in files]
    tensors: dict[str, Tensor] = {}
    for file, header in zip(files, headers, strict=True):
        for tensor in _tensors(file, header):
            if tensor.name in tensors:
                raise ModelError(f"{file} has a damaged header (two tensors {tensor.name!r})", remedy=_AGAIN)
            tensors[tensor.name] = tensor
    metadata = headers[0].metadata
    says = {
        "its name": path.name,
        "general.name": metadata.get("general.name"),
        "general.file_type": gguf.file_type(metadata),
    }
    return Model(
        path=path,
        form="GGUF",
        architecture=str(metadata.get("general.architecture", "unknown")),
        size=sum(header.size for header in headers),
        facts=gguf.read(path),
        tensors=tensors,
        says={where: what for where, what in says.items() if isinstance(what, str)},
    )


def _tensors(file: Path, header: Header) -> list[Tensor]:
    found = []
    for tensor, kind, size in gguf.typed(header):
        known = GGMLQuantizationType(tensor.kind) if gguf.known(tensor.kind) else None
        row = tensor.shape[0] if tensor.shape else 1
        if known is not None and row % GGML_QUANT_SIZES[known][0]:
            problem = f"{file} has a damaged header (rows of {row} in {tensor.name!r}, which is {kind})"
            raise ModelError(problem, remedy=_AGAIN)
        readable = known is not None and _readable(known)
        slices = (
            partial(_slices, file, tensor.at, tensor.shape, GGMLQuantizationType(tensor.kind)) if readable else None
        )
        found.append(Tensor(tensor.name, kind, tensor.shape, size, slices))
    return found


def _readable(kind: GGMLQuantizationType) -> bool:
    """Whether the gguf package dequantizes a type: tried on one block of zeros."""
    if kind.name.startswith("I") and kind.name[1:].isdigit():
        return False
    try:
        with np.errstate(all="ignore"):
            dequantize(np.zeros((1, GGML_QUANT_SIZES[kind][1]), np.uint8), kind)
    except NotImplementedError:
        return False
    return True


def _slices(file: Path, at: int, shape: tuple[int, ...], kind: GGMLQuantizationType) -> "Slices":
    block, size = GGML_QUANT_SIZES[kind]
    row = shape[0] if shape else 1
    rows = int(np.prod(shape[1:], dtype=np.int64)) if shape else 1
    step = rows_at_once(shape)
    with file.open("rb") as stream:  # a memory map would count as memory
        stream.seek(at)
        for start in range(0, rows if row else 0, step):
            count = min(step, rows - start)
            raw = np.fromfile(stream, np.uint8, count * (row // block * size))
            with np.errstate(all="ignore"):
                yield dequantize(raw.reshape(count, -1), kind).reshape(-1)

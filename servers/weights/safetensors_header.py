"""Read the header of a safetensors file, after huggingface/safetensors' README: 8 bytes of length, then JSON."""

import math
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from servers.errors import ModelError
from servers.weights.mistaken import mistaken
from servers.wording import in_bytes

_MAX_HEADER = 100_000_000
"""Bytes, the safetensors library's own limit."""
_Count = Annotated[int, Meta(ge=0)]


class Entry(Struct, frozen=True):
    """A tensor in the header of a safetensors file."""

    dtype: str
    shape: tuple[_Count, ...]
    data_offsets: tuple[_Count, _Count]

    @property
    def elements(self) -> int:
        """Count its numbers."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Measure it."""
        return self.data_offsets[1] - self.data_offsets[0]


def read_entries(file: Path) -> dict[str, Entry]:
    """Read which tensors a file holds, and hold them against its size.

    Raises:
        OSError: It cannot be read.
        ModelError: It is no safetensors file, or not whole; in one sentence.
    """
    again = "fetch the model again."
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(64)
        length = int.from_bytes(head[:8], "little")
        if size < 8 or not head[8:].lstrip().startswith(b"{"):
            what, remedy = mistaken(head)
            what = "is no safetensors file" if "GGUF" in what else what
            raise ModelError(f"{file} {what}", remedy=remedy)
        if length > _MAX_HEADER:
            raise ModelError(f"{file} has a damaged header (of {in_bytes(length)})", remedy=again)
        if 8 + length > size:
            problem = f"{file} is {in_bytes(size)} and ends inside its header: its download was cut"
            raise ModelError(problem, remedy=again)
        stream.seek(8)
        entries = _decoded(file, stream.read(length))
    needed = 8 + length + max((entry.data_offsets[1] for entry in entries.values()), default=0)
    if needed > size:
        has, needs = in_bytes(size, needed), in_bytes(needed, size)
        raise ModelError(f"{file} is {has}, its tensors need {needs}: its download was cut", remedy=again)
    return entries


def data_start(file: Path) -> int:
    """Return where the numbers begin, in bytes, in a file whose header was read."""
    with file.open("rb") as stream:
        return 8 + int.from_bytes(stream.read(8), "little")


def _decoded(file: Path, raw: bytes) -> dict[str, Entry]:
    try:
        header = msgspec.json.decode(raw, type=dict[str, Any])
        header.pop("__metadata__", None)
        entries = msgspec.convert(header, dict[str, Entry])
    except (ValueError, RecursionError, msgspec.DecodeError) as error:
        raise ModelError(f"{file} has a damaged header ({error})", remedy="fetch the model again.") from error
    for name, entry in entries.items():
        # No number takes less than a bit: what claims more elements than that is damaged.
        if not entry.elements <= 8 * entry.bytes:
            problem = f"{file} has a damaged header ({name!r} does not fit into its bytes)"
            raise ModelError(problem, remedy="fetch the model again.")
    return entries

"""Read the header of a GGUF file: its metadata, and where each of its tensors lies.

The layout is that of ggml's docs/gguf.md, versions 2 and 3, little-endian. The header is walked here, as gguf's own
reader makes an object of each of a vocabulary's tokens (12 s for Gemma's 262,144, measured; 0.1 s here), never comes
to an end where a damaged file claims an array of 2^60 bytes, and gives up at the first type of tensor that it does not
know.
"""

import math
import mmap
import struct
from pathlib import Path
from typing import Any, NamedTuple

from servers.errors import LaterVersionError, ModelError
from servers.weights.mistaken import mistaken
from servers.wording import in_bytes

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
_NEWEST = 255
"""Numbers above are no version, but damage; that of a file for other processors is above, too."""


class Tensor(NamedTuple):
    """What a header holds of a tensor."""

    name: str
    shape: tuple[int, ...]
    """Longest stride last: the first is the length of a row."""
    kind: int
    """Number of its type, known here or not."""
    at: int
    """Where it begins, in bytes from the beginning of the file."""

    @property
    def elements(self) -> int:
        """Count its numbers."""
        return math.prod(self.shape)


class Header(NamedTuple):
    """What a GGUF file holds besides the numbers of its tensors."""

    metadata: dict[str, Any]
    """A list that is no short list of texts is None."""
    tensors: tuple[Tensor, ...]
    size: int
    """Bytes of the whole file."""


def read_header(file: Path) -> Header:
    """Read the header of one file.

    Raises:
        OSError: It cannot be read.
        LaterVersionError: It is of a later version of GGUF.
        ModelError: It is no GGUF, or its header is not whole; in one sentence.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(64)
        if head[:4] != b"GGUF":
            what, remedy = mistaken(head)
            raise ModelError(f"{file} {what}", remedy=remedy)
        with mmap.mmap(stream.fileno(), min(size, _MAX_HEADER), access=mmap.ACCESS_READ) as data:
            try:
                return _walked(file, _Walk(data, 4), size)
            except EOFError as error:
                short = size <= _MAX_HEADER
                cut = f"{file} is {in_bytes(size)} and ends inside its header: its download was cut, or it is damaged"
                problem = cut if short else f"{file} has a damaged header"
                raise ModelError(problem, remedy="fetch it again.") from error
            except (ValueError, RecursionError) as error:
                why = str(error) if isinstance(error, ValueError) else "lists within lists"
                raise ModelError(f"{file} has a damaged header ({why})", remedy="fetch it again.") from error


def _walked(file: Path, walk: "_Walk", size: int) -> Header:
    _check_version(file, walk.number(_U32))
    count, pairs = walk.number(_U64), walk.number(_U64)
    metadata = {walk.text(): walk.value(walk.number(_U32)) for _ in range(pairs)}
    tensors = [_tensor(walk) for _ in range(count)]
    alignment = metadata.get("general.alignment", _ALIGNMENT)
    if type(alignment) is not int or alignment <= 0:
        raise ValueError("its alignment is no number above 0")
    start = -(-walk.at // alignment) * alignment
    return Header(metadata, tuple(tensor._replace(at=start + tensor.at) for tensor in tensors), size)


def _check_version(file: Path, version: int) -> None:
    if version in (2, 3):
        return
    if version == 1:
        raise ModelError(f"{file} is of GGUF version 1, which llama.cpp reads no longer", remedy="convert it again.")
    if 0 < version <= _NEWEST:
        raise LaterVersionError(f"{file} is of GGUF version {version}, which is not known here", remedy="update.")
    if int.from_bytes(version.to_bytes(4, "little"), "big") in (1, 2, 3):
        problem = f"{file} is a GGUF for big-endian machines"
        raise ModelError(problem, remedy="fetch the usual one, or turn it round with gguf-convert-endian.")
    raise ModelError(f"{file} has a damaged header (its version is {version})", remedy="fetch it again.")


def _tensor(walk: "_Walk") -> Tensor:
    """Read what the header has of one tensor; its place is counted from the first one's."""
    name, dimensions = walk.text(), walk.number(_U32)
    if dimensions > _MAX_DIMENSIONS:
        raise ValueError(f"a tensor of {dimensions} dimensions")
    shape = tuple(walk.number(_U64) for _ in range(dimensions))
    return Tensor(name, shape, walk.number(_U32), walk.number(_U64))


class _Walk:
    """A place in a header, and what is read from there on."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self.data, self.at = data, at

    def number(self, form: struct.Struct) -> Any:  # noqa: ANN401 - int, float or bool, as the form says
        end = self.at + form.size
        if end > len(self.data):
            raise EOFError
        (value,) = form.unpack_from(self.data, self.at)
        self.at = end
        return value

    def text(self) -> str:
        """Read a text; bytes that are none are replaced, as llama.cpp does not mind them."""
        length = self.number(_U64)
        self._pass(length)
        return self.data[self.at - length : self.at].decode(errors="replace")

    def value(self, kind: int) -> Any:  # noqa: ANN401 - of the type that the file says
        """Read a value; a list that is no short list of texts is passed over: None."""
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _TEXT:
            return self.text()
        if kind != _ARRAY:
            raise ValueError(f"a value of type {kind}")
        inner, length = self.number(_U32), self.number(_U64)
        if inner == _TEXT and length <= _MAX_LIST:
            return [self.text() for _ in range(length)]
        if inner in _SCALARS:
            self._pass(_SCALARS[inner].size * length)
        elif inner == _TEXT:
            self._pass_texts(length)
        else:
            for _ in range(length):
                self.value(inner)
        return None

    def _pass(self, length: int) -> None:
        self.at += length
        if self.at > len(self.data):
            raise EOFError

    def _pass_texts(self, count: int) -> None:
        data, at, length = self.data, self.at, _U64.unpack_from
        try:
            for _ in range(count):
                at += 8 + length(data, at)[0]
        except (struct.error, OverflowError) as error:  # OverflowError: a place beyond any file
            raise EOFError from error
        self.at = at
        self._pass(0)

"""Memory of processes on macOS, by libproc, which lets a user ask about processes of their own without root.

The resident memory of a process has neither what Metal holds for it nor what was compressed; its footprint has both,
and the kernel keeps the largest. The footprint leaves out unchanged pages of mapped files, though, and llama.cpp maps
its weights: those are added. Names and layouts: xnu, bsd/sys/resource.h and bsd/sys/proc_info.h.
"""

import ctypes
import functools
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from struct import unpack_from
from typing import Any, Protocol

_RUSAGE_INFO_V4 = 4
_RUSAGE_BYTES = 296
_LARGEST_FOOTPRINT = 240
"""Where `ri_lifetime_max_phys_footprint` lies in `rusage_info_v4`."""
_REGION_WITH_PATH = 8
"""PROC_PIDREGIONPATHINFO."""
_REGION_BYTES = 1272
_RESIDENT, _CHANGED, _ADDRESS, _PATH = 36, 48, 80, 248
"""Where these lie in `proc_regionwithpathinfo`: numbers of pages, address and size, path."""
_WEIGHTS = (".gguf", ".safetensors")
_OLLAMA_BLOB = "sha256-"
_MOST_REGIONS = 100_000


class LibProc(Protocol):
    """What is called of libproc."""

    def proc_pid_rusage(self, pid: int, flavor: int, buffer: Any, /) -> int:  # noqa: ANN401 - ctypes
        """Fill the buffer; 0 where that worked."""

    def proc_pidinfo(self, pid: int, flavor: int, argument: Any, buffer: Any, size: int, /) -> int:  # noqa: ANN401
        """Fill the buffer and return its length; 0 where there is nothing."""


@functools.cache
def libproc() -> LibProc:
    """Load the library."""
    library: LibProc = ctypes.CDLL("/usr/lib/libproc.dylib")
    return library


def memory_of(pids: Sequence[int], library: LibProc, page: int) -> int | None:
    """Return the bytes that these processes take together; None where none of them can be looked into.

    Args:
        pids: Process ids.
        library: libproc.
        page: Bytes of a page of memory.
    """
    footprints = [known for pid in pids if (known := _largest_footprint(pid, library)) is not None]
    if not footprints:
        return None
    weights: dict[str, int] = {}
    for pid in pids:
        for path, pages in _mapped_weights(pid, library).items():
            weights[path] = max(weights.get(path, 0), pages)
    return sum(footprints) + page * sum(weights.values())


def _largest_footprint(pid: int, library: LibProc) -> int | None:
    buffer = ctypes.create_string_buffer(_RUSAGE_BYTES)
    if library.proc_pid_rusage(pid, _RUSAGE_INFO_V4, buffer):
        return None
    return int(unpack_from("=Q", buffer.raw, _LARGEST_FOOTPRINT)[0])


def _mapped_weights(pid: int, library: LibProc) -> dict[str, int]:
    """Return for each file of weights that a process maps how many of its unchanged pages are in memory."""
    found: dict[str, int] = {}
    for path, pages in _regions(pid, library):
        name = PurePath(path).name
        if name.endswith(_WEIGHTS) or name.startswith(_OLLAMA_BLOB):
            found[path] = found.get(path, 0) + pages
    return found


def _regions(pid: int, library: LibProc) -> Iterator[tuple[str, int]]:
    address = 0
    for _ in range(_MOST_REGIONS):
        buffer = ctypes.create_string_buffer(_REGION_BYTES)
        length = library.proc_pidinfo(pid, _REGION_WITH_PATH, ctypes.c_uint64(address), buffer, _REGION_BYTES)
        if length < _REGION_BYTES:
            return
        raw = buffer.raw
        (resident,), (changed,) = unpack_from("=I", raw, _RESIDENT), unpack_from("=I", raw, _CHANGED)
        begins, size = unpack_from("=QQ", raw, _ADDRESS)
        if begins + size <= address:
            return
        address = begins + size
        yield raw[_PATH:].partition(b"\0")[0].decode(errors="replace"), max(0, resident - changed)

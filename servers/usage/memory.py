"""The memory of a server's processes together, on Linux and macOS.

What is mapped from a file, as llama.cpp maps its weights, counts once however many of the processes map it. The guard,
which only holds the life line, is left out, and so is llama-server's router, which has no model of its own.
"""

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from servers.spec import Server

if TYPE_CHECKING:
    import psutil

LINUX = "of its processes together, pages in swap included; what they map from a file counts once"
MAC = (
    "of its processes together, what Metal holds for them included (their largest footprint since they were started),"
    " and the pages of weights that they map from a file, once"
)
HOW = MAC if sys.platform == "darwin" else LINUX


class Mapped(NamedTuple):
    """What one process maps from one file, or from none."""

    path: str
    resident: int
    own: int
    """Of `resident` what is no page of a file, or a changed copy of one; with what of it is in swap."""


def processes(server: Server) -> list["psutil.Process"]:
    """Return the processes of a server that we started; none where it has ended, or was started by others."""
    import psutil  # noqa: PLC0415 - heavy

    if server.pid is None:
        return []
    try:
        found = psutil.Process(server.pid).children(recursive=True)
    except psutil.Error:
        return []
    return _with_alias(found, server.model) if is_routed(server) else found


def is_routed(server: Server) -> bool:
    """Whether it is one of several models below llama-server's router."""
    return "--models-preset" in server.command


def _with_alias(found: Sequence["psutil.Process"], model: str) -> list["psutil.Process"]:
    """Keep the processes that serve this model."""
    import psutil  # noqa: PLC0415 - heavy

    kept = []
    for process in found:
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if ("--alias", model) in pairwise(words):
            kept += [process, *process.children(recursive=True)]
    return kept


def memory_of(found: Sequence["psutil.Process"]) -> int | None:
    """Return the bytes that these processes take together now; None where none of them can be looked into.

    Takes about 10 ms, and more for servers with much memory: 30 ms for each GB in small pages.
    """
    if sys.platform == "darwin":
        from servers.usage import mac_memory  # noqa: PLC0415 - of no use elsewhere

        return mac_memory.memory_of(
            [process.pid for process in found], mac_memory.libproc(), os.sysconf("SC_PAGE_SIZE")
        )
    return together([maps for process in found if (maps := _maps(process)) is not None])


def together(processes: Sequence[Sequence[Mapped]]) -> int | None:
    """Add up the memory of processes: of each file the most that one of them maps, and all that is their own."""
    if not processes:
        return None
    files: dict[str, int] = {}
    own = 0
    for maps in processes:
        for mapped in maps:
            own += mapped.own
            files[mapped.path] = max(files.get(mapped.path, 0), mapped.resident)
    return own + sum(files.values())


def _maps(process: "psutil.Process") -> list[Mapped] | None:
    import psutil  # noqa: PLC0415 - heavy

    try:
        maps = process.memory_maps(grouped=True)
    except (psutil.Error, OSError):
        return None
    return [Mapped(one.path, max(0, one.rss - one.anonymous), one.anonymous + one.swap) for one in maps]

"""The memory of a server's processes together, on Linux and macOS.

What is mapped from a file, as llama.cpp maps its weights, counts once however many of the processes map it. The guard,
which only holds the life line, is left out, and so is llama-server's router, which has no model of its own.
"""

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from servers.http import trusts_environment
from servers.spec import RuntimeName, Server

if TYPE_CHECKING:
    import psutil

LINUX = "of its processes together, pages in swap included; what they map from a file counts once"
MAC = (
    "of its processes together, what Metal holds for them included (their largest footprint since they were started),"
    " and the pages of weights that they map from a file, once"
)
HOW = MAC if sys.platform == "darwin" else LINUX
_PROGRAMS: dict[RuntimeName, str] = {
    "llama_server": "llama",
    "mlx_lm": "mlx_lm",
    "omlx": "omlx",
    "ollama": "ollama",
    "vllm": "vllm",
}
"""What the name of each runtime's program contains. LM Studio's process is its whole window."""


class Mapped(NamedTuple):
    """What one process maps from one file, or from none."""

    path: str
    resident: int
    own: int
    """Of `resident` what is no page of a file, or a changed copy of one; with what of it is in swap."""


def processes(server: Server) -> list["psutil.Process"]:
    """Return the processes of a server: of one that we started, or that runs on this machine as the user's own.

    Empty where they are not known, or it has ended. Of several models below one router only the one that is asked.
    """
    import psutil  # noqa: PLC0415 - heavy

    try:
        if server.pid is not None:
            found = psutil.Process(server.pid).children(recursive=True)
        else:
            found = [one for top in _listening(server) for one in (top, *top.children(recursive=True))]
    except psutil.Error:
        return []
    own = _with_alias(found, server.model)
    return own if own or "--models-preset" in server.command else found


def _listening(server: Server) -> list["psutil.Process"]:
    """Find the process of the user's own that listens at a server's address on this machine, and is such a program.

    What listens there may be a tunnel or a proxy of any kind, with the model elsewhere: only a program of the runtime's
    name is taken for the server.
    """
    import psutil  # noqa: PLC0415 - heavy

    word, port = _PROGRAMS.get(server.spec.runtime), urlsplit(server.base_url).port
    if word is None or port is None or trusts_environment(server.base_url):
        return []
    found = []
    for process in psutil.process_iter():
        try:
            if process.uids().real == os.getuid() and word in _program(process.cmdline()):
                listens = (one.laddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN)
                found += [process] if port in listens else []
        except psutil.Error:
            continue
    return found if len(found) == 1 else []


def _program(words: Sequence[str]) -> str:
    """Return the name of what runs: a program, or what Python runs, which is its first word that is no option."""
    names = [PurePath(word).name.lower() for word in words]
    if not names or not names[0].startswith("python"):
        return names[0] if names else ""
    return next((name for name in names[1:] if not name.startswith("-")), "")


def _with_alias(found: Sequence["psutil.Process"], model: str) -> list["psutil.Process"]:
    """Keep the processes that serve this model by the name that llama-server was given for it."""
    import psutil  # noqa: PLC0415 - heavy

    kept: dict[int, psutil.Process] = {}
    for process in found:
        try:
            if ("--alias", model) in pairwise(process.cmdline()):
                kept |= {one.pid: one for one in (process, *process.children(recursive=True))}
        except psutil.Error:
            continue
    return list(kept.values())


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

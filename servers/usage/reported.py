"""What servers say themselves of what they take: llama.cpp of its KV cache, Ollama of its memory."""

from collections.abc import Iterator
from typing import NamedTuple

from servers.runtime import ollama
from servers.runtime.llama_log import cache_bytes
from servers.spec import RuntimeName, Server

_LOGS_IT: frozenset[RuntimeName] = frozenset({"llama_server", "ollama"})
"""llama.cpp's server, and Ollama, which has one below it. mlx_lm and oMLX, whose caches grow, say it nowhere."""
_LONGEST_LINE = 1 << 16


def kv_cache_bytes(server: Server) -> int | None:
    """Return what the log of a server that we started says of its KV cache, of all slots together.

    llama-server says it where `ServerSpec.verbose` or a type of cache is set; read it soon after the start, as such a
    log gets long.

    Raises:
        OSError: The log cannot be read.
    """
    if server.log is None or server.spec.runtime not in _LOGS_IT or not server.log.exists():
        return None
    return cache_bytes(_lines(server))


def _lines(server: Server) -> Iterator[bytes]:
    if server.log is None:
        return
    with server.log.open("rb") as log:
        log.seek(server.log_start)
        while line := log.readline(_LONGEST_LINE):
            yield line


class Reported(NamedTuple):
    """The memory of a model, by its server's own word."""

    memory: int
    """Bytes of the machine's memory."""
    graphics: int
    """Bytes of graphics memory, which on a Mac is the machine's, too."""
    how: str


async def self_reported(server: Server) -> Reported | None:
    """Ask a server how much memory the model takes; None where its kind does not say."""
    if server.spec.runtime != "ollama" or (held := await ollama.held_bytes(server)) is None:
        return None
    return Reported(*held, "by Ollama's own word (/api/ps), which is its estimate")

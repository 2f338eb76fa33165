"""The size of a server's KV cache, where it says that itself."""

from collections.abc import Iterator

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

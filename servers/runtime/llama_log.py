"""What llama.cpp writes into its log."""

import re

_CACHE = re.compile(rb"llama_kv_cache: size.*?K \((\w+)\).*?V \((\w+)\)")


def cache_type(log: bytes) -> str | None:
    """Return the type of the first KV cache that is logged: `q8_0`, or `q8_0/f16` where keys and values differ."""
    line = _CACHE.search(log)
    return "/".join(dict.fromkeys(kind.decode() for kind in line.groups())) if line else None

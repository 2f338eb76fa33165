"""What llama.cpp writes into its log."""

import re

_CACHE = re.compile(rb"llama_kv_cache: size.*?K \((\w+)\).*?V \((\w+)\)")


def cache_type(log: bytes) -> str | None:
    """Return the type of the first KV cache that is told of: `q8_0`, or `q8_0/f16` where keys and values differ."""
    found = _CACHE.search(log)
    return "/".join(dict.fromkeys(kind.decode() for kind in found.groups())) if found else None

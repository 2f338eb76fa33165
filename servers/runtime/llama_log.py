"""What llama.cpp writes into its log."""

import re
from collections.abc import Iterable

_CACHE = re.compile(rb"llama_kv_cache: size.*?K \((\w+)\).*?V \((\w+)\)")
_SIZE = re.compile(rb"llama_kv_cache: size = +([\d.]+) MiB")
_LOADING = b"loading model '"
_TRIED, _FITS = b"fitting params to device memory", b"fitting params to free memory took"
"""Around a first try without weights, to see what fits into memory: some builds log its caches, too."""


def cache_type(log: bytes) -> str | None:
    """Return the type of the first KV cache that is logged: `q8_0`, or `q8_0/f16` where keys and values differ."""
    line = _CACHE.search(log)
    return "/".join(dict.fromkeys(kind.decode() for kind in line.groups())) if line else None


def cache_bytes(lines: Iterable[bytes]) -> int | None:
    """Add up the KV caches that were made when the model was loaded last; None where none is logged.

    Layers with a sliding window have a cache of their own, and so has a draft model.
    """
    total, tried = 0.0, False
    for line in lines:
        if _LOADING in line:
            total, tried = 0.0, False
        elif _TRIED in line:
            tried = True
        elif _FITS in line:
            tried = False
        elif not tried and (size := _SIZE.search(line)):
            total += float(size[1])
    return round(total * 2**20) or None

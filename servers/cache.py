"""Where whichquant keeps what can be had again: digests, fetched models, logs."""

import os
from pathlib import Path

import platformdirs


def user_cache() -> Path:
    """Return the cache folder: `WHICHQUANT_CACHE`, or the user's cache directory."""
    return Path(os.environ.get("WHICHQUANT_CACHE") or platformdirs.user_cache_dir("whichquant"))

"""TODO: servers/cache.py."""

import os
from pathlib import Path

import platformdirs


def user_cache() -> Path:
    """Return the folder for what can be had again: `WHICHQUANT_CACHE`, or the user's cache directory."""
    return Path(os.environ.get("WHICHQUANT_CACHE") or platformdirs.user_cache_dir("whichquant"))

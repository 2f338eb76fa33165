"""What was found of a server on this machine in an earlier run: how many questions in flight it answers fastest."""

import hashlib
from contextlib import suppress
from pathlib import Path

import msgspec

from evaluator.store.folder import write
from evaluator.store.serving import InFlight
from servers.cache import user_cache
from servers.spec import ServerFacts

_MOST_KEPT = 200
_FORM = 1


def key_of(facts: ServerFacts, *, most: int, together: int) -> str:
    """Identify a server by what its best number depends on: machine, runtime and its version, model, KV cache.

    Args:
        facts: What is known of it.
        most: The largest number in flight that could be tried.
        together: How many servers are asked at the same time.
    """
    model = facts.model_sha256 or (facts.model_path or facts.model_id, facts.model_bytes)
    cache = facts.kv_cache if facts.command else None  # the log of one that runs already is not at hand
    matters = [_FORM, facts.machine, facts.runtime, facts.version, model, cache, facts.context, most, together]
    return hashlib.sha256(msgspec.json.encode(matters)).hexdigest()[:20]


def remembered(key: str) -> InFlight | None:
    """Return what was found before; None where nothing was, or what is kept is damaged."""
    return _read().get(key)


def remember(key: str, found: InFlight | None) -> None:
    """Keep what was found for the next run, or forget it; a cache that cannot be written is no error."""
    everything = {name: value for name, value in _read().items() if name != key}
    if found is not None:
        everything[key] = found
    newest = dict(list(everything.items())[-_MOST_KEPT:])
    with suppress(OSError):
        _path().parent.mkdir(parents=True, exist_ok=True)
        write(_path(), msgspec.json.encode(newest))


def _path() -> Path:
    return user_cache() / "in_flight.json"


def _read() -> dict[str, InFlight]:
    try:
        return msgspec.json.decode(_path().read_bytes(), type=dict[str, InFlight])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}

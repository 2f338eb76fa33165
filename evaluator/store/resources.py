"""What was measured of the servers of a run beside their answers: memory, load time, energy, speed of one request."""

from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from evaluator.records import Alone
from evaluator.store.folder import read_by_variant, resources_path, write
from servers.spec import Usage


class Measured(Struct, frozen=True, kw_only=True):
    """What was measured of one variant's server."""

    usage: Usage = Usage()
    alone: Alone | None = None
    """None where it was not tried before its questions."""
    asked_s: float = 0.0
    """Seconds, with questions in flight, over which `usage.energy_j` was measured, over all its starts."""


def read_measured(folder: Path) -> dict[str, Measured]:
    """Read what was measured of the servers of a run, by variant; of an earlier version's run nothing."""
    return read_by_variant(resources_path(folder), Measured)


def keep_measured(folder: Path, variant: str, measured: Measured) -> None:
    """Write down what was measured of one variant's server, together with what was measured of it before.

    Raises:
        StudyError: What was written before is damaged.
        OSError: It cannot be written.
    """
    everything = read_measured(folder)
    everything[variant] = together(everything.get(variant, Measured()), measured)
    write(resources_path(folder), msgspec.json.format(msgspec.json.encode(everything), indent=2))


def together(before: Measured, now: Measured) -> Measured:
    """Put two measurements of one variant together: the first load time, the most memory, the sum of the energy.

    Of energy that was measured of different things only the newest counts: a sum would be of neither.
    """
    first, last = before.usage, now.usage
    memory = max(first, last, key=lambda usage: usage.memory_bytes or 0)
    graphics = max(first, last, key=lambda usage: usage.gpu_bytes or 0)
    usage = Usage(
        load_s=last.load_s if first.load_s is None else first.load_s,
        memory_bytes=memory.memory_bytes,
        memory_how=memory.memory_how,
        gpu_bytes=graphics.gpu_bytes,
        gpu_how=graphics.gpu_how,
        kv_cache_bytes=first.kv_cache_bytes if last.kv_cache_bytes is None else last.kv_cache_bytes,
    )
    counted = [one for one in (before, now) if one.usage.energy_j is not None]
    alike = [one for one in counted if one.usage.energy_of == counted[-1].usage.energy_of]
    if alike:
        joules = sum(one.usage.energy_j or 0.0 for one in alike)
        usage = replace(usage, energy_j=joules, energy_of=alike[-1].usage.energy_of)
    return Measured(
        usage=usage,
        alone=before.alone if now.alone is None else now.alone,
        asked_s=sum(one.asked_s for one in alike),
    )

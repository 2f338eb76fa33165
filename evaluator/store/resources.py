"""What was measured of the servers of a run beside their answers: memory, load time, energy, speed of one request."""

from pathlib import Path

import msgspec
from msgspec import Struct

from evaluator.records import Alone
from evaluator.store.folder import read_by_variant, resources_path, write
from servers.spec import Usage


class Measured(Struct, frozen=True, kw_only=True):
    """What was measured of one variant's server."""

    usage: Usage = Usage()
    alone: Alone | None = None
    """None where it was not tried before its questions."""
    asked_s: float = 0.0
    """Seconds in which questions were in flight, over all its starts: what `usage.energy_j` was measured over."""


def read_measured(folder: Path) -> dict[str, Measured]:
    """Read what was measured of the servers of a run, by variant; of an earlier version's run nothing."""
    return read_by_variant(resources_path(folder), Measured)


def keep_measured(folder: Path, variant: str, measured: Measured) -> None:
    """Write down what was measured of one variant's server, in place of what was there."""
    everything = {**read_measured(folder), variant: measured}
    write(resources_path(folder), msgspec.json.format(msgspec.json.encode(everything), indent=2))

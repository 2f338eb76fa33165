"""What was measured of the builds' fidelity, as a run's folder keeps it: `fidelity.json` and `partings.json`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from evaluator.fidelity.nouns import Fidelity
from evaluator.fidelity.parting import Parting
from evaluator.store.folder import fidelity_path, partings_path, read_json, write

_Kept = TypeVar("_Kept")


def read_fidelity(folder: Path) -> Fidelity | None:
    """Read what was measured of the fidelity of a run's builds; None where nothing was.

    Raises:
        StudyError: The file is damaged.
    """
    return _read(fidelity_path(folder), Fidelity)


def keep_fidelity(folder: Path, fidelity: Fidelity) -> None:
    """Write down what was measured, in place of what was written before; the folder exists.

    Raises:
        OSError: It cannot be written.
    """
    write(fidelity_path(folder), msgspec.json.format(msgspec.json.encode(fidelity), indent=2))


def read_partings(folder: Path) -> tuple[Parting, ...]:
    """Read where answers part that flip, with the probabilities there; empty where no server was asked.

    Raises:
        StudyError: The file is damaged.
    """
    return _read(partings_path(folder), tuple[Parting, ...]) or ()


def keep_partings(folder: Path, partings: Sequence[Parting]) -> None:
    """Write down where answers part, in place of what was written before; the folder exists.

    Raises:
        OSError: It cannot be written.
    """
    write(partings_path(folder), msgspec.json.format(msgspec.json.encode(partings), indent=2))


def _read(path: Path, kind: type[_Kept]) -> _Kept | None:
    return read_json(path, kind, remedy="remove the file and measure again") if path.exists() else None

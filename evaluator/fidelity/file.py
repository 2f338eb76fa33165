"""What was measured of the builds' fidelity, as a run's folder keeps it: `fidelity.json`."""

from pathlib import Path

import msgspec

from evaluator.errors import StudyError
from evaluator.fidelity.nouns import Fidelity
from evaluator.store.folder import fidelity_path, write


def read_fidelity(folder: Path) -> Fidelity | None:
    """Read what was measured of the fidelity of a run's builds; None where nothing was.

    Raises:
        StudyError: The file is damaged.
    """
    path = fidelity_path(folder)
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Fidelity)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StudyError(
            f"not what whichquant wrote ({error})", source=path, remedy="remove the file and measure again"
        ) from None


def keep_fidelity(folder: Path, fidelity: Fidelity) -> None:
    """Write down what was measured, in place of what was written before; the folder exists.

    Raises:
        OSError: It cannot be written.
    """
    write(fidelity_path(folder), msgspec.json.format(msgspec.json.encode(fidelity), indent=2))

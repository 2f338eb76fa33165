"""How far a build's predictions are from its reference's, token by token, out of two streams of rows.

The arithmetic is that of llama.cpp's perplexity tool (float32, terms of the sum where the reference's probability is
under e^-16 left out), so that its numbers come out: for a token with reference p and build q, KL divergence is the sum
over the vocabulary of p ln(p / q), in nats.
"""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from evaluator.errors import StudyError
from evaluator.fidelity.windows import Windows
from servers.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

SMALLEST = -16.0
"""Logarithm of the reference's probability under which a term is left out, as in llama.cpp."""


class PerToken(NamedTuple):
    """One build against one reference, for each scored token: arrays [windows, scored]."""

    nll_reference: "NDArray[np.float64]"
    """Less the logarithm of the probability that the reference gives to the token that is there."""
    nll: "NDArray[np.float64]"
    """The same of the build."""
    kld: "NDArray[np.float64]"
    """KL divergence of the build from the reference, in nats."""
    same_top: "NDArray[np.bool_]"
    """Whether both find the same token likeliest."""
    slack: "NDArray[np.float64] | None" = None
    """By how much `kld` may be too small at most, where not all of the reference's probabilities were kept."""

    @property
    def delta_p(self) -> "NDArray[np.float64]":
        """The build's probability of the token that is there, less the reference's."""
        import numpy as np  # noqa: PLC0415

        return np.exp(-self.nll) - np.exp(-self.nll_reference)


def log_probabilities(pieces: "Iterable[NDArray[np.float32]]") -> "Iterator[NDArray[np.float32]]":
    """Turn rows of logits into logarithms of probabilities, row by row: each an array [vocabulary]."""
    import numpy as np  # noqa: PLC0415

    for piece in pieces:
        for row in piece:
            yield row - np.float32(_log_sum(row))


def measure(
    windows: Windows, reference: "Iterable[NDArray[np.float32]]", build: "Iterable[NDArray[np.float32]]"
) -> PerToken:
    """Compare a build with its reference; only a row of each is held at a time.

    Args:
        windows: What both evaluated.
        reference: For each scored token the logarithms of all probabilities, an array [vocabulary].
        build: Pieces of logits, arrays [rows, vocabulary].

    Raises:
        ModelError: The two have vocabularies of different sizes, or one gave fewer rows.
    """
    import numpy as np  # noqa: PLC0415

    targets = windows.targets.reshape(-1)
    found = np.zeros((4, len(targets)))
    rows = (row for piece in build for row in piece)
    done = 0
    for place, (log_p, logits) in enumerate(zip(reference, rows, strict=False)):
        if len(log_p) != len(logits):
            raise ModelError(
                f"the reference knows {len(log_p):,} tokens and the build {len(logits):,}",
                remedy="a build is compared with a reference of the same vocabulary",
            )
        found[:, place] = _row(log_p, logits, int(targets[place]))
        done += 1
    if done != len(targets):
        raise ModelError(f"{done:,} of {len(targets):,} tokens were evaluated by both")
    base, nll, kld, same = found.reshape(4, windows.number, windows.scored)
    return PerToken(base, nll, kld, same.astype(np.bool_))


def _row(log_p: "NDArray[np.float32]", logits: "NDArray[np.float32]", target: int) -> tuple[float, float, float, bool]:
    import numpy as np  # noqa: PLC0415

    largest = np.float32(_log_sum(logits))
    p = np.exp(log_p)
    p *= log_p > SMALLEST
    apart = log_p - logits
    apart += largest
    kld = float(np.dot(p, apart))
    return -float(log_p[target]), float(largest - logits[target]), kld, log_p.argmax() == logits.argmax()


def _log_sum(logits: "NDArray[np.float32]") -> float:
    """Return the logarithm of the sum of the exponentials, by which logits become logarithms of probabilities."""
    import numpy as np  # noqa: PLC0415

    most = logits.max()
    # llama.cpp adds its float32 terms in float64; numpy adds them in pairs, which is as good to 1e-7
    return float(most) + float(np.log(float(np.exp(logits - most).sum())))


def write(measured: PerToken, path: Path) -> None:
    """Keep what was measured; the file appears whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    import numpy as np  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, **{name: values for name, values in measured._asdict().items() if values is not None})
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)


def read(path: Path) -> PerToken:
    """Read what `write` wrote.

    Raises:
        StudyError: It holds something else.
        OSError: It cannot be read.
    """
    import zipfile  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return PerToken(**{name: file[name] for name in PerToken._fields if name in file.files})
    except (ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise StudyError("this holds no measured tokens", source=path, remedy="delete it, and measure again") from error

"""A reference's probabilities on disk, so that it is evaluated once for all builds.

Whole, in the form of llama.cpp's `--kl-divergence-base`, which llama-perplexity reads as it reads its own: `_logits_`,
three int32 (context, vocabulary, windows), the tokens, and for each scored one four times two bytes (scale and smallest
logarithm as float32) before the logarithms of all probabilities as uint16, over the 16 nats below the largest logit.
Or, where the disk is too small, the largest probabilities of each token exactly and the sum of the others.
What the first form rounds away (the probability of a token that lies deeper, which of two nearly equal ones is the
larger) stands exactly in a file beside it.
"""

import hashlib
import os
import shutil
import struct
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from evaluator.errors import StudyError
from evaluator.fidelity.logits import check_finite, quietly
from evaluator.fidelity.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

    import numpy as np
    from numpy.typing import NDArray

_MAGIC = b"_logits_"
_HEAD = struct.Struct("<8siii")
_UNITS = 16
"""Nats below the largest logit that the numbers are spread over."""
_STEPS = 65535
_SPARE = 1 << 30
"""Bytes of a disk that are left free."""
LARGEST = 1024
"""Probabilities of each token in the small form."""


class Exact(NamedTuple):
    """What is kept of a reference without rounding, for each scored token, window by window."""

    nll: "NDArray[np.float64]"
    top: "NDArray[np.int32]"
    """The likeliest token."""


class TopK(NamedTuple):
    """The small form: arrays [scored, LARGEST], and [scored] of the rest."""

    ids: "NDArray[np.int32]"
    log_p: "NDArray[np.float32]"
    tail: "NDArray[np.float64]"
    """Sum of the other probabilities."""
    tail_entropy: "NDArray[np.float64]"
    """Sum of their p ln p."""


def key(reference_sha256: str, text_sha256: str, windows: Windows, how: str) -> str:
    """Name what a reference gave for a text: the same name, the same content.

    Args:
        reference_sha256: Of the weights.
        text_sha256: Of the text's bytes.
        windows: Their tokens count too: another tokenizer makes others of the same text.
        how: The program, and what else changes logits.
    """
    parts = "\n".join([reference_sha256, text_sha256, str(windows.ids.shape), str(windows.first), how])
    return hashlib.sha256(parts.encode() + windows.ids.tobytes()).hexdigest()[:16]


def size(vocabulary: int, windows: Windows) -> int:
    """Return the bytes of the whole form: vocabulary times scored tokens times two, and a little."""
    return _HEAD.size + windows.ids.nbytes + windows.number * windows.scored * 2 * _row_words(vocabulary)


def fits(size_bytes: int, folder: Path) -> bool:
    """Whether a file of this size leaves a gigabyte free on the folder's disk."""
    return size_bytes + _SPARE <= shutil.disk_usage(folder).free


@contextmanager
def draft_of(path: Path) -> "Iterator[IO[bytes]]":
    """Open a file that appears under its name when it is whole, and not at all if it never is."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)


@quietly
def write_whole(path: Path, windows: Windows, vocabulary: int, pieces: "Iterable[NDArray[np.float32]]") -> Exact:
    """Write the whole form of a reference's rows, and return what it rounds away.

    Raises:
        OSError: The file cannot be written.
    """
    import numpy as np  # noqa: PLC0415 - slow to import

    rows = _row_words(vocabulary)
    with draft_of(path) as file:
        file.write(_HEAD.pack(_MAGIC, windows.context, vocabulary, windows.number))
        file.write(windows.ids.astype("<i4").tobytes())
        exact = _Exactly(windows)
        for logits in (row for piece in pieces for row in piece):
            log_sum = exact.add(logits)
            out = np.zeros(rows, dtype="<u2")
            most = logits.max()
            least = max(logits.min(), most - np.float32(_UNITS))
            scale = np.float32((most - least) / np.float32(_STEPS))
            out[:4] = np.array([scale, least - most - log_sum], dtype="<f4").view("<u2")
            if scale:
                steps = np.rint((logits - least) * (np.float32(1) / scale))
                out[4 : 4 + vocabulary] = np.maximum(steps, 0)
            file.write(out.tobytes())
    return exact.done()


def read_whole(path: Path) -> "tuple[Windows, int, Iterator[NDArray[np.float32]]]":
    """Read the whole form: its windows, its vocabulary, and for each scored token the logarithms of probabilities.

    Raises:
        StudyError: It is another file, or not whole.
    """
    import numpy as np  # noqa: PLC0415

    with path.open("rb") as file:
        head = file.read(_HEAD.size)
        magic, context, vocabulary, number = _HEAD.unpack(head) if len(head) == _HEAD.size else (b"", 0, 0, 0)
        possible = magic == _MAGIC and min(context, vocabulary) > 1 and number > 0
        if possible and path.stat().st_size >= _HEAD.size + 4 * context * number:
            ids = np.frombuffer(file.read(4 * context * number), dtype="<i4").reshape(number, context)
            windows = Windows(ids, context // 2)
            if path.stat().st_size == size(vocabulary, windows):
                return windows, vocabulary, _whole_rows(path, windows, vocabulary)
    raise StudyError(
        "these are no log-probabilities as llama.cpp writes them, or not all of them",
        source=path,
        remedy="delete the file: it is made again",
    )


def _whole_rows(path: Path, windows: Windows, vocabulary: int) -> "Iterator[NDArray[np.float32]]":
    import numpy as np  # noqa: PLC0415

    words = _row_words(vocabulary)
    with path.open("rb") as file:
        file.seek(_HEAD.size + windows.ids.nbytes)
        for _ in range(windows.number * windows.scored):
            row = np.frombuffer(file.read(2 * words), dtype="<u2")
            scale, least = row[:4].view("<f4")
            yield row[4 : 4 + vocabulary] * scale + least


@quietly
def write_top(windows: Windows, pieces: "Iterable[NDArray[np.float32]]") -> tuple[Exact, TopK]:
    """Take the small form of a reference's rows."""
    import numpy as np  # noqa: PLC0415

    scored, exact = windows.number * windows.scored, _Exactly(windows)
    kept: TopK | None = None
    for place, logits in enumerate(row for piece in pieces for row in piece):
        most = min(LARGEST, len(logits))
        if kept is None:
            shape = scored, most
            kept = TopK(np.zeros(shape, np.int32), np.zeros(shape, np.float32), np.zeros(scored), np.zeros(scored))
        log_p = logits - exact.add(logits) - logits.max()
        kept.ids[place] = np.argpartition(log_p, -most)[-most:]
        kept.log_p[place] = log_p[kept.ids[place]]
        rest = np.delete(log_p, kept.ids[place]).astype(np.float64)
        p = np.exp(rest)
        kept.tail[place], kept.tail_entropy[place] = p.sum(), (p * rest).sum()
    if kept is None:
        raise ValueError("there are no rows")
    return exact.done(), kept


class _Exactly:
    """Collects what is kept without rounding."""

    def __init__(self, windows: Windows) -> None:
        import numpy as np  # noqa: PLC0415

        self._targets = windows.targets.reshape(-1)
        self._found = Exact(np.zeros(len(self._targets)), np.zeros(len(self._targets), np.int32))
        self._place = 0

    def add(self, logits: "NDArray[np.float32]") -> "np.float32":
        """Take in a row; return the logarithm of its sum of exponentials above the largest logit."""
        import numpy as np  # noqa: PLC0415

        most = logits.max()
        log_sum = np.float32(np.log(np.exp(logits - most).sum(dtype=np.float64)))
        self._found.nll[self._place] = most + log_sum - logits[self._targets[self._place]]
        check_finite(float(self._found.nll[self._place]))
        self._found.top[self._place] = logits.argmax()
        self._place += 1
        return log_sum

    def done(self) -> Exact:
        """Return all of it."""
        return self._found


def _row_words(vocabulary: int) -> int:
    """Return the uint16 of one token: llama.cpp rounds an odd vocabulary up."""
    return 2 * ((vocabulary + 1) // 2) + 4

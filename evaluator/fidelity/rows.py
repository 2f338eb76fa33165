"""Logits from a process of their own: native libraries stay out of this one, and a crash there is one sentence here.

Such a process is given windows of tokens and writes one line of JSON, then a row of float32 for each scored token,
window by window, in the machine's own byte order: the logits of all tokens of the vocabulary.
"""

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec
from msgspec import Struct

from evaluator.fidelity.windows import Windows, write
from evaluator.text import one_line
from servers.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PIECE = 16 << 20
"""Bytes of logits that are held at a time, at most, if a row is not larger."""
_LONGEST_HEAD = 1 << 16
_END_SECONDS = 5.0


class Head(Struct, frozen=True):
    """What a process says before its rows."""

    vocabulary: int
    """Logits in a row."""
    rows: int
    program: str
    """Who evaluates the model, with its version."""
    gpu: bool | None = None
    """Whether a graphics card does; None where the process does not say."""


class _Said(Struct, frozen=True):
    """The first line, whichever it is."""

    vocabulary: int = 0
    rows: int = 0
    program: str = ""
    gpu: bool | None = None
    error: str = ""


class Rows(Struct, frozen=True):
    """The rows of a process that runs."""

    head: Head
    pieces: "Iterator[NDArray[np.float32]]"
    """Arrays [rows, vocabulary], one after the other; each is valid until the next is taken.

    Raises ModelError where the process ends before its last row."""


def module(name: str, *arguments: str | Path) -> list[str]:
    """Return the command that runs a module of this package; a folder called `evaluator` where one stands is none."""
    return [sys.executable, "-P", "-m", f"evaluator.fidelity.{name}", *map(str, arguments)]


@contextlib.contextmanager
def open_rows(command: Sequence[str], windows: Windows, model: Path, vocabulary: int | None = None) -> Iterator[Rows]:
    """Start a process that evaluates windows, and give its rows.

    Args:
        command: Program and arguments; `--windows FILE --first N` is added.
        windows: What is evaluated.
        model: What to call it in errors: file or folder of the weights.
        vocabulary: How many of a row's logits are given, where those behind them are of no token.

    Raises:
        ModelError: It cannot evaluate the model; in its own words, as far as it had any.
    """
    with tempfile.TemporaryDirectory(prefix="whichquant-") as folder:
        tokens, words = Path(folder) / "windows.npy", Path(folder) / "errors"
        write(windows.ids, tokens)
        whole = [*command, "--windows", str(tokens), "--first", str(windows.first)]
        with words.open("wb") as errors, _running(whole, errors) as process:
            head = _head(process, words, model)
            if head.rows != windows.number * windows.scored:
                raise ModelError(f"{model} gave {head.rows} rows for {windows.number * windows.scored} scored tokens")
            width = head.vocabulary if vocabulary is None else vocabulary
            if width > head.vocabulary:
                raise ModelError(f"{model} gave {head.vocabulary:,} logits for a token, and {width:,} are compared")
            pieces = (piece[:, :width] for piece in _pieces(process, head, words, model))
            yield Rows(msgspec.structs.replace(head, vocabulary=width), pieces)


@contextlib.contextmanager
def _running(command: Sequence[str], errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process and leave none behind; one whose reader was killed ends at its next row, as the pipe is closed."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, bufsize=0)
    try:
        yield process
    finally:
        _stdout(process).close()  # what still writes ends at that
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0 if sys.exc_info()[0] else _END_SECONDS)
        process.kill()
        process.wait()


def _head(process: subprocess.Popen[bytes], words: Path, model: Path) -> Head:
    line = b""
    while not line.endswith(b"\n") and len(line) < _LONGEST_HEAD and (byte := _stdout(process).read(1)):
        line += byte
    try:
        said = msgspec.json.decode(line, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _ended(process, words, model) from None
    if said.error:
        raise ModelError(one_line(said.error))
    if said.vocabulary < 2 or said.rows < 1:
        raise _ended(process, words, model)
    return Head(said.vocabulary, said.rows, one_line(said.program), said.gpu)


def _pieces(process: subprocess.Popen[bytes], head: Head, words: Path, model: Path) -> "Iterator[NDArray[np.float32]]":
    import numpy as np  # noqa: PLC0415 - slow to import

    at_once = min(head.rows, max(1, _PIECE // (4 * head.vocabulary)))
    buffer = np.empty((at_once, head.vocabulary), dtype=np.float32)
    for start in range(0, head.rows, at_once):
        piece = buffer[: min(at_once, head.rows - start)]
        view, at = piece.data.cast("B"), 0
        while at < len(view):
            got = _stdout(process).readinto(view[at:])  # type: ignore[attr-defined] # a raw file has it
            if not got:
                raise _ended(process, words, model)
            at += got
        yield piece


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdout is None:
        raise RuntimeError("the process was started without a pipe")
    return process.stdout


def _ended(process: subprocess.Popen[bytes], words: Path, model: Path) -> ModelError:
    """Say how a process ended that was to give more."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    code = process.returncode
    if code is not None and code < 0:
        how = f"it was ended by {signal.Signals(-code).name}"
        remedy = "there may be too little memory for it" if code == -signal.SIGKILL else ""
        return ModelError(f"{model} could not be evaluated: {how}", remedy=remedy)
    lines = [line for line in words.read_text(errors="replace").splitlines() if line.strip()]
    why = one_line(lines[-1]) if lines else f"the process ended with code {code} and no words"
    return ModelError(f"{model} could not be evaluated: {why}")

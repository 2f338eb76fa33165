"""A text's tokens by a model's own tokenizer, and whether a build reads the text as its reference does.

Probabilities are compared token by token, so a build with other tokens for the text is refused. Between GGUF and MLX,
two programs tokenize; that they give the same is seen on the text itself. A vocabulary may be longer than another by
places that no token has: Gemma 3 in MLX has 262,208 of them, in GGUF 262,144. Then all places behind the shorter one's
last are left out on both sides, before logits become probabilities.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from evaluator.text import one_line
from servers.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_REMEDY = "probabilities are compared token by token: take a reference of the same tokenizer"


class Tokens(NamedTuple):
    """What a model makes of a text."""

    ids: "NDArray[np.int32]"
    """Of the whole text, with the token that begins it where the tokenizer adds one."""
    begin: int | None
    """That token."""
    vocabulary: int
    """Logits of one token."""
    known: int
    """Places of them up to the last that has a token; those behind it only fill the vocabulary up."""

    @property
    def own(self) -> "NDArray[np.int32]":
        """The ids without the one that begins a text."""
        return self.ids if self.begin is None else self.ids[1:]


class _Said(Struct, frozen=True):
    """The line that such a process writes."""

    vocabulary: int = 0
    known: int = 0
    error: str = ""


def read(command: Sequence[str], text: str, model: Path) -> Tokens:
    """Have a model's own program cut a text into tokens.

    Args:
        command: Of the process that also gives logits; `--text FILE --output FILE` is added.
        text: What is read.
        model: What to call it in errors: file or folder of the weights.

    Raises:
        ModelError: It cannot.
    """
    import numpy as np  # noqa: PLC0415 - slow to import

    with tempfile.TemporaryDirectory(prefix="whichquant-") as folder:
        written, output = Path(folder) / "text", Path(folder) / "tokens.npy"
        written.write_text(text, encoding="utf-8", newline="")
        whole = [*command, "--text", str(written), "--output", str(output)]
        done = subprocess.run(whole, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        try:
            said = msgspec.json.decode(done.stdout, type=_Said)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = _Said()
        if said.error or done.returncode != 0 or not 0 < said.known <= said.vocabulary or not output.is_file():
            lost = f"{model} cannot cut the text into tokens: its process ended with code {done.returncode}"
            raise ModelError(one_line(said.error) or lost)
        begin, *ids = np.load(output, allow_pickle=False)
    return Tokens(np.array(ids, dtype=np.int32), int(begin) if begin >= 0 else None, said.vocabulary, said.known)


def in_common(reference: Tokens, build: Tokens, names: tuple[str, str], most: int) -> tuple[int, tuple[str, ...]]:
    """Find how many places of the two vocabularies can be compared, and what is to be said of that.

    Args:
        reference: What the reference makes of the text.
        build: What the build makes of it.
        names: Of the reference and of the build, for sentences.
        most: How many tokens of the text are compared.

    Raises:
        ModelError: The build reads the text as other tokens, or has a token in a place that the reference lacks.
    """
    _same_ids(reference, build, names, most)
    notes = []
    if reference.begin != build.begin:
        notes.append(
            f"{names[1]} {_begins(build)} and {names[0]} {_begins(reference)}: both were given the text as {names[0]} "
            "has it."
        )
    if reference.vocabulary == build.vocabulary:
        return reference.vocabulary, tuple(notes)
    short, long = sorted(zip((reference, build), names, strict=True), key=lambda one: one[0].vocabulary)
    if long[0].known > short[0].vocabulary:
        raise ModelError(
            f"{long[1]} knows {long[0].known:,} tokens and {short[1]} {short[0].vocabulary:,}",
            remedy=_REMEDY,
        )
    notes.append(
        f"{long[1]} has {long[0].vocabulary:,} places in its vocabulary and {short[1]} {short[0].vocabulary:,}; the "
        f"{long[0].vocabulary - short[0].vocabulary:,} that no token has were left out."
    )
    return short[0].vocabulary, tuple(notes)


def _same_ids(reference: Tokens, build: Tokens, names: tuple[str, str], most: int) -> None:
    """Refuse another tokenization.

    Raises:
        ModelError: The tokens differ, not counting the one that begins a text.
    """
    ours, theirs = reference.own[:most], build.own[:most]
    shared = min(len(ours), len(theirs))
    others = (ours[:shared] != theirs[:shared]).nonzero()[0]
    if len(others) or len(ours) != len(theirs):
        place = int(others[0]) if len(others) else shared
        raise ModelError(
            f"{names[1]} reads the text as other tokens than its reference {names[0]}, from token {place + 1:,} on",
            remedy=_REMEDY,
        )


def _begins(tokens: Tokens) -> str:
    return "begins texts with no token" if tokens.begin is None else f"begins texts with the token {tokens.begin}"

"""A text as windows of tokens, cut as llama.cpp's perplexity tool cuts it, and which of their tokens are scored.

The tokens stand in windows of `context` one after the other, and what is left over is left out; the first token of each
window gives its place to the token that begins a text, where the tokenizer has one. Scored are the predictions of each
window's second half, of the tokens at `first` + 1 and after, so that none is made from little text.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from evaluator.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class Windows(NamedTuple):
    """Token ids, and from where on their successors are scored."""

    ids: "NDArray[np.int32]"
    """Of shape [windows, context]."""
    first: int
    """The first place in a window whose prediction, of the token behind it, is scored."""

    @property
    def number(self) -> int:
        """How many windows there are."""
        return int(self.ids.shape[0])

    @property
    def context(self) -> int:
        """Tokens in a window."""
        return int(self.ids.shape[1])

    @property
    def scored(self) -> int:
        """Scored tokens in a window."""
        return self.context - 1 - self.first

    @property
    def targets(self) -> "NDArray[np.int32]":
        """The scored tokens themselves, of shape [windows, scored]."""
        return self.ids[:, self.first + 1 :]


def cut(tokens: "Sequence[int] | NDArray[np.int32]", context: int, most: int, begin: int | None) -> Windows:
    """Cut the tokens of a text into windows.

    Args:
        tokens: Of the whole text.
        context: Tokens in a window.
        most: Tokens to take at most, over all windows.
        begin: The token that begins a text; None where the tokenizer adds none.

    Raises:
        StudyError: The text, or `most`, is shorter than two windows.
    """
    import numpy as np  # noqa: PLC0415 - slow to import

    count = min(len(tokens), most) // context
    if count < 2:
        have = f"the text has {len(tokens):,} tokens" if len(tokens) < most else f"{most:,} tokens are to be read"
        raise StudyError(
            f"{have}, and two windows of {context} take {2 * context:,}",
            remedy="take a longer text, more tokens, or a smaller context",
        )
    ids = np.array(tokens[: count * context], dtype=np.int32).reshape(count, context)
    if begin is not None:
        ids[:, 0] = begin
    return Windows(ids, context // 2)


def write(ids: "NDArray[np.int32]", path: Path) -> None:
    """Write the tokens of windows where the processes that evaluate them read them."""
    import numpy as np  # noqa: PLC0415

    np.save(path, ids, allow_pickle=False)


def read(path: Path, first: int) -> Windows:
    """Read what `write` wrote.

    Raises:
        StudyError: It holds no windows of tokens.
        OSError: It cannot be read.
    """
    import numpy as np  # noqa: PLC0415

    try:
        ids = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        ids = np.empty(0)
    if ids.ndim != 2 or ids.dtype != np.int32 or not 0 <= first < ids.shape[1] - 1:
        raise StudyError("this holds no windows of tokens", source=path)
    return Windows(ids, first)

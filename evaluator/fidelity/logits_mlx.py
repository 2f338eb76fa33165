"""Evaluate windows of tokens by mlx_lm and write the logits of the scored ones: `rows` says how.

`python -m evaluator.fidelity.logits_mlx FOLDER --windows FILE.npy --first N [--at-once N] [--no-gpu]`, and with `--text
FILE --output FILE` instead the tokens of a text: `tokens` says how.

Logits are made only of the tokens that are scored, a few at a time: a window's first half goes into the key-value
cache, and as mlx computes nothing before it is asked for, the logits of that half are never there. So little more
memory is taken than for the weights, whatever the vocabulary.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from evaluator.fidelity.windows import Windows, read
from evaluator.text import one_line
from servers.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

AT_ONCE = 64
"""Scored tokens that are evaluated at a time: for the 262,144 tokens of Gemma's vocabulary their logits are 67 MB."""


def main() -> int:
    """Write rows or tokens to standard output; return the exit code."""
    arguments = _arguments()
    # Whatever a library prints must not stand between the rows.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        if arguments.text is not None:
            out.write(json.dumps(tokenize(arguments.folder, arguments.text, arguments.output)).encode() + b"\n")
        else:
            _evaluate(arguments, out)
    except Exception as error:  # noqa: BLE001 - of a damaged folder mlx_lm raises anything
        words = one_line(str(error)).rstrip(".") or type(error).__name__
        known = isinstance(error, ModelError)
        said = words if known else f"{arguments.folder} cannot be evaluated by mlx_lm: {words}"
        out.write(json.dumps({"error": said}).encode() + b"\n")
        return 2
    return 0


def tokenize(folder: Path, text: Path, output: Path) -> dict[str, int]:
    """Write a text's tokens, all of it, and the token that begins a text (-1 for none) in front of them.

    The marks of special tokens that stand in the text are plain text, as in `logits_llama`.

    Returns:
        `vocabulary`, the logits of one token, and `known`, how many of them the tokenizer has a token for.
    """
    import mlx.core as mx  # noqa: PLC0415
    from mlx_lm.utils import load_model, load_tokenizer  # noqa: PLC0415

    tokenizer = load_tokenizer(folder)  # type: ignore[no-untyped-call]
    words = text.read_bytes().decode()
    ids = tokenizer.encode(words, split_special_tokens=True)
    begins = ids[:1] != tokenizer.encode(words, split_special_tokens=True, add_special_tokens=False)[:1]
    np.save(output, np.array([ids[0] if begins else -1, *ids], dtype=np.int32), allow_pickle=False)
    model, _ = load_model(folder, lazy=True)
    # the shape is known without a weight being read
    return {"vocabulary": model(mx.array([[0]])).shape[-1], "known": 1 + max(tokenizer.get_vocab().values())}


def _evaluate(arguments: argparse.Namespace, out: IO[bytes]) -> None:
    import mlx.core as mx  # noqa: PLC0415

    if not arguments.gpu:
        mx.set_default_device(mx.cpu)
    windows, vocabulary = read(arguments.windows, arguments.first), 0
    for piece in logits(arguments.folder, windows, arguments.at_once):
        if not vocabulary:
            vocabulary = piece.shape[1]
            head = {"vocabulary": vocabulary, "rows": windows.number * windows.scored, "program": _program()}
            out.write(json.dumps(head | {"gpu": mx.default_device() == mx.gpu}).encode() + b"\n")
        view, at = piece.data.cast("B"), 0
        while at < len(view):
            at += out.write(view[at : at + (1 << 24)])


def logits(folder: Path, windows: Windows, at_once: int = AT_ONCE) -> "Iterator[NDArray[np.float32]]":
    """Yield the logits of the scored tokens, in order, in arrays [at most `at_once`, vocabulary].

    Raises:
        Exception: Whatever mlx_lm raises of a folder that it cannot load.
    """
    import mlx.core as mx  # noqa: PLC0415
    from mlx_lm.models.cache import make_prompt_cache  # noqa: PLC0415
    from mlx_lm.utils import load_model  # noqa: PLC0415

    model, _ = load_model(folder)
    mx.set_cache_limit(0)  # what is freed goes back to the system
    for window in windows.ids:
        cache: Any = make_prompt_cache(model)
        tokens = mx.array(window[None])
        if windows.first:
            model(tokens[:, : windows.first], cache=cache)
            mx.eval([part.state for part in cache])
        # the window's last token has no successor
        for start in range(windows.first, windows.context - 1, at_once):
            end = min(start + at_once, windows.context - 1)
            yield np.array(model(tokens[:, start:end], cache=cache)[0].astype(mx.float32))


def _program() -> str:
    from importlib.metadata import version  # noqa: PLC0415

    return f"mlx_lm {version('mlx-lm')}, mlx {version('mlx')}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evaluator.fidelity.logits_mlx")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--windows", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--gpu", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

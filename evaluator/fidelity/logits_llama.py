"""Evaluate windows of tokens by llama.cpp's library and write the logits of the scored ones: `rows` says how.

`python -m evaluator.fidelity.logits_llama MODEL.gguf --windows FILE.npy --first N [--threads N] [--kv-cache TYPE]
[--no-repack] [--batch N] [--no-gpu] [--binary LLAMA_SERVER]`, and with `--text FILE --output FILE` instead the tokens
of a text.
A window is evaluated in batches of 512 tokens, as llama-perplexity does with `-b 512`.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from evaluator.fidelity.llama_library import KV_TYPES, Library, find
from evaluator.fidelity.windows import Windows, read
from servers.errors import WhichquantError

BATCH = 512
"""Tokens that are evaluated at a time: llama.cpp's default, so that the same kernels see the same shapes."""
UNUSED = 2
"""`LLAMA_TOKEN_ATTR_UNUSED`: of places that fill a vocabulary up."""


def main() -> int:
    """Write rows or tokens to standard output; return the exit code."""
    arguments = _arguments()
    # Native code that writes to standard output must not write between the rows.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    try:
        library = Library(find(arguments.binary))
        if arguments.text is not None:
            said = tokenize(library, arguments.model, arguments.text, arguments.output)
            out.write(json.dumps(said).encode() + b"\n")
        else:
            _evaluate(library, arguments, out)
    except (WhichquantError, OSError, MemoryError) as error:
        out.write(json.dumps({"error": str(error) or type(error).__name__}).encode() + b"\n")
        return 2
    return 0


def tokenize(library: Library, model: Path, text: Path, output: Path) -> dict[str, int]:
    """Write a text's tokens, all of it, and the token that begins a text (-1 for none) in front of them.

    As llama-perplexity reads it: the marks of special tokens that stand in the text are plain text.

    Returns:
        `vocabulary`, the logits of one token, and `known`, their places up to the last one that has a token.
    """
    calls, raw = library.calls, text.read_bytes()
    with library.model(model, words_only=True) as loaded:
        vocabulary = calls.llama_model_get_vocab(loaded)
        begin = calls.llama_vocab_bos(vocabulary) if calls.llama_vocab_get_add_bos(vocabulary) else -1
        found = np.empty(len(raw) + 2, dtype=np.int32)
        place = found.ctypes.data_as(calls.llama_tokenize.argtypes[3])
        count = calls.llama_tokenize(vocabulary, raw, len(raw), place, len(found), True, False)  # noqa: FBT003
        if count < 0:
            raise library.refuse(f"{text} cannot be cut into tokens by {model}")
        size = calls.llama_vocab_n_tokens(vocabulary)
        known = next(
            (i + 1 for i in reversed(range(size)) if not calls.llama_vocab_get_attr(vocabulary, i) & UNUSED), 0
        )
    np.save(output, np.concatenate([[begin], found[:count]]).astype(np.int32), allow_pickle=False)
    return {"vocabulary": size, "known": known}


def _evaluate(library: Library, arguments: argparse.Namespace, out: IO[bytes]) -> None:
    windows, calls = read(arguments.windows, arguments.first), library.calls
    batch = min(arguments.batch, windows.context)
    with library.model(arguments.model, repack=arguments.repack, gpu=arguments.gpu) as model:
        vocabulary = calls.llama_vocab_n_tokens(calls.llama_model_get_vocab(model))
        with library.context(model, windows.context, batch, arguments.threads, arguments.kv_cache) as context:
            rows = windows.number * windows.scored
            head = {"vocabulary": vocabulary, "rows": rows, "program": library.name, "threads": arguments.threads}
            on_gpu = arguments.gpu and bool(calls.llama_supports_gpu_offload())
            out.write(json.dumps(head | {"gpu": on_gpu}).encode() + b"\n")
            for window in range(windows.number):
                calls.llama_memory_clear(calls.llama_get_memory(context), True)  # noqa: FBT003
                for start in range(0, windows.context, batch):
                    places = range(start, min(start + batch, windows.context))
                    if wanted := _decode(library, context, windows, window, places):
                        # as long as the next call of the library: no copy is made
                        logits = np.ctypeslib.as_array(calls.llama_get_logits(context), shape=(wanted, vocabulary))
                        _write_rows(out, logits)


def _decode(library: Library, context: object, windows: Windows, window: int, places: range) -> int:
    """Evaluate a window's tokens at these places; return how many rows of logits are wanted of them."""
    calls = library.calls
    part, given = calls.llama_batch_init(len(places), 0, 1), 0
    try:
        part.n_tokens = len(places)
        for i, place in enumerate(places):
            part.token[i], part.pos[i] = int(windows.ids[window, place]), place
            part.n_seq_id[i], part.seq_id[i][0] = 1, 0
            part.logits[i] = int(place >= windows.first)
            given += int(place >= windows.first)
        if calls.llama_decode(context, part) != 0:
            raise library.refuse("llama.cpp could not evaluate a window of the text")
    finally:
        calls.llama_batch_free(part)
    # what follows the window's last token is not known, but it is evaluated, so that shapes are llama-perplexity's
    return given - (places.stop == windows.context)


def _write_rows(out: IO[bytes], logits: NDArray[np.float32]) -> None:
    view, at = logits.data.cast("B"), 0
    while at < len(view):
        at += out.write(view[at : at + (1 << 24)])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evaluator.fidelity.logits_llama")
    parser.add_argument("model", type=Path)
    parser.add_argument("--windows", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--kv-cache", choices=list(KV_TYPES))
    parser.add_argument("--repack", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--gpu", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--binary")
    parser.add_argument("--text", type=Path)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""A program in place of llama.cpp and mlx_lm: `python scripted_logits.py MODEL …`, the arguments of a real one.

A model is a text file: a seed, how far it is from the model of seed 0, its vocabulary, and how many of it are known, if
not all. Tokens are the text's bytes.
Each start adds a line to MODEL.starts; a model of the word `broken` says why it gives nothing, one that begins with
`breaks` says so when the tokens were read. `--no-repack` moves logits by a thousandth.
"""

import json
import sys
from pathlib import Path

import numpy as np


def main() -> int:
    model, given = Path(sys.argv[1]), sys.argv[2:]
    moved = "--no-repack" in given
    given = [argument for argument in given if argument != "--no-repack"]
    options = dict(zip(given[::2], given[1::2], strict=True))
    words = model.read_text().split()
    if words[0] == "broken" or (words[0] == "breaks" and "--text" not in options):
        sys.stdout.write(json.dumps({"error": f"{model.name} is broken"}))
        return 2
    seed, apart, vocabulary = 0 if words[0] == "breaks" else int(words[0]), float(words[1]), int(words[2])
    if "--text" in options:
        raw = np.frombuffer(Path(options["--text"]).read_bytes(), dtype=np.uint8).astype(np.int32) % vocabulary
        np.save(options["--output"], np.concatenate([[1], raw]).astype(np.int32))
        known = int(words[3]) if len(words) > 3 else vocabulary
        sys.stdout.write(json.dumps({"vocabulary": vocabulary, "known": known}))
        return 0
    with model.with_suffix(".starts").open("a") as starts:
        starts.write("rows\n")
    ids = np.load(options["--windows"])
    scored = ids.shape[1] - 1 - int(options["--first"])
    head = {"vocabulary": vocabulary, "rows": ids.shape[0] * scored, "program": "scripted"}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n")
    shared, own = np.random.default_rng(0), np.random.default_rng(seed)
    shape = ids.shape[0] * scored, vocabulary
    logits = shared.normal(0, 2, shape) + apart * own.normal(0, 1, shape)
    logits += moved * 0.001 * np.random.default_rng(99).normal(0, 1, shape)
    sys.stdout.buffer.write(logits.astype(np.float32).tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())

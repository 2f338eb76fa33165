"""Measure builds against their references: one after the other, each kept as soon as it is measured."""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from evaluator.benchmarks.fidelity import CONTEXT, MARGIN, TOKENS
from evaluator.errors import StudyError
from evaluator.fidelity import kept, measure, windows
from evaluator.fidelity.nouns import Fidelity, Text
from evaluator.fidelity.rows import Rows, module, open_rows
from evaluator.fidelity.summary import Measured, summarize
from evaluator.fidelity.texts import Passage
from evaluator.fidelity.windows import Windows
from evaluator.text import duration
from servers.errors import ModelError
from servers.spec import KvType
from servers.weights.hashing import Weights, weights
from servers.wording import in_bytes

if TYPE_CHECKING:
    from evaluator.fidelity.kept import Exact, TopK
    from evaluator.fidelity.measure import PerToken

Tell = Callable[[str], None]
"""Is told what goes on, a sentence at a time."""


class Subject(Struct, frozen=True, kw_only=True):
    """A build or a reference."""

    name: str
    path: Path
    """A GGUF file, or a folder of MLX weights."""
    kv_cache: KvType | None = None
    binary: str | None = None
    """The llama-server whose library evaluates it; None is the one on PATH, or the xllamacpp package."""


class Job(Struct, frozen=True, kw_only=True):
    """What is to be measured."""

    text: Passage
    comparisons: tuple[tuple[Subject, Subject], ...]
    """Builds, each with a reference."""
    tokens: int = TOKENS
    context: int = CONTEXT
    margin: float = MARGIN
    alpha: float = 0.05
    threads: int | None = None
    """Of llama.cpp; None for one a physical core."""
    notes: tuple[str, ...] = ()


class _Work(Struct, frozen=True):
    """What one command has to do, and where."""

    job: Job
    folder: Path
    hashes: Mapping[Path, Weights]
    tell: Tell


class _Base(Struct, frozen=True):
    """A reference that was evaluated, on disk."""

    windows: Windows
    exact: "Exact"
    whole: Path | None
    top: "TopK | None"


def measure_all(job: Job, folder: Path, tell: Tell) -> Fidelity:
    """Measure what is not measured yet, and sum up all of it.

    Args:
        job: What is measured.
        folder: Where it is kept, made if it is not there: `tokens-*.npz` of each build, `base-*` of each reference.
        tell: Is told what goes on.

    Raises:
        ModelError: A model cannot be evaluated, or a build does not fit its reference.
        StudyError: The text is too short.
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[int, Measured] = {}
    hashes = {subject.path: weights(subject.path) for pair in job.comparisons for subject in pair}
    cut: Windows | None = None
    for reference in {reference.name: reference for _, reference in job.comparisons}.values():
        cut = _windows(job, reference)
        ours = [(i, build) for i, (build, against) in enumerate(job.comparisons) if against.name == reference.name]
        found.update(_against(_Work(job, folder, hashes, tell), reference, ours, cut))
    if cut is None:
        raise ValueError("there is nothing to compare")
    builds, pairs = summarize([found[place] for place in sorted(found)], margin=job.margin, alpha=job.alpha)
    text = Text(job.text.name, job.text.sha256, cut.context, cut.number, cut.number * cut.scored)
    files = {subject.name: hashes[subject.path] for pair in job.comparisons for subject in pair}
    return Fidelity(
        text,
        builds,
        pairs,
        sha256={name: file.sha256 for name, file in files.items()},
        sizes={name: file.bytes for name, file in files.items()},
        margin_kld=job.margin,
        notes=job.notes,
    )


def _windows(job: Job, reference: Subject) -> Windows:
    """Cut the text into the reference's tokens."""
    import subprocess  # noqa: PLC0415

    import msgspec  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415 - slow to import

    with tempfile.TemporaryDirectory(prefix="whichquant-") as place:
        text, output = Path(place) / "text.txt", Path(place) / "tokens.npy"
        text.write_text(job.text.text, encoding="utf-8", newline="")
        command = [*_command(reference, None), "--text", str(text), "--output", str(output)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0 or not output.is_file():
            try:
                said = msgspec.json.decode(done.stdout)["error"]
            except (msgspec.DecodeError, KeyError, TypeError):
                said = f"{reference.path} cannot cut the text into tokens (exit code {done.returncode})"
            raise ModelError(str(said))
        begin, *_ = tokens = np.load(output, allow_pickle=False)
    return windows.cut(tokens[1:], job.context, job.tokens, int(begin) if begin >= 0 else None)


def _against(
    work: _Work, reference: Subject, builds: Sequence[tuple[int, Subject]], cut: Windows
) -> Iterator[tuple[int, Measured]]:
    """Measure the builds of one reference, which is evaluated only where one of them is not measured yet."""
    job, folder, hashes, tell = work.job, work.folder, work.hashes, work.tell
    name = kept.key(hashes[reference.path].sha256, job.text.sha256, cut, f"{reference.kv_cache} {reference.binary}")
    base: _Base | None = None
    for place, build in builds:
        what = f"{hashes[build.path].sha256} {build.kv_cache} {build.binary}"
        file = folder / f"tokens-{name}-{hashlib.sha256(what.encode()).hexdigest()[:16]}.npz"
        if not file.is_file():
            base = base or _base(job, reference, cut, folder / f"base-{name}", tell)
            begun = time.monotonic()
            tokens, covered = _measured(job, build, base)
            measure.write(tokens, file, seconds=time.monotonic() - begun, covered=covered)
            tell(f"{build.name} against {reference.name}: {duration(time.monotonic() - begun)}.")
        tokens, seconds, covered = measure.read(file)
        yield (
            place,
            Measured(
                build=build.name,
                reference=reference.name,
                tokens=tokens,
                method="exact" if covered is None else "top_k",
                covered=covered,
                size_bytes=hashes[build.path].bytes,
                seconds=seconds,
            ),
        )


def _base(job: Job, reference: Subject, cut: Windows, stem: Path, tell: Tell) -> _Base:
    """Evaluate a reference, or take what an earlier run kept of it."""
    import numpy as np  # noqa: PLC0415

    whole, beside = stem.with_suffix(".kld"), stem.with_suffix(".npz")
    if beside.is_file():
        with beside.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            exact = kept.Exact(file["nll"], file["top"])
            top = kept.TopK(*(file[f"largest_{name}"] for name in kept.TopK._fields)) if "largest_ids" in file else None
        if top is not None or whole.is_file():
            tell(f"{reference.name}: its probabilities are there from before.")
            return _Base(cut, exact, None if top else whole, top)
    begun = time.monotonic()
    with _rows(job, reference, cut) as rows:
        size = kept.size(rows.head.vocabulary, cut)
        fits = kept.fits(size, stem.parent)
        form = "the reference's probabilities take" if fits else "the disk has too little room for the"
        rest = f" in {whole}" if fits else f", so the {kept.LARGEST} largest of each token are kept"
        tell(f"{reference.name}: {form} {in_bytes(size)}{rest}.")
        if fits:
            exact, top = kept.write_whole(whole, cut, rows.head.vocabulary, rows.pieces), None
        else:
            exact, top = kept.write_top(cut, rows.pieces)
    more = {f"largest_{name}": values for name, values in top._asdict().items()} if top else {}
    with kept.draft_of(beside) as file:
        np.savez(file, **exact._asdict(), **more)
    tell(f"{reference.name}: evaluated in {duration(time.monotonic() - begun)}.")
    return _Base(cut, exact, None if top else whole, top)


def _measured(job: Job, build: Subject, base: _Base) -> "tuple[PerToken, float | None]":
    """Measure a build; also return how much of the reference's probability was compared where that is not all."""
    with _rows(job, build, base.windows) as rows:
        if base.whole is None:
            if base.top is None:
                raise ValueError("nothing of the reference was kept")
            return measure.measure_top(base.windows, base.exact, base.top, rows.pieces)
        _, vocabulary, reference = kept.read_whole(base.whole)
        if vocabulary != rows.head.vocabulary:
            raise ModelError(
                f"{build.name} knows {rows.head.vocabulary:,} tokens, and its reference {vocabulary:,}",
                remedy="a build is compared with a reference of the same tokenizer",
            )
        return measure.measure(base.windows, reference, rows.pieces, base.exact), None


@contextmanager
def _rows(job: Job, subject: Subject, cut: Windows) -> Iterator[Rows]:
    with open_rows(_command(subject, job.threads), cut, subject.path) as rows:
        yield rows


def _command(subject: Subject, threads: int | None) -> list[str]:
    """Return the command that evaluates a build or a reference, by the program that its kind of file needs."""
    if subject.path.is_dir():
        if subject.kv_cache not in (None, "f16", "bf16", "f32"):
            raise StudyError(f"{subject.name}: the fidelity of a quantized KV cache is measured of GGUF files only")
        return module("logits_mlx", subject.path)
    more = ["--threads", str(threads or max(1, (os.cpu_count() or 2) // 2))]
    more += ["--kv-cache", subject.kv_cache] if subject.kv_cache else []
    more += ["--binary", subject.binary] if subject.binary else []
    return module("logits_llama", subject.path, *more)

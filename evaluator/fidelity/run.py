"""Measure builds against their references: one after the other, each kept as soon as it is measured."""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from evaluator.benchmarks.fidelity import CONTEXT, MARGIN, TOKENS
from evaluator.errors import StudyError
from evaluator.fidelity import kept, measure, windows
from evaluator.fidelity.nouns import Fidelity, Text
from evaluator.fidelity.rows import Rows, module, open_rows
from evaluator.fidelity.served import SUPPOSED, Known, Served, lists_of, measure_served
from evaluator.fidelity.summary import Measured, summarize
from evaluator.fidelity.texts import Passage
from evaluator.fidelity.vocabulary import texts_of
from evaluator.fidelity.windows import Windows
from evaluator.text import duration
from servers.errors import ModelError, ServerError
from servers.spec import KvType
from servers.weights.hashing import Weights, weights
from servers.wording import in_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evaluator.fidelity.bound import Listed
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
    served: tuple[tuple[Served, Subject], ...] = ()
    """Builds behind servers that run already, each with a reference."""
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
    pairs: list[tuple[Subject | Served, Subject]] = [*job.comparisons, *job.served]
    subjects = {subject for pair in pairs for subject in pair if isinstance(subject, Subject)}
    hashes = {subject.path: weights(subject.path) for subject in subjects}
    found, notes, cut = _each(_Work(job, folder, hashes, tell), [reference for _, reference in pairs])
    order = [(one.name, reference.name) for one, reference in pairs]
    found.sort(key=lambda one: order.index((one.build, one.reference)))
    builds, compared = summarize(found, margin=job.margin, alpha=job.alpha)
    text = Text(job.text.name, job.text.sha256, cut.context, cut.number, cut.number * cut.scored)
    files = {subject.name: hashes[subject.path] for subject in subjects}
    return Fidelity(
        text,
        builds,
        compared,
        sha256={name: file.sha256 for name, file in files.items()},
        sizes={name: file.bytes for name, file in files.items()},
        margin_kld=job.margin,
        notes=(*job.notes, *notes),
    )


def _each(work: _Work, references: Sequence[Subject]) -> tuple[list[Measured], list[str], Windows]:
    """Measure everything, reference by reference; also say how servers were asked, or why not."""
    job, found, notes = work.job, list[Measured](), list[str]()
    cut: Windows | None = None
    for reference in {reference.name: reference for reference in references}.values():
        cut = _windows(job, reference)
        builds = [build for build, against in job.comparisons if against.name == reference.name]
        found += _against(work, reference, builds, cut)
        for measured, note in _behind_servers(work, reference, cut):
            notes.append(note)
            found += [measured] if measured else []
    if cut is None:
        raise ValueError("there is nothing to compare")
    return found, notes, cut


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


def _against(work: _Work, reference: Subject, builds: Sequence[Subject], cut: Windows) -> Iterator[Measured]:
    """Measure the builds of one reference, which is evaluated only where one of them is not measured yet."""
    job, folder, hashes, tell = work.job, work.folder, work.hashes, work.tell
    name = _key(work, reference, cut)
    base: _Base | None = None
    for build in builds:
        what = f"{hashes[build.path].sha256} {build.kv_cache} {build.binary}"
        file = folder / f"tokens-{name}-{hashlib.sha256(what.encode()).hexdigest()[:16]}.npz"
        if not file.is_file():
            base = base or _base(job, reference, cut, folder / f"base-{name}", tell)
            begun = time.monotonic()
            tokens, covered = _measured(job, build, base)
            measure.write(tokens, file, seconds=time.monotonic() - begun, covered=covered)
            tell(f"{build.name} against {reference.name}: {duration(time.monotonic() - begun)}.")
        tokens, seconds, covered = measure.read(file)
        yield Measured(
            build=build.name,
            reference=reference.name,
            tokens=tokens,
            method="exact" if covered is None else "top_k",
            covered=covered,
            size_bytes=hashes[build.path].bytes,
            seconds=seconds,
        )


def _key(work: _Work, reference: Subject, cut: Windows) -> str:
    how = f"{reference.kv_cache} {reference.binary}"
    return kept.key(work.hashes[reference.path].sha256, work.job.text.sha256, cut, how)


def _behind_servers(work: _Work, reference: Subject, cut: Windows) -> Iterator[tuple[Measured | None, str]]:
    """Measure what servers keep to themselves, and say how; of one that is refused only why."""
    job = work.job
    served = [one for one, against in job.served if against.name == reference.name]
    if not served:
        return
    base = _base(job, reference, cut, work.folder / f"base-{_key(work, reference, cut)}", work.tell)
    for one in served:
        rows: Iterator[NDArray[np.float32] | Listed]
        if base.top is not None:
            vocabulary, rows = SUPPOSED, lists_of(base.top)
        elif base.whole is not None:
            _, vocabulary, rows = kept.read_whole(base.whole)
        else:
            raise ValueError("nothing of the reference was kept")
        known = Known(reference.name, cut, job.text.text, rows, vocabulary, partial(texts_of, reference.path))
        try:
            yield measure_served(one, known, work.tell)
        except ServerError as error:
            yield None, f"{one.name} was not measured: {error}"


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

"""Measure builds against their references: one after the other, each kept as soon as it is measured."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from evaluator.benchmarks.fidelity import CONTEXT, MARGIN, TOKENS
from evaluator.fidelity import kept, measure, subjects, tokens, windows
from evaluator.fidelity.nouns import Fidelity, Text
from evaluator.fidelity.rows import Rows, open_rows
from evaluator.fidelity.served import SUPPOSED, Known, Served, lists_of, measure_served
from evaluator.fidelity.subjects import Subject
from evaluator.fidelity.summary import Measured, summarize
from evaluator.fidelity.texts import Passage
from evaluator.fidelity.tokens import Tokens
from evaluator.fidelity.vocabulary import texts_of
from evaluator.fidelity.windows import Windows
from evaluator.text import duration
from servers.errors import ServerError
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
    vocabulary: int
    """Places of it that are compared."""
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
    files = {subject.name: subject.path for pair in pairs for subject in pair if isinstance(subject, Subject)}
    hashes = {path: weights(path) for path in files.values()}
    found, notes, cut = _each(_Work(job, folder, hashes, tell), [reference for _, reference in pairs])
    order = [(one.name, reference.name) for one, reference in pairs]
    found.sort(key=lambda one: order.index((one.build, one.reference)))
    builds, compared = summarize(found, margin=job.margin, alpha=job.alpha)
    text = Text(job.text.name, job.text.sha256, cut.context, cut.number, cut.number * cut.scored)
    return Fidelity(
        text,
        builds,
        compared,
        sha256={name: hashes[path].sha256 for name, path in files.items()},
        sizes={name: hashes[path].bytes for name, path in files.items()},
        margin_kld=job.margin,
        notes=tuple(dict.fromkeys((*job.notes, *notes))),
    )


def _each(work: _Work, references: Sequence[Subject]) -> tuple[list[Measured], list[str], Windows]:
    """Measure everything, reference by reference; also say how servers were asked, or why not."""
    job, found, notes = work.job, list[Measured](), list[str]()
    cut: Windows | None = None
    read_by = cache(partial(tokens_of, job))  # a build may have two references, and be one
    for reference in {reference.name: reference for reference in references}.values():
        ours = read_by(reference)
        cut = windows.cut(ours.ids, job.context, job.tokens, ours.begin)
        read: list[tuple[Subject, int]] = []
        for build in (build for build, against in job.comparisons if against.name == reference.name):
            both = reference.name, build.name
            vocabulary, said = tokens.in_common(ours, read_by(build), both, cut.ids.size)
            read.append((build, vocabulary))
            notes += said
        found += _against(work, reference, read, cut)
        for measured, note in _behind_servers(work, reference, cut, ours.vocabulary):
            notes.append(note)
            found += [measured] if measured else []
    if cut is None:
        raise ValueError("there is nothing to compare")
    return found, notes, cut


def tokens_of(job: Job, subject: Subject) -> Tokens:
    """Have a build's or a reference's own program cut the text into tokens.

    Raises:
        ModelError: It cannot.
    """
    return tokens.read(subjects.command(subject, job.threads), job.text.text, subject.path)


def _against(
    work: _Work, reference: Subject, builds: Sequence[tuple[Subject, int]], cut: Windows
) -> Iterator[Measured]:
    """Measure the builds of one reference, which is evaluated only where one of them is not measured yet.

    With each build stands how many places of its vocabulary are compared.
    """
    job, folder, hashes, tell = work.job, work.folder, work.hashes, work.tell
    bases: dict[int, _Base] = {}
    for build, vocabulary in builds:
        name = _key(work, reference, cut, vocabulary)
        what = f"{hashes[build.path].sha256} {build.kv_cache} {build.binary}"
        file = folder / f"tokens-{name}-{hashlib.sha256(what.encode()).hexdigest()[:16]}.npz"
        if not file.is_file():
            if vocabulary not in bases:
                bases[vocabulary] = _base(work, reference, cut, vocabulary)
            begun = time.monotonic()
            per_token, covered = _measured(job, build, bases[vocabulary])
            measure.write(per_token, file, seconds=time.monotonic() - begun, covered=covered)
            tell(f"{build.name} against {reference.name}: {duration(time.monotonic() - begun)}.")
        per_token, seconds, covered = measure.read(file)
        yield Measured(
            build=build.name,
            reference=reference.name,
            tokens=per_token,
            method="exact" if covered is None else "top_k",
            covered=covered,
            size_bytes=hashes[build.path].bytes,
            seconds=seconds,
        )


def _key(work: _Work, reference: Subject, cut: Windows, vocabulary: int) -> str:
    how = f"{reference.kv_cache} {reference.binary} {vocabulary}"
    return kept.key(work.hashes[reference.path].sha256, work.job.text.sha256, cut, how)


def _behind_servers(
    work: _Work, reference: Subject, cut: Windows, vocabulary: int
) -> Iterator[tuple[Measured | None, str]]:
    """Measure what servers keep to themselves, and say how; of one that is refused only why."""
    job = work.job
    served = [one for one, against in job.served if against.name == reference.name]
    if not served:
        return
    base = _base(work, reference, cut, vocabulary)
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


def _base(work: _Work, reference: Subject, cut: Windows, vocabulary: int) -> _Base:
    """Evaluate a reference, or take what an earlier run kept of it."""
    import numpy as np  # noqa: PLC0415 - slow to import

    job, tell, stem = work.job, work.tell, work.folder / f"base-{_key(work, reference, cut, vocabulary)}"
    whole, beside = stem.with_suffix(".kld"), stem.with_suffix(".npz")
    if beside.is_file():
        with beside.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            exact = kept.Exact(file["nll"], file["top"])
            top = kept.TopK(*(file[f"largest_{name}"] for name in kept.TopK._fields)) if "largest_ids" in file else None
        if top is not None or whole.is_file():
            tell(f"{reference.name}: its probabilities are there from before.")
            return _Base(cut, vocabulary, exact, None if top else whole, top)
    begun = time.monotonic()
    with _rows(job, reference, cut, vocabulary) as rows:
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
    return _Base(cut, vocabulary, exact, None if top else whole, top)


def _measured(job: Job, build: Subject, base: _Base) -> "tuple[PerToken, float | None]":
    """Measure a build; also return how much of the reference's probability was compared where that is not all."""
    with _rows(job, build, base.windows, base.vocabulary) as rows:
        if base.whole is None:
            if base.top is None:
                raise ValueError("nothing of the reference was kept")
            return measure.measure_top(base.windows, base.exact, base.top, rows.pieces)
        *_, reference = kept.read_whole(base.whole)
        return measure.measure(base.windows, reference, rows.pieces, base.exact), None


def _rows(job: Job, subject: Subject, cut: Windows, vocabulary: int) -> AbstractContextManager[Rows]:
    return open_rows(subjects.command(subject, job.threads), cut, subject.path, vocabulary)

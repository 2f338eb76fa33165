"""The runtime's own noise: one build evaluated in two ways that should not matter.

Weights in the order that suits the processor's instructions, or as they stand in the file; more or fewer tokens at a
time; a graphics card, or the processor alone: each is the same model, and each gives other logits. A build that is no
further from its reference than that is as good as the reference on this machine.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from evaluator.fidelity import kept, measure, subjects, windows
from evaluator.fidelity.nouns import BuildFidelity, Fidelity, Floor
from evaluator.fidelity.rows import open_rows
from evaluator.fidelity.run import Job, tokens_of
from evaluator.fidelity.subjects import Subject
from evaluator.fidelity.summary import Measured, summarize
from evaluator.fidelity.windows import Windows

WINDOWS = 8
"""Of the text: noise is the same everywhere, and each way takes as long as a build."""


class Way(NamedTuple):
    """What is changed the second time."""

    words: str
    """Goes on "measured twice (…)"."""
    options: tuple[str, ...]
    """Of the process that evaluates."""
    needs_gpu: bool = False


LLAMA = (
    Way("weights in the processor's own order, and as they stand in the file", ("--no-repack",)),
    Way("512 tokens at a time, and 96", ("--batch", "96")),
    Way("on a graphics card, and on the processor", ("--no-gpu",), needs_gpu=True),
)
"""Of llama.cpp; another number of threads changed nothing."""
MLX = (
    Way("64 tokens at a time, and 16", ("--at-once", "16")),
    Way("on a graphics card, and on the processor", ("--no-gpu",), needs_gpu=True),
)
"""Of mlx_lm."""


def with_floors(found: Fidelity, job: Job, folder: Path, tell: Callable[[str], None]) -> Fidelity:
    """Measure each build and reference against itself in each way that there is, and say which builds that covers.

    Args:
        found: What was measured of the job.
        job: What is measured.
        folder: Where it is kept, as `floor-*.npz`, and taken from the next time.
        tell: Is told what goes on.

    Raises:
        ModelError: A model cannot be evaluated.
        OSError: The folder cannot be written.
    """
    known = {subject.name: subject for pair in job.comparisons for subject in pair}
    floors = [floor for subject in known.values() for floor in _floors(found, job, subject, folder, tell)]
    return replace(found, builds=under(found.builds, floors), floors=tuple(floors))


def _floors(found: Fidelity, job: Job, subject: Subject, folder: Path, tell: Callable[[str], None]) -> Iterator[Floor]:
    ours = tokens_of(job, subject)
    whole = windows.cut(ours.ids, job.context, job.tokens, ours.begin)
    part = whole._replace(ids=whole.ids[:WINDOWS])
    for way in MLX if subject.of_mlx else LLAMA:
        how = f"{subject.kv_cache} {subject.binary} {way.options}"
        file = folder / f"floor-{kept.key(found.sha256[subject.name], job.text.sha256, part, how)}.npz"
        if not file.is_file():
            tell(f"{subject.name}: measured twice ({way.words}).")
            measured = _twice(subject, part, way, job.threads)
            if measured is None:
                continue
            measure.write(measured, file)
        per_token, *_ = measure.read(file)
        yield _floor(subject.name, way.words, per_token)


def under(builds: Iterable[BuildFidelity], found: Iterable[Floor]) -> tuple[BuildFidelity, ...]:
    """Say of each build whether it is below the floor: the largest that was measured of it or of its reference."""
    noise: dict[str, float] = {}
    for floor in found:
        noise[floor.build] = max(noise.get(floor.build, 0.0), floor.mean_kld.value)
    return tuple(
        _under(build, [noise[name] for name in (build.build, build.reference) if name in noise]) for build in builds
    )


def _under(build: BuildFidelity, noise: list[float]) -> BuildFidelity:
    if not noise or build.mean_kld is None or build.method == "bound":
        return build
    return replace(build, below_floor=build.mean_kld.value <= max(noise))


def _twice(subject: Subject, part: Windows, way: Way, threads: int | None) -> measure.PerToken | None:
    """Evaluate a build in both ways side by side; None where there is no graphics card that the way needs."""
    plain = subjects.command(subject, threads)
    with open_rows(plain, part, subject.path) as first:
        if way.needs_gpu and not first.head.gpu:
            return None
        with open_rows([*plain, *way.options], part, subject.path) as second:
            return measure.measure(part, measure.log_probabilities(first.pieces), second.pieces)


def _floor(name: str, ways: str, per_token: measure.PerToken) -> Floor:
    (numbers,), _ = summarize([Measured(build=name, reference=name, tokens=per_token)], margin=1.0)
    if numbers.mean_kld is None or numbers.top1_agreement is None:
        raise ValueError("exact numbers have both")
    return Floor(name, ways, numbers.mean_kld, numbers.top1_agreement)

"""What is asked for, a study or bare files, is measured and kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from evaluator.benchmarks.fidelity import CONTEXT, MARGIN, TOKENS
from evaluator.errors import StudyError
from evaluator.fidelity import texts
from evaluator.fidelity.file import keep_fidelity
from evaluator.fidelity.floors import with_floors
from evaluator.fidelity.nouns import Fidelity
from evaluator.fidelity.of_study import job_of
from evaluator.fidelity.run import Job, Tell, measure_all
from evaluator.fidelity.subjects import Subject
from evaluator.study.file import load_study
from servers.errors import ModelError
from servers.weights import source

if TYPE_CHECKING:
    from servers.spec import RuntimeName


class Wanted(NamedTuple):
    """What is set by the caller; None is what the study says, else the default."""

    reference: str | None = None
    text: str | None = None
    tokens: int | None = None
    context: int | None = None
    margin: float | None = None
    threads: int | None = None
    output: Path | None = None
    floor: bool = False


class Kept(NamedTuple):
    """What was measured, and where it is kept."""

    fidelity: Fidelity
    folder: Path


def measure_fidelity(
    models: str | Path | Sequence[str | Path],
    *,
    reference: str | Path | None = None,
    text: str | Path | None = None,
    tokens: int | None = None,
    context: int | None = None,
    margin: float | None = None,
    threads: int | None = None,
    runs: str | Path = "runs",
    output: str | Path | None = None,
    floor: bool = False,
    on_message: Tell = lambda _: None,
) -> Fidelity:
    """Measure how far builds are from a reference, token by token, as `whichquant fidelity` does; nothing is asked.

    Args:
        models: A study's file that names `fidelity` among its benchmarks; or models, GGUF files, folders of MLX weights
            or `hf:` names, of which the first is the reference where no other is named.
        reference: What the builds are compared with; None is the study's, or the first model.
        text: A file in UTF-8; None is the study's, or the text that comes along.
        tokens: How many tokens of it are read; None is the study's, or 20,000.
        context: Tokens in a window; None is the study's, or 512.
        margin: Mean KL divergence in nats a token below which a build equals its reference; None is the study's, or
            0.01.
        threads: Of llama.cpp; None is one a physical core.
        runs: Folder in which a study's run has its own.
        output: Where what was measured is kept, to be used again; None is the study's run, or `fidelity` in `runs`.
        floor: Whether each model is measured against itself, too, in ways that should not matter: weights in another
            order, fewer tokens at a time, with a graphics card and without.
        on_message: Is told what goes on, a sentence at a time.

    Returns:
        Each build against each of its references, builds against each other, and what all of it rests on.

    Raises:
        StudyError: What is given cannot be compared, or the text is too short.
        ModelError: A model cannot be had or evaluated.
    """
    named = [models] if isinstance(models, str | Path) else models
    wanted = Wanted(
        None if reference is None else str(reference),
        None if text is None else str(text),
        tokens,
        context,
        margin,
        threads,
        None if output is None else Path(output),
        floor,
    )
    return measured([str(model) for model in named], Path(runs), wanted, on_message).fidelity


def measured(models: Sequence[str], runs: Path, wanted: Wanted, tell: Tell) -> Kept:
    """Measure what is not measured yet, and keep it; see `measure_fidelity`."""
    study = Path(models[0]) if len(models) == 1 and models[0].endswith((".yaml", ".yml")) else None
    if study is not None:
        loaded = load_study(study, asking=False)
        job, folder = job_of(loaded, wanted), wanted.output or runs / loaded.study.study
    else:
        job, folder = _bare(models, wanted), wanted.output or runs / "fidelity"
    found = measure_all(job, folder / "fidelity", tell)
    if wanted.floor:
        found = with_floors(found, job, folder / "fidelity", tell)
    keep_fidelity(folder, found)
    return Kept(found, folder)


def _bare(models: Sequence[str], wanted: Wanted) -> Job:
    every = [wanted.reference, *models] if wanted.reference else list(models)
    if len(every) < 2:
        raise StudyError(
            "give a study's YAML file, or two models or more, of which the first is the reference", source="fidelity"
        )
    first, *others = _subjects(every)
    return Job(
        text=texts.read(wanted.text or texts.DEFAULT),
        comparisons=tuple((build, first) for build in others),
        tokens=wanted.tokens or TOKENS,
        context=wanted.context or CONTEXT,
        margin=wanted.margin or MARGIN,
        threads=wanted.threads,
    )


def _subjects(models: Sequence[str]) -> list[Subject]:
    """Find the files; each is called as its file, or by its whole path where two files are called alike."""
    paths = [_path(model) for model in models]
    names = [path.name.removesuffix(".gguf") for path in paths]
    whole = [name if names.count(name) == 1 else str(path) for name, path in zip(names, paths, strict=True)]
    if len(set(whole)) < len(whole):
        raise StudyError("the same model is named twice", source="fidelity", remedy="name each once")
    return [Subject(name=name, path=path) for name, path in zip(whole, paths, strict=True)]


def _path(model: str) -> Path:
    runtime: RuntimeName = "mlx_lm" if Path(model).is_dir() else "llama_server"
    try:
        source.check(model, runtime=runtime, base=Path())
    except ModelError as error:
        raise StudyError(error.problem, remedy=error.remedy) from None
    return source.resolve(model, runtime=runtime, base=Path())

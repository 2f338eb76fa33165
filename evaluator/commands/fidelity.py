"""`whichquant fidelity`: how far builds are from their reference, token by token; of a study, or of bare files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rich.console import Console
from rich.text import Text

from evaluator.benchmarks.fidelity import CONTEXT, MARGIN, TOKENS
from evaluator.errors import StudyError
from evaluator.fidelity import texts
from evaluator.fidelity.file import keep_fidelity
from evaluator.fidelity.nouns import Fidelity
from evaluator.fidelity.of_study import job_of
from evaluator.fidelity.run import Job, Subject, measure_all
from evaluator.report.fidelity.page import write_pages
from evaluator.report.fidelity.terminal import show
from evaluator.store.folder import is_run
from evaluator.study.file import load_study
from evaluator.text import one_line
from servers.errors import ModelError
from servers.weights import source

if TYPE_CHECKING:
    from servers.spec import RuntimeName


class Options(NamedTuple):
    """What the command line says; None is what the study says, else the default."""

    reference: str | None = None
    text: str | None = None
    tokens: int | None = None
    context: int | None = None
    margin: float | None = None
    threads: int | None = None
    as_json: bool = False
    output: Path | None = None


def fidelity(models: Sequence[str], runs: Path, console: Console, options: Options) -> int:
    """Measure, keep and show; give the exit code.

    Args:
        models: A study's file alone, or two models or more, the first of them the reference if no other is named.
        runs: Folder in which a study's run has its own.
        console: Where it is shown.
        options: The others.

    Raises:
        StudyError: What is given cannot be compared.
        ModelError: A model cannot be had or evaluated.
    """
    study = Path(models[0]) if len(models) == 1 and models[0].endswith((".yaml", ".yml")) else None
    if study is not None:
        loaded = load_study(study, asking=False)
        job, folder = job_of(loaded, options), options.output or runs / loaded.study.study
    else:
        job, folder = _bare(models, options), options.output or runs / "fidelity"
    tell = (lambda sentence: console.print(Text(one_line(sentence), style="dim"))) if not options.as_json else _silent
    found = measure_all(job, folder / "fidelity", tell)
    keep_fidelity(folder, found)
    if options.as_json:
        console.file.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    else:
        show(found, console)
        console.print(Text(_where(folder, found)))
    return 0


def _where(folder: Path, found: Fidelity) -> str:
    """Say where it stands: in pages of its own, or, beside answers, in the run's report when that is written again."""
    if is_run(folder):
        return f"Kept in {folder}; whichquant report {folder} writes it into the run's report."
    return f"Report: {write_pages(found, folder)}"


def _bare(models: Sequence[str], options: Options) -> Job:
    wanted = [options.reference, *models] if options.reference else list(models)
    if len(wanted) < 2:
        raise StudyError(
            "give a study's YAML file, or two models or more, of which the first is the reference", source="fidelity"
        )
    first, *others = _subjects(wanted)
    return Job(
        text=texts.read(options.text or texts.DEFAULT),
        comparisons=tuple((build, first) for build in others),
        tokens=options.tokens or TOKENS,
        context=options.context or CONTEXT,
        margin=options.margin or MARGIN,
        threads=options.threads,
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


def _silent(_sentence: str) -> None:
    pass

"""`whichquant fidelity`: how far builds are from their reference, token by token; of a study, or of bare files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.benchmarks.fidelity import CONTEXT, MARGIN, TOKENS
from evaluator.errors import StudyError
from evaluator.fidelity import texts
from evaluator.fidelity.file import keep_fidelity
from evaluator.fidelity.nouns import BuildFidelity, Estimate, Fidelity
from evaluator.fidelity.of_study import job_of
from evaluator.fidelity.run import Job, Subject, measure_all
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
        console.print(Text(f"Kept in {folder}."))
    return 0


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


def show(found: Fidelity, console: Console) -> None:
    """Print the table of builds, the verdicts of pairs, and the notes."""
    text = found.text
    console.print(
        Text(
            f"\n{text.scored:,} tokens of {one_line(text.name)} (SHA-256 {text.sha256[:8]}…), {text.windows} windows of"
            f" {text.context}; KL divergence in nats a token, 95 % intervals by blocks of text, margin"
            f" {found.margin_kld:g}"
        )
    )
    table = Table(box=None, pad_edge=False)
    for title in ("Build", "Reference", "Perplexity", "Ratio", "Mean KLD", "99 % KLD", "Same top token", "RMS Δp", ""):
        table.add_column(title, overflow="fold")
    for build in found.builds:
        table.add_row(*map(Text, _row(build)))
    console.print(table)
    for pair in found.pairs:
        difference = _written(pair.kld_difference, 5)
        console.print(Text(one_line(f"{pair.build} against {pair.other}: {pair.verdict} (KLD {difference}).")))
    for note in found.notes:
        console.print(Text(one_line(note)))


def _row(build: BuildFidelity) -> tuple[str, ...]:
    return (
        one_line(build.build),
        one_line(build.reference),
        _written(build.perplexity, 4),
        _written(build.perplexity_ratio, 4),
        ("at least " if build.method != "exact" else "") + _written(build.mean_kld, 5),
        _written(build.p99_kld, 4),
        _written(build.top1_agreement, 2, 100.0, " %"),
        _written(build.rms_delta_p, 2, 100.0, " %"),
        build.verdict or "",
    )


def _written(estimate: Estimate | None, digits: int, times: float = 1.0, unit: str = "") -> str:
    if estimate is None:
        return "-"
    written = f"{times * estimate.value:.{digits}f}{unit}"
    if estimate.low is None or estimate.high is None:
        return written
    return f"{written} ({times * estimate.low:.{digits}f} to {times * estimate.high:.{digits}f})"

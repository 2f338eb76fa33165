"""A whole run: from a study file to its report."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from evaluator.folder import admit
from evaluator.grade import Grader
from evaluator.plan import Ask, context_needed, plan
from evaluator.progress import Progress
from evaluator.report.assemble import Report, assemble
from evaluator.report.terminal import plain, show
from evaluator.report.write import write_report
from evaluator.run import run
from evaluator.sandbox import NoSandbox, Sandbox, find_sandbox
from evaluator.study import Study, StudyError, Variant
from evaluator.study_file import line_of, read
from servers.models import ModelError, check, resolve
from servers.spec import ServerSpec


def conduct(path: Path, runs: Path, console: Console) -> int:
    """Run or resume the study at `path`, write its report, and give the exit code.

    Raises:
        StudyError: the study cannot be run as it is written.
        ModelError: a model cannot be had from the hub.
        KeyboardInterrupt: the user stopped it; the same call goes on where it stopped.
    """
    study, text = read(path)
    _check_models(study, text, path)
    asks = plan(study)
    folder = runs / study.study
    with admit(study, text, folder):
        sandbox = _sandbox(study, console)
        grader = Grader(sandbox)
        specs = {variant.name: _spec(study, variant, asks, path.parent) for variant in study.variants}
        keys = tuple(ask.key for ask in asks)
        with _terminable(), Progress(dict.fromkeys(specs, keys), console) as watch:
            problems = asyncio.run(run(study, specs, asks, folder, grader=grader, watch=watch))
        report = assemble(folder, grader=grader, problems=problems)
        code = _tell(report, folder, console)
    for name, why in problems.items():
        _, _, details = why.partition("\n")
        if details:
            console.print(Text(plain(f"\n{name}: {details}")), soft_wrap=True)
    return code


def again(folder: Path, console: Console) -> int:
    """Grade a run's records again and write its report again, asking nothing.

    Raises:
        StudyError: the folder holds no run, or a damaged one.
    """
    return _tell(assemble(folder, grader=Grader(find_sandbox())), folder, console)


def _check_models(study: Study, text: str, path: Path) -> None:
    """Refuse models that are not there before anything starts."""
    for i, variant in enumerate(study.variants):
        if variant.base_url is None and variant.runtime is not None:
            try:
                check(variant.model, runtime=variant.runtime, base=path.parent)
            except ModelError as error:
                key = f"variants[{i}].model"
                raise StudyError(f"{path}:{line_of(text, key)}: {key}: {error}") from None


def _sandbox(study: Study, console: Console) -> Sandbox | NoSandbox:
    """Find a sandbox if code will be graded, and say so before the first question where there is none."""
    if "humaneval" not in study.benchmarks.chosen():
        return NoSandbox(reason="no code questions in this study", install="")
    sandbox = find_sandbox()
    if isinstance(sandbox, NoSandbox):
        told = Text.assemble(("HumanEval will not be scored: ", "bold red"), f"{sandbox.reason}\n{sandbox.install}")
        console.print(told, soft_wrap=True)
    return sandbox


def _spec(study: Study, variant: Variant, asks: tuple[Ask, ...], base: Path) -> ServerSpec:
    if variant.base_url is not None or variant.runtime is None:
        model = variant.model
    else:
        model = str(resolve(variant.model, runtime=variant.runtime, base=base))
    launched = variant.base_url is None
    return ServerSpec(
        runtime=variant.runtime or "openai",
        model=model,
        base_url=variant.base_url,
        binary=variant.binary,
        context=(variant.context or context_needed(asks)) if launched else None,
        slots=study.concurrency,
        thinking=variant.thinking,
        kv_cache=variant.kv_cache,
        args=variant.args,
        api_key_env=variant.api_key_env,
    )


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: servers stopped, records kept."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(report: Report, folder: Path, console: Console) -> int:
    """Write and show a report; give the exit code."""
    written = write_report(report, folder)
    show(report, console)
    console.print(Text.assemble("\nThe report: ", (str(written), "bold")), soft_wrap=True)
    return _exit_code(report)


def _exit_code(report: Report) -> int:
    if report.problems and not any(score.outcomes for score in report.scores):
        return 3
    return 1 if report.problems or any(check.severity == "block" for check in report.checks) else 0

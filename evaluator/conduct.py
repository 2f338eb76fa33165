"""A whole run: from a study file to its report."""

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.text import Text

from evaluator.folder import admit, locked, read_plan
from evaluator.grade import Grader
from evaluator.plain import plain
from evaluator.plan import Ask, context_needed, plan
from evaluator.progress import Progress
from evaluator.report.assemble import Report, assemble, earlier_problems, was_scored
from evaluator.report.terminal import show
from evaluator.report.write import write_report
from evaluator.run import run
from evaluator.sandbox import NoSandbox, Sandbox, find_sandbox
from evaluator.study import Study, StudyError, Variant
from evaluator.study_file import line_of, read
from servers.models import ModelError, check, resolve
from servers.spec import ServerSpec

T = TypeVar("T")


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
        try:
            with Progress(dict.fromkeys(specs, keys), console) as watch:
                problems = asyncio.run(_until_terminated(run(study, specs, asks, folder, grader=grader, watch=watch)))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
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
        StudyError: the folder holds no run, or a damaged one, or one whose code cannot be run again here.
    """
    study = read_plan(folder).study
    with locked(folder):
        sandbox = _sandbox(study, console)
        if isinstance(sandbox, NoSandbox) and was_scored(folder):
            raise StudyError(f"{folder}: its code was scored, and cannot be run again here: nothing was changed")
        return _tell(assemble(folder, grader=Grader(sandbox), problems=earlier_problems(folder)), folder, console)


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


async def _until_terminated(work: Coroutine[Any, Any, T]) -> T:
    """Await, and let a signal to terminate end it as Ctrl-C does: servers stopped, records kept."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if task and signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            loop.add_signal_handler(number, task.cancel)
    return await work


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

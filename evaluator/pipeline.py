"""A whole run: from a study to its report."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from evaluator.analyse.run import assemble
from evaluator.ask.servers import spec_of
from evaluator.ask.session import run
from evaluator.checks.rule import Check
from evaluator.commands.outcome import tell
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox, Sandbox, find_sandbox
from evaluator.grade.truncated import cut_off
from evaluator.preflight.preflight import check_first, unanswered
from evaluator.records import Key
from evaluator.report.preflight import findings
from evaluator.report.progress import Progress
from evaluator.store import journal
from evaluator.store.folder import admit, locked, read_plan, record
from evaluator.store.last_report import earlier_problems, was_scored
from evaluator.study.requests import Ask, context_needed, plan, plan_again, with_limit
from evaluator.study.study import Study, StudyError, Variant
from evaluator.text import strip_control
from servers.signals import until_terminated


def refuse(study: Study, asks: Sequence[Ask], folder: Path, tokens: int) -> None:
    """Refuse what cannot bring anything, before a server is started.

    Args:
        study: As it is now.
        asks: All that is asked of any variant.
        folder: Of its run.
        tokens: The new limit.

    Raises:
        StudyError: The limit is not larger than the study's, there are no replies yet, or a variant's own context
            cannot hold it.
    """
    limit = study.sampling.max_tokens
    if tokens <= limit:
        raise StudyError(f"--more-tokens {tokens}: the study gives {limit} already (sampling.max_tokens): give more")
    if not (folder / "plan.json").exists():
        raise StudyError(f"--more-tokens: {folder} holds no replies yet: run the study without it first")
    by_key = {ask.key: ask for ask in asks}
    for i, variant in enumerate(study.variants):
        needed = _context(variant, by_key, folder, tokens) if variant.context is not None else 0
        if variant.context is not None and needed > variant.context:
            raise StudyError(
                f"--more-tokens {tokens}: variants[{i}].context: {variant.context} tokens cannot hold such a reply and"
                f" its question, {needed} could: give {variant.name} a run of its own with more, or fewer tokens here"
            )


def _context(variant: Variant, asks: Mapping[Key, Ask], folder: Path, tokens: int) -> int:
    """Say how many tokens of context the replies need that are asked for again, by the counts of the server."""
    kept = journal.read(folder / "records" / f"{variant.name}.jsonl")
    records = [record for key, record in kept.items() if key in asks]
    again = cut_off(records, {key: ask.question for key, ask in asks.items()}, tokens)
    counted = [
        record.answer.prompt_tokens + tokens
        if record.answer and record.answer.prompt_tokens
        else context_needed((asks[record.key],), tokens)
        for record in records
        if record.key in again
    ]
    return max(counted, default=0)


def carry_out(
    study: Study,
    text: str,
    base: Path,
    runs: Path,
    console: Console,
    *,
    more_tokens: int | None = None,
    checked: bool = True,
    force: bool = False,
) -> int:
    """Run or resume a study that has been read; `text` is kept with its results, `base` is where paths begin."""
    asks = plan(study)
    folder = runs / study.study
    if more_tokens is not None:
        refuse(study, (*asks, *plan_again(study)), folder, more_tokens)
    with admit(study, text, folder, more_tokens=more_tokens) as admitted:
        needed = context_needed(asks, admitted.more_tokens or 0)
        specs = {variant.name: spec_of(study, variant, needed, base) for variant in study.variants}
        if more_tokens is not None or unanswered(folder, study, asks):
            if not checked:
                record(folder, unchecked=True)
            else:
                tried = tuple(with_limit(ask, more_tokens) for ask in asks) if more_tokens else asks
                found = check_first(study, specs, tried, folder, needed=needed, force=force, say=_saying(console))
                if not _goes_on(found, folder, console, force=force):
                    return 1
        sandbox = _sandbox(study, console)
        grader = Grader(sandbox)
        keys = {variant.name: [ask.key for ask in asks] for variant in study.variants}
        keys[study.baseline] += [ask.key for ask in plan_again(study)]
        try:
            with Progress(keys, console) as watch:
                asking = run(study, specs, asks, folder, grader=grader, watch=watch, more_tokens=more_tokens)
                problems = asyncio.run(until_terminated(asking))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        report = assemble(folder, grader=grader, problems=problems)
        code = tell(report, folder, console)
    for name, why in problems.items():
        _, _, details = why.partition("\n")
        if details:
            console.print(Text(strip_control(f"\n{name}: {details}")), soft_wrap=True)
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
        return tell(assemble(folder, grader=Grader(sandbox), problems=earlier_problems(folder)), folder, console)


def _sandbox(study: Study, console: Console) -> Sandbox | NoSandbox:
    """Find a sandbox if code will be graded, and say so before the first question where there is none."""
    if "humaneval" not in study.benchmarks.chosen():
        return NoSandbox(reason="no code questions in this study", install="")
    sandbox = find_sandbox()
    if isinstance(sandbox, NoSandbox):
        told = Text.assemble(("HumanEval will not be scored: ", "bold red"), f"{sandbox.reason}\n{sandbox.install}")
        console.print(told, soft_wrap=True)
    return sandbox


def _goes_on(found: Sequence[Check], folder: Path, console: Console, *, force: bool) -> bool:
    """Show what was found before the first question, and say whether to go on; going on in spite of it is recorded."""
    for renderable in findings([one for one in found if one.severity != "note"]):
        console.print(renderable)
    if not any(one.severity == "block" for one in found):
        return True
    if force:
        record(folder, forced=True)
        return True
    told = "Nothing was asked: what blocks above would block the claim. --force asks all the same; that is recorded."
    console.print(Text(told, style="bold"))
    return False


def _saying(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(Text(strip_control(line), style="dim"), soft_wrap=True)

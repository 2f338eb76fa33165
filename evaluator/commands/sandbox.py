"""`whichquant sandbox`: show the sandboxes that this machine may have, their probes, and how to get a better one.

With `--json` one object:

    tier     the sandbox that is used: "bubblewrap", "landlock" or "seatbelt"; null where there is none
    scored   whether code questions can be scored
    tiers    list, best first: {"tier": text, "state": "used", "refused" or "not tried", "reason": text or null,
             "install": text or null, "probes": [{"name": text, "state": "held" or "broken", "told": text}]}
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleRenderable
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evaluator.grade.sandbox.probes import ProbeResult
from evaluator.grade.sandbox.tiers import Trial, tiers, trials
from evaluator.text import strip_control

_ABOUT = {
    "bubblewrap": "namespaces of its own for each answer, Landlock, a filter of system calls",
    "landlock": "Landlock and a filter of system calls; weaker: no limit on all files together",
    "seatbelt": "macOS's sandbox-exec, a fresh process for each answer",
}


def show_sandbox(*, as_json: bool, console: Console) -> int:
    """Try this machine's sandboxes and print the results; give the exit code.

    Args:
        as_json: Print one JSON object in place of tables.
        console: Where it is shown.
    """
    tried = trials()
    names = [tier.name for tier in tiers()]
    used = next((trial for trial in tried if trial.sandbox), None)
    if as_json:
        summary = {"tier": used.tier if used else None, "scored": used is not None, "tiers": _objects(names, tried)}
        console.out(json.dumps(summary, indent=2), highlight=False)
    else:
        for part in _parts(names, tried, used):
            console.print(part, soft_wrap=isinstance(part, Text))
    return 0 if used else 1


def _parts(names: Sequence[str], tried: Sequence[Trial], used: Trial | None) -> Iterator[ConsoleRenderable]:
    if used:
        yield Text.assemble(("Code questions can be scored here", "bold green"), f": in {used.tier}.\n")
    else:
        yield Text("Code questions are not scored here: no isolation.\n", style="bold red")
    known = {trial.tier: trial for trial in tried}
    for name in names:
        yield from _block(name, known.get(name), used)
    if used and used is not tried[0]:
        yield Text(f"{tried[0].tier} would be better. To get it: {_line(tried[0].install)}")
    elif not used and tried:
        yield Text("To get one:")
        yield from (Text(f"  {_line(trial.install)}") for trial in tried)


def _block(name: str, trial: Trial | None, used: Trial | None) -> Iterator[ConsoleRenderable]:
    state, style = _state(trial)
    yield Text.assemble((name, "bold"), ": ", (state, style), f" ({_ABOUT[name]})")
    if trial and trial.reason:
        yield Text(f"  {_line(trial.reason)}", style="yellow")
    elif trial is None and used:
        yield Text(f"  {used.tier} holds, and is better.")
    if trial and trial.results:
        yield Padding(_table(trial.results), (0, 0, 0, 2), expand=False)
    yield Text("")


def _table(results: Sequence[ProbeResult]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("probe", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("what it met", overflow="fold")
    for result in results:
        held = Text("held", style="green") if result.held else Text("broken", style="bold red")
        table.add_row(Text(result.name), held, Text(_line(result.detail), style="dim"))
    return table


def _state(trial: Trial | None) -> tuple[str, str]:
    if trial is None:
        return "not tried", "dim"
    return ("used", "green") if trial.sandbox else ("refused", "red")


def _objects(names: Sequence[str], tried: Sequence[Trial]) -> list[dict[str, Any]]:
    known = {trial.tier: trial for trial in tried}
    objects = []
    for name in names:
        trial = known.get(name)
        probes = [
            {"name": result.name, "state": "held" if result.held else "broken", "told": result.detail}
            for result in (trial.results if trial else ())
        ]
        objects.append(
            {
                "tier": name,
                "state": _state(trial)[0],
                "reason": trial.reason or None if trial else None,
                "install": trial.install or None if trial else None,
                "probes": probes,
            }
        )
    return objects


def _line(text: str) -> str:
    """Make a program's output harmless, on one line."""
    return strip_control(text).replace("\n", " ")

"""What is done with the servers before the first question, drawn: a row for each that is tried now."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table

from evaluator.report.names import fitted
from evaluator.store.live import Live, VariantProgress

_BAR = 12
_NAME = 24
"""Columns of a name at most, where the terminal is narrow."""


def step(variant: VariantProgress) -> str:
    """Say what is done with a server now."""
    return f"{variant.server} ({variant.checked} of {variant.checks})" if variant.checks else variant.server


def checks(live: Live, console: Console) -> Table:
    """Draw the servers that are tried now: how far, and by what."""
    now = [variant for variant in live.variants if variant.phase == "checking"][: max(1, console.height - 2)]
    names = fitted([variant.variant for variant in now], max(_NAME, console.width // 3))
    rest = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(_BAR, table_column=Column(width=_BAR)),
        TextColumn("{task.fields[step]}", "dim", markup=False, table_column=rest),
        console=console,
        expand=True,
    )
    for name, variant in zip(names, now, strict=True):
        progress.add_task(name, total=variant.checks or None, completed=variant.checked, step=step(variant))
    return progress.make_tasks_table(progress.tasks)

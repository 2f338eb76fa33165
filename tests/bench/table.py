"""Print what was measured as a Markdown table, to be pasted into docs/performance.md."""

import importlib.metadata
import platform
from collections.abc import Iterable, Sequence

from evaluator import __version__
from servers.machine import machine


def show(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; whole numbers get their commas, others three digits that count, None a hyphen."""
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(map(_cell, row))} |", flush=True)
    print()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def where(*packages: str) -> str:
    """Say on which machine and with which versions was measured."""
    here = machine()
    there = {found.name for found in importlib.metadata.distributions()}
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages if name in there]
    chip = f"{here.chip or 'unknown processor'}, {here.cores or '?'} cores"
    python = f"Python {platform.python_version()}"
    return ", ".join([chip, *filter(None, [here.gpu]), here.os, python, f"whichquant {__version__}", *versions])

"""Runs to be compared, and what comparing them shows."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from evaluator.commands.compare import compare_runs
from servers.fake import Reply
from tests.support.scripted import ANSWERS, Bench, prompt_of, right, wrong


def often_right(body: Any, number: int = 0) -> Reply:
    """Answer nine of ten questions rightly."""
    return (right if list(ANSWERS).index(prompt_of(body)) % 10 else wrong)(body, number)


def made(bench: Bench, name: str, n: int = 60, extra: str = "", **scripts: Any) -> Path:
    study = bench.study(n, extra, **scripts)
    text = study.read_text().replace("study: s\n", f"study: {name}\n")
    study.write_text(text.replace("baseline: good\n", f"baseline: {next(iter(scripts))}\n"))
    bench.run(study)
    return bench.folder / "runs" / name


def compare_text(*folders: Path, **options: Any) -> tuple[int, str]:
    """Compare, and give the exit code and what the terminal shows, in one line."""
    console = Console(file=StringIO(), width=80)
    chosen: Any = {"baseline": None, "margins": {}, "alpha": None, "as_json": False, **options}
    code = compare_runs(folders, console=console, **chosen)
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    if not chosen["as_json"]:
        assert max(map(len, shown.splitlines())) <= 80
        shown = " ".join(shown.split())
    return code, shown


def compare_json(*folders: Path, **options: Any) -> Any:
    """Compare, and give what `--json` prints."""
    return json.loads(compare_text(*folders, as_json=True, **options)[1])


def unusual(report: Any) -> list[str]:
    """Give the warnings but for those that all fakes get, or all who are always wrong."""
    usual = ("not sent", "not distinguishable from that")
    return [line for line in report["warnings"] if not any(word in line for word in usual)]


def edit(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_lines(path: Path, change: Callable[[Any], object]) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        change(line)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def settings(plan: Any) -> Any:
    return plan["study"]["benchmarks"]["mmlu_pro"]

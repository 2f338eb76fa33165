"""A whole run: from a study file to its report."""

from pathlib import Path

from rich.console import Console

from evaluator.ask.servers import check_models
from evaluator.pipeline import carry_out
from evaluator.study.file import read


def conduct(
    path: Path,
    runs: Path,
    console: Console,
    *,
    more_tokens: int | None = None,
    checked: bool = True,
    force: bool = False,
) -> int:
    """Run or resume the study at `path`, write its report, and give the exit code.

    With `more_tokens` only the questions whose reply was cut off are asked again, with that limit. Before the first
    question every server is tried, if `checked`; what is found and blocks the claim ends it there, unless `force`.

    Raises:
        StudyError: the study cannot be run as it is written.
        ModelError: a model cannot be had from the hub.
        KeyboardInterrupt: the user stopped it; the same call goes on where it stopped.
    """
    study, text = read(path)
    check_models(study, text, path)
    return carry_out(study, text, path.parent, runs, console, more_tokens=more_tokens, checked=checked, force=force)

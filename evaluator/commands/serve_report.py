"""`whichquant serve-report`: serve a run's report to this machine's browser, and refresh it while the run goes on."""

import os
import webbrowser
from contextlib import suppress
from pathlib import Path

import click

from evaluator.report.follow import Followed
from evaluator.report.web import ReportServer
from evaluator.store.folder import read_plan
from servers.ports import chosen_port

_NICE = 10
"""Looking gives way to asking: speeds are measured meanwhile."""


def serve_report(folder: Path, port: int | None, *, show: bool) -> int:
    """Serve a run's report until Ctrl-C; give the exit code.

    Args:
        folder: The run's, finished or going on.
        port: Where to listen; None is a free port.
        show: Whether the browser is opened.

    Raises:
        StudyError: The folder holds no run.
        ServerError: The port is taken, or may not be used.
    """
    name = read_plan(folder).study.study
    if port is not None:
        chosen_port(port)
    followed = Followed(folder.absolute())
    with suppress(OSError):
        os.nice(_NICE)
    with ReportServer(followed, name, port or 0) as server:
        click.echo(f"{server.url} shows {folder}. Only this machine can open it. Ctrl-C ends it.")
        try:
            if show:
                webbrowser.open(server.url)
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Stopped.")
    return 130

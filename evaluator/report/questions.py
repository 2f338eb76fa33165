"""The questions of a run as a part of `report.html`: every prompt, every reply, to be filtered, searched, compared."""

from pathlib import Path

from msgspec import Struct

from evaluator.analyse.report import Report


class QuestionsSection(Struct, frozen=True):
    """A part of a page; whoever writes the page puts each text where it belongs. All of it is safe as it stands."""

    html: str
    """At its place in the page."""
    style: str
    """Into the page's style."""
    script: str
    """Into the page's script, which stands behind all of `html`."""
    data: str
    """At the end of the body, behind the script: large, and read only when it is looked at."""


def questions_section(report: Report, folder: Path) -> QuestionsSection:  # noqa: ARG001 - not yet
    """Write the questions of a run, with all replies, as a part of its page.

    Args:
        report: What the run shows.
        folder: The run's, graded.

    Raises:
        StudyError: The folder holds no run, or a damaged one.
    """
    return QuestionsSection(html="", style="", script="", data="")

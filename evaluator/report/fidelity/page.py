"""Fidelity as reports of its own, where no questions were asked: `fidelity.md` and `fidelity.html`."""

from pathlib import Path

from markupsafe import Markup

from evaluator import __version__
from evaluator.fidelity.nouns import Fidelity
from evaluator.report.fidelity.markdown import markdown
from evaluator.report.fidelity.section import section
from evaluator.report.html import PAGE, policy, template
from evaluator.report.svg import mark
from evaluator.store.folder import fidelity_path, write


def page(fidelity: Fidelity) -> str:
    """Write what was measured as one HTML page; nothing is loaded from elsewhere, and all text is escaped."""
    style = (PAGE / "report.css").read_text(encoding="utf-8")
    made = template(PAGE / "fidelity_alone.html.j2").render(
        fidelity=section(fidelity),
        heading="h1",
        mark=mark,
        policy=policy(style, ""),
        style=Markup(style),  # noqa: S704 - our own
        whichquant=__version__,
    )
    return made.lstrip()


def write_pages(fidelity: Fidelity, folder: Path) -> Path:
    """Write both forms into a folder; return the path of the one to open.

    Raises:
        OSError: It cannot be written.
    """
    write(fidelity_path(folder, "md"), markdown(fidelity).encode())
    write(fidelity_path(folder, "html"), page(fidelity).encode())
    return fidelity_path(folder, "html")

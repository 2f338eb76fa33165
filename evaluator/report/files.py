"""Write a report's files: `report.json`, `report.md`, `report.html`."""

from pathlib import Path

import msgspec

from evaluator.analyse.report import Report
from evaluator.report.html import html
from evaluator.report.markdown import markdown
from evaluator.store.folder import write


def write_report(report: Report, folder: Path) -> Path:
    """Write every form of the report into a run's folder; give the path of the one to open."""
    write(folder / "report.json", msgspec.json.format(msgspec.json.encode(report), indent=2))
    write(folder / "report.md", markdown(report).encode())
    write(folder / "report.html", html(report).encode())
    return folder / "report.html"

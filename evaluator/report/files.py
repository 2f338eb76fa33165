"""Write a report's files: `report.json`, `report.md`, `report-post.md`, `report.html`."""

from pathlib import Path

import msgspec

from evaluator.analyse.report import Report
from evaluator.report.html import html
from evaluator.report.markdown import markdown
from evaluator.report.post import post
from evaluator.report.questions import questions_section
from evaluator.store.folder import post_path, report_path, write


def write_report(report: Report, folder: Path) -> Path:
    """Write every form of the report into a run's folder; return the path of the one to open."""
    write(report_path(folder), msgspec.json.format(msgspec.json.encode(report), indent=2))
    write(report_path(folder, "md"), markdown(report).encode())
    write(post_path(folder), post(report).encode())
    write(report_path(folder, "html"), html(report, questions_section(report, folder)).encode())
    return report_path(folder, "html")

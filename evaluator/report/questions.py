"""The questions of a run as a part of `report.html`: every prompt, every reply, to be filtered, searched, compared."""

from pathlib import Path
from string import Template

from msgspec import Struct

from evaluator.analyse.load import Grades, read_grades
from evaluator.analyse.questions import asked_questions
from evaluator.analyse.report import Report
from evaluator.report.packed import BUDGET, Packed, pack, packed
from evaluator.report.question_rows import columns, index, together
from evaluator.report.question_texts import texts_of, thoughts_of

_PAGE = Path(__file__).parent / "page"
_SCRIPTS = ("unpack", "filters", "text", "difference", "rows", "search", "replies", "detail", "start")
"""Parts of the script, in the order in which they follow each other."""


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


def questions_section(
    report: Report, folder: Path, budget: int = BUDGET, *, grades: Grades | None = None
) -> QuestionsSection:
    """Write the questions of a run, with all replies, as a part of its page.

    Args:
        report: What the run shows.
        folder: The run's, graded.
        budget: Characters of the data; where it takes more, the middle of the longest thinking is left out.
        grades: Of its replies; None takes those in the folder.

    Raises:
        StudyError: The folder holds no run, or a damaged one.
    """
    graded = read_grades(folder) if grades is None else grades
    study, rows = report.plan.study, together(asked_questions(folder, graded))
    if not rows:
        return QuestionsSection(html="", style="", script="", data="")
    kinds = columns(rows, study)
    replies = [[(kinds[kind], reply) for kind, reply in row.replies.items()] for row in rows]
    examples: dict[str, int] = {}
    texts = [texts_of(row.question, mine, examples) for row, mine in zip(rows, replies, strict=True)]
    blocks = pack(texts, list(map(thoughts_of, replies)), list(examples), budget)
    first = {**index(rows, kinds, study), "starts": blocks.starts, "kept": blocks.kept, "folder": folder.name}
    return QuestionsSection(
        html=Template(_asset("questions.html")).substitute(count=f"{len(rows):,}", index=packed(first)),
        style=_asset("questions.css"),
        script=_script(),
        data=_data(blocks),
    )


def _script() -> str:
    parts = "\n".join(_asset(f"questions/{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _asset(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _data(blocks: Packed) -> str:
    named = {"examples": blocks.examples}
    named |= {f"texts-{i}": block for i, block in enumerate(blocks.texts)}
    named |= {f"thoughts-{i}": block for i, block in enumerate(blocks.thoughts) if block}
    return "".join(
        f'<script type="application/gzip" id="questions-{name}">{block}</script>\n' for name, block in named.items()
    )

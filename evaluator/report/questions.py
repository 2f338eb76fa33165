"""The questions of a run as a part of `report.html`: every prompt, every reply, to be filtered, searched, compared."""

from collections.abc import Callable
from pathlib import Path
from string import Template

from msgspec import Struct
from msgspec.structs import replace

from evaluator.analyse.load import Grades, read_grades
from evaluator.analyse.partings import kept_partings, said
from evaluator.analyse.questions import Asked, asked_questions
from evaluator.analyse.report import Report
from evaluator.benchmarks import BENCHMARKS
from evaluator.records import Grade, Key, limit_of
from evaluator.report.packed import BUDGET, Packed, pack, packed
from evaluator.report.question_rows import columns, index, together
from evaluator.report.question_texts import texts_of, thoughts_of
from evaluator.study.study import Study

_PAGE = Path(__file__).parent / "page"
_REPLIES = 150_000
"""Replies that a page holds before later answers to the same questions are left out of it."""
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
    study, repeats = report.plan.study, _repeats(report.plan.study)
    graded = read_grades(folder, _is_shown(study, repeats)) if grades is None else grades
    kept, partings = kept_partings(folder), dict[tuple[str, Key], str]()

    def noted(asked: Asked) -> Asked:
        partings.update({(build, asked.key): sentence for build, sentence in said(asked, study.baseline, kept)})
        return _without_request(asked)

    rows = together(map(noted, asked_questions(folder, graded, repeats=repeats)))
    if not rows:
        return QuestionsSection(html="", style="", script="", data="")
    kinds = columns(rows, study)
    replies = [[(kinds[kind], reply) for kind, reply in row.replies.items()] for row in rows]
    examples: dict[str, int] = {}
    texts = [texts_of(row.question, mine, examples, partings) for row, mine in zip(rows, replies, strict=True)]
    blocks = pack(texts, list(map(thoughts_of, replies)), list(examples), budget)
    first = {**index(rows, kinds, study), "starts": blocks.starts, "kept": blocks.kept, "folder": folder.name}
    return QuestionsSection(
        html=Template(_asset("questions.html")).substitute(
            count=f"{len(rows):,}", more=_more(study, repeats), index=packed(first)
        ),
        style=_asset("questions.css"),
        script=_script(),
        data=_data(blocks),
    )


def _repeats(study: Study) -> int:
    """Say how many answers to each question the page can hold."""
    planned = {name: settings.questions for name, settings in study.benchmarks.chosen().items()}
    questions = sum(BENCHMARKS[name].total if n == "all" else n for name, n in planned.items())
    return max(1, _REPLIES // (questions * len(study.variants)))


def _without_request(asked: Asked) -> Asked:
    """Leave out what was sent, which is the question's own prompt: of all replies together it is large."""
    replies = {
        name: replace(each, record=replace(each.record, request={"max_tokens": limit_of(each.record.request)}))
        for name, each in asked.replies.items()
    }
    return replace(asked, replies=replies)


def _is_shown(study: Study, repeats: int) -> Callable[[Grade], bool]:
    planned = {name: settings.repeats for name, settings in study.benchmarks.chosen().items()}
    return lambda grade: grade.key.repeat < repeats or grade.key.repeat == planned.get(grade.key.benchmark)


def _more(study: Study, repeats: int) -> str:
    """Say how much is not in the page; empty where all of it is."""
    most = max(settings.repeats for settings in study.benchmarks.chosen().values())
    if repeats >= most:
        return ""
    shown = "the first answer is" if repeats == 1 else f"the first {repeats} answers are"
    return f" Of the {most} answers to each, {shown} here: whichquant show has all."


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

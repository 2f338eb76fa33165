"""`report.html`: one file, nothing loaded from elsewhere. All text is escaped: model output is hostile."""

import base64
import hashlib
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from markupsafe import Markup

from evaluator.analyse.report import Report
from evaluator.decide import wording
from evaluator.report import phrases
from evaluator.report.category_table import category_tables
from evaluator.report.compared import compared, takes
from evaluator.report.drawing import SHAPES
from evaluator.report.fidelity.section import section
from evaluator.report.legend import legend
from evaluator.report.method import method, saved
from evaluator.report.panels import difference_panels, length_panels, limit_panels, quality_pictures
from evaluator.report.picture import kind
from evaluator.report.prompts import prompts
from evaluator.report.questions import QuestionsSection
from evaluator.report.resources import resource_table
from evaluator.report.server import describe
from evaluator.report.spreads import lengths_table
from evaluator.report.svg import mark
from evaluator.report.tables import Table, behind, explored, limits, replies
from evaluator.study.file import yaml_of
from evaluator.text import strip_control
from servers.cache import user_cache

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Template

PAGE = Path(__file__).parent / "page"
"""Templates and style."""
_SEVERITIES = {"block": "blocks the claim", "warn": "weakens the claim", "note": "note"}
_NO_QUESTIONS = QuestionsSection(html="", style="", script="", data="")


def html(report: Report, questions: QuestionsSection = _NO_QUESTIONS) -> str:
    """Write a report as one HTML page.

    Args:
        report: What it shows.
        questions: The part of the page that shows every question and reply; none by default.
    """
    style = (PAGE / "report.css").read_text(encoding="utf-8") + questions.style
    safe = QuestionsSection(**{name: Markup(text) for name, text in msgspec.structs.asdict(questions).items()})  # noqa: S704 - its writer escapes
    view = {**_frame(report), **_verdicts(report), **_looked_at(report), **_how(report)}
    page = template(PAGE / "report.html.j2").render(
        **view,
        questions=safe,
        links=_links(view, has_questions=bool(questions.html)),
        policy=policy(style, questions.script),
        style=Markup(style),  # noqa: S704 - our own
        script=safe.script,
    )
    return page.lstrip()


def policy(style: str, script: str) -> str:
    """Write a Content-Security-Policy that allows these texts, and nothing else, to take effect."""
    scripts = f"script-src {_hash(script)}; " if script else ""
    return f"default-src 'none'; style-src {_hash(style)}; {scripts}base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def template(path: Path) -> "Template":
    """Read a page's template, which may include those beside it; everything that it fills in is escaped."""
    import jinja2  # noqa: PLC0415 - needed only at the end of a run

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=harmless,
        bytecode_cache=_compiled(),
        loader=jinja2.FileSystemLoader(path.parent),
    )
    return environment.get_template(path.name)


def _compiled() -> "BytecodeCache | None":
    """Give the folder of templates that were compiled before, each under the hash of its text; None where none can be.

    Compiling takes longer than everything else in a small report.
    """
    import jinja2  # noqa: PLC0415

    folder = user_cache() / "templates"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return jinja2.FileSystemBytecodeCache(str(folder)) if os.access(folder, os.W_OK | os.X_OK) else None


def harmless(value: object) -> object:
    """Strip control characters from values shown: text from servers and studies is hostile; markup is our own."""
    return strip_control(value) if type(value) is str else value


def _frame(report: Report) -> dict[str, Any]:
    """Give what every part of the page needs."""
    return {
        "report": report,
        "study": report.plan.study,
        "benchmarks": tuple(report.plan.study.benchmarks.chosen()),
        "phrases": phrases,
        "wording": wording,
        "alone": phrases.has_one_variant(report),
        "kind": kind,
        "mark": mark,
        "shapes": SHAPES,
    }


def _verdicts(report: Report) -> dict[str, Any]:
    benchmarks = tuple(report.plan.study.benchmarks.chosen())
    return {
        "recommendation": report.recommendation,
        "pictures": quality_pictures(report),
        "meanings": legend(report, benchmarks, baseline=True),
        "difference_meanings": legend(report, benchmarks, baseline=False),
        "compared": compared(report),
        "takes": takes(report),
        "replies": {benchmark: replies(report, benchmark) for benchmark in benchmarks},
        "severities": _SEVERITIES,
        "grave": phrases.with_one_remedy(report.checks, "block", "warn"),
        "notes": phrases.with_one_remedy(report.checks, "note"),
        "forests": difference_panels(report),
        "saved": saved(report),
        "behind": tuple(filter(None, (behind(report, benchmark) for benchmark in benchmarks))),
    }


def _looked_at(report: Report) -> dict[str, Any]:
    benchmarks = tuple(report.plan.study.benchmarks.chosen())
    return {
        "fidelity": section(report.fidelity, report.fidelity_and_tasks) if report.fidelity else None,
        "categories": category_tables(report),
        "limits": tuple((table, _limits_in_words(report, b)) for b in benchmarks if (table := limits(report, b))),
        "limit_panels": limit_panels(report),
        "lengths": tuple(filter(None, (lengths_table(report, benchmark) for benchmark in benchmarks))),
        "length_panels": length_panels(report),
        "resources": resource_table(report),
    }


def _limits_in_words(report: Report, benchmark: str) -> tuple[str, ...]:
    return tuple(b.sentence for b in report.budgets if b.benchmark == benchmark and b.sentence)


def _how(report: Report) -> dict[str, Any]:
    study = report.plan.study
    known = [variant.name for variant in study.variants if variant.name in report.facts]
    described = [describe(report.facts[name]) for name in known]
    rows = tuple((pairs[0][0], *(value for _, value in pairs)) for pairs in zip(*described, strict=True))
    return {
        "method": method(report),
        "prompts": prompts(report),
        "facts": Table(title="", head=("", *known), rows=tuple(row for row in rows if len(set(row[1:])) > 1)),
        "alike": tuple((row[0], row[1]) for row in rows if len(set(row[1:])) == 1),
        "commands": [(name, command_line(report.facts[name].command)) for name in known if report.facts[name].command],
        "yaml": yaml_of(study),
        "explored": explored(report.exploratory, phrases.itself(report)) if report.exploratory else (),
    }


def command_line(command: Sequence[str]) -> str:
    """Write a command to be pasted into a shell, which is to find the user's folder for a `~` at the beginning."""
    return " ".join(f"~/{shlex.quote(part[2:])}" if part.startswith("~/") else shlex.quote(part) for part in command)


def _links(view: dict[str, Any], *, has_questions: bool) -> Iterator[tuple[str, str]]:
    """Give the parts that the page has, by id and name."""
    parts = (
        ("picture", "Picture", view["pictures"]),
        ("builds", "Table", True),
        ("doubts", "Doubts", view["report"].checks),
        ("differences", "Differences", view["report"].comparisons),
        ("fidelity", "Fidelity", view["fidelity"]),
        ("questions", "Every question", has_questions),
        ("categories", "Categories", view["categories"]),
        ("limits", "Output limit", view["limits"]),
        ("lengths", "Lengths", view["lengths"]),
        ("resources", "Resources", view["resources"]),
        ("how", "How it was run", True),
    )
    yield from ((link, name) for link, name, is_there in parts if is_there)

"""The pages themselves, in Markdown."""

import inspect
from collections.abc import Iterator

import click

from evaluator.analyse.report import Report, RunsReport
from evaluator.cli import main
from evaluator.reference.fields import Field, Titles, as_json, fields, reached
from evaluator.report.log_lines import NOUNS
from evaluator.study.study import Study

_MADE = "\nThis page is made from the program by `python -m evaluator.reference`.\n"
_STUDY = f"""\
# The study file

A study is a YAML file. It says what is compared with what, on which questions, and how a difference is judged.
`whichquant schema` prints the same as a JSON Schema, for editors. The [guide](../guide.md) writes one step by step.
{_MADE}"""
_COMMANDS = f"""\
# Commands

`whichquant COMMAND --help` (or `-h`) shows what stands here, `whichquant --version` the version. Errors go to standard
error, in one sentence.
{_MADE}"""
_REPORT = f"""\
# Fields of report.json

`report.json` in a run's folder holds every number of the report; `evaluator.run_study` returns the same as an object.
Scores, differences and intervals are proportions: 0.05 is five points. Margins of a study are points. Times are seconds
unless a name says hours, sizes are bytes. `null` is unknown, or does not apply. [Concepts](../concepts.md) explains the
words.
{_MADE}"""


_LOG = f"""\
# Lines of --json-log

`whichquant run`, `eval`, `demo` and `check` with `--json-log FILE` add one JSON object a line to FILE for each event,
`-` for standard error; what goes to the screen stays as it is. A run that goes on adds to the same file. `event` says
which of these it is. Times are UTC; no line holds a key, a text of a model or a control character. That the file cannot
be written any more does not end a run.
{_MADE}"""


def study_page() -> str:
    """Write the page on the study file: every key with its type, default and meaning."""
    titles = reached(Study)
    titles[Study] = "study.yaml"
    return _page(_STUDY, _sections(titles, titles, default=True))


def report_page() -> str:
    """Write the page on `report.json`, and on what `compare --json` prints."""
    study = reached(Study)
    nouns = {noun: noun.__name__ for noun in {**reached(Report), **reached(RunsReport)} if noun not in study}
    return _page(_REPORT, _sections(nouns, {**nouns, Study: "study.md"}, default=False))


def log_page() -> str:
    """Write the page on the lines of `--json-log`: each kind of event and its fields."""
    titles = {noun: str(noun.__struct_config__.tag or "A finding") for noun in NOUNS}
    return _page(_LOG, _sections(titles, titles, default=False))


def commands_page() -> str:
    """Write the page on the commands: what each does, its arguments and options, as its own help says."""
    return _page(_COMMANDS, _commands())


def _page(head: str, lines: Iterator[str]) -> str:
    return "\n".join([head, *lines]).rstrip() + "\n"


def _sections(nouns: Titles, titles: Titles, *, default: bool) -> Iterator[str]:
    for noun, title in nouns.items():
        yield from (f"## {title}", "", as_json(" ".join((noun.__doc__ or "").split())), "")
        yield "| key | type | default | meaning |" if default else "| field | type | meaning |"
        yield "|---|---|---|---|" if default else "|---|---|---|"
        for field in fields(noun, titles):
            yield _row(field, default=default)
        yield ""


def _row(field: Field, *, default: bool) -> str:
    value = (field.default or "must be given",) if default else ()
    cells = (f"`{field.name}`", field.type, *value, field.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _commands() -> Iterator[str]:
    commands = {name: main.commands[name] for name in main.list_commands(click.Context(main))}
    yield from ("| command | does |", "|---|---|")
    for name, command in commands.items():
        yield f"| [`whichquant {name}`](#whichquant-{name}) | {command.get_short_help_str(limit=1000)} |"
    yield from ("", main.epilog or "", "")
    for name, command in commands.items():
        context = click.Context(command, info_name=f"whichquant {name}", parent=None)
        usage = " ".join([f"whichquant {name}", *command.collect_usage_pieces(context)])
        yield from (f"## whichquant {name}", "", "```text", usage, "```", "")
        yield from (*(inspect.cleandoc(command.help or "")).splitlines(), "")
        records = [option.get_help_record(context) for option in command.params if isinstance(option, click.Option)]
        if shown := [record for record in records if record]:
            yield from ("| option | meaning |", "|---|---|")
            yield from (f"| `{_cell(names)}` | {_cell(text)} |" for names, text in shown)
            yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {"study.md": study_page, "commands.md": commands_page, "report.md": report_page, "log.md": log_page}
"""By name of the file in docs/reference, what writes it."""

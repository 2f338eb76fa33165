"""The pages of docs/reference are made anew after each change, and name all that there is."""

import re
from collections.abc import Callable

import click
import msgspec
import pytest

from evaluator.analyse.report import Report, RunsReport
from evaluator.cli import main
from evaluator.reference.fields import fields, reached
from evaluator.reference.pages import PAGES
from evaluator.study.study import Study
from tests.support.pages import ROOT, links, read
from tests.test_readme import anchors

AGAIN = "run `python -m evaluator.reference` in the checkout"


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_a_page_is_what_the_program_says_today(name: str, page: Callable[[], str]) -> None:
    assert read(f"docs/reference/{name}") == page(), AGAIN


def sections(page: str) -> dict[str, str]:
    """Return by heading what stands under it."""
    parts = re.split(r"^## (.+)\n", read(f"docs/reference/{page}"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(
    ("page", "root"),
    [("study.md", Study), ("report.md", Report), ("report.md", RunsReport)],
    ids=["study", "report", "runs"],
)
def test_every_field_of_every_noun_has_a_row(page: str, root: type[msgspec.Struct]) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", read(f"docs/reference/{page}"), re.MULTILINE)
    nouns = [noun for noun in reached(root) if root is Study or noun not in reached(Study)]

    assert {name for noun in nouns for name in noun.__struct_fields__} <= set(rows)


@pytest.mark.parametrize("name", main.commands)
def test_every_option_of_every_command_has_a_row_and_no_other(name: str) -> None:
    section = sections("commands.md")[f"whichquant {name}"]
    named = {
        text
        for cell in re.findall(r"^\| `(--?[^`]+)` \|", section, re.MULTILINE)
        for text in re.findall(r"(?<![\w-])--?[\w-]+", cell)
    }
    options = [option for option in main.commands[name].params if isinstance(option, click.Option)]

    assert named == {text for option in options if not option.hidden for text in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("page", PAGES)
def test_links_within_a_page_lead_to_its_headings(page: str) -> None:
    there = anchors(ROOT / "docs" / "reference" / page)

    assert {target[1:] for target in links(read(f"docs/reference/{page}")) if target.startswith("#")} <= there


class Undescribed(msgspec.Struct):
    thing: int


class Described(msgspec.Struct):
    """A noun."""

    thing: int = 3
    """How many there are; None of them."""
    other: tuple[str, ...] = ()
    """In words."""


def test_a_field_without_a_word_about_it_is_an_error() -> None:
    with pytest.raises(ValueError, match="thing is not described"):
        list(fields(Undescribed, {}))


def test_a_field_is_told_in_words() -> None:
    thing, other = fields(Described, {})

    assert thing == ("thing", "whole number", "`3`", "How many there are; null of them.")
    assert other == ("other", "list of text", "none", "In words.")

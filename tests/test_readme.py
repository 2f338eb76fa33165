"""What the pages say of the repository is so: the file tree, the make targets, links, files that are named."""

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.test_layout import EVALUATOR, FILES, SERVERS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORKING = (ROOT / "docs" / "working-on-it.md").read_text(encoding="utf-8")
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "findings/**/*.md", "evaluator/**/*.md", "servers/**/*.md", "runs/*.md")
    for page in ROOT.glob(pattern)
)
NOT_THERE_YET: set[str] = set()
"""Entries of the tree that come with the work that is under way."""


class Entry(NamedTuple):
    path: str
    comment: str


def tree() -> list[Entry]:
    """Read the file tree, whose indentation of two spaces is a folder's."""
    (block,) = re.findall(r"^```text\n(.*?)^```$", WORKING, re.MULTILINE | re.DOTALL)
    entries, folder = [], ""
    for line in block.strip("\n").splitlines():
        name, _, comment = line.strip().partition(" ")
        path = folder + name if line.startswith("  ") else name
        folder = folder if line.startswith("  ") else name
        entries.append(Entry(path, comment.strip()))
    return entries


TREE = tree()


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(
            entry,
            id=entry.path,
            marks=pytest.mark.xfail(strict=True, reason="to come") if entry.path in NOT_THERE_YET else (),
        )
        for entry in TREE
    ],
)
def test_what_the_tree_names_exists_and_is_explained(entry: Entry) -> None:
    place = ROOT / entry.path
    assert place.is_dir() if entry.path.endswith("/") else place.is_file()
    assert entry.comment


def test_the_tree_names_each_once() -> None:
    paths = [entry.path for entry in TREE]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize("package", ["evaluator", "servers"])
def test_the_tree_names_every_module_and_folder_of_a_package(package: str) -> None:
    """A folder stands for its files."""
    parts = [name.split(".") for name in FILES if name.startswith(f"{package}.")]
    folders = {second for _, second, *rest in parts if rest}
    there = {f"{package}/{second}/" if second in folders else f"{package}/{second}.py" for _, second, *_ in parts}

    assert there <= {entry.path for entry in TREE}


@pytest.mark.parametrize(("package", "order"), [("evaluator", EVALUATOR), ("servers", SERVERS)], ids=str)
def test_the_tree_has_the_order_of_imports(package: str, order: tuple[str, ...]) -> None:
    shown = [entry.path.split("/")[1].removesuffix(".py") for entry in TREE if entry.path.startswith(f"{package}/")]
    shown = [name for name in shown if name]

    assert shown == [name for name in order if name in shown]


def test_the_folders_of_tests_are_named_or_mirror_the_program() -> None:
    there = {place.name for place in (ROOT / "tests").iterdir() if place.is_dir() and any(place.rglob("*.py"))}
    named = {entry.path.split("/")[1] for entry in TREE if entry.path.startswith("tests/")}
    program = {entry.path.split("/")[1] for entry in TREE if entry.path.startswith("evaluator/")} | {"servers"}

    assert there <= named | program


def test_the_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README + WORKING, re.MULTILINE))

    assert "test" in named
    assert named <= targets


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        place = (ROOT / page).parent / path if path else ROOT / page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), target


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for path in re.findall(r"`((?:evaluator|servers|tests|docs|findings)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path


def test_the_tests_that_the_runtimes_rest_on_exist() -> None:
    text = (ROOT / "servers" / "README.md").read_text(encoding="utf-8")
    file = ""
    for path, name in re.findall(r"`(tests/[\w/]+\.py)`|`(test_\w+)`", text):
        file = path or file
        assert path or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}: {name}"


def test_the_source_distribution_has_every_folder_of_the_tree() -> None:
    """`make test` runs from it as from a clone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    include = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]

    assert {entry.path.split("/")[0] for entry in TREE} | {"Makefile", "uv.lock"} <= set(include)


@pytest.mark.parametrize("package", ["evaluator", "servers"])
def test_the_packages_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()

"""What README and docs/ show works as it stands: commands, study files, Python, links."""

import contextlib
import importlib.util
import io
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml
from click.testing import CliRunner

from evaluator import load_study
from evaluator.cli import main
from evaluator.fidelity import subjects
from servers.fake import Reply
from servers.weights import source
from tests.support import scripted_logits
from tests.support.model_files import gguf_bytes
from tests.support.pages import PAGES, ROOT, Block, Command, blocks, commands, links, read
from tests.support.probe_scripts import honest
from tests.support.scripted import ANSWERS, Bench, prompt_of, wrong

BLOCKS = [block for page in PAGES for block in blocks(page, read(page))]
COMMANDS = [command for block in BLOCKS for command in commands(block)]
OURS = [command for command in COMMANDS if command.words[0] == "whichquant"]
NEEDS_SERVER = {"run", "eval", "check", "serve", "demo", "servers", "serve-report", "watch", "fidelity"}
"""Those that start, ask or look for servers, evaluate models, or go on until they are stopped: they are parsed, and not
executed."""
EXECUTED = {command.words: command for command in OURS if command.words[1] not in NEEDS_SERVER}
STUDIES = [block for block in BLOCKS if block.language == "yaml" and "study" in yaml.safe_load(block.text)]
PYTHON = "docs/python.md"
ANSWERS_FILE = '{"question_id": 70, "text": "The answer is (A)."}\n'
STUDY = """\
study: two-builds
baseline: q8
variants:
  - {{name: q8, model: q8, base_url: "{q8}"}}
  - {{name: q4, model: q4, base_url: "{q4}"}}
benchmarks: {{mmlu_pro: {{questions: 20, shots: 0, margin: 10}}}}
"""


def mistaken(body: Any, number: int) -> Reply:
    return wrong(body) if prompt_of(body) in ANSWERS else honest(body, number)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder that has what the pages' commands name: studies, a run of each name, answers, counts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for block in STUDIES:
        (tmp_path / "study.yaml").write_text(block.text)
        (tmp_path / f"{yaml.safe_load(block.text)['study']}.yaml").write_text(block.text)
    (tmp_path / "answers.jsonl").write_text(ANSWERS_FILE)
    shutil.copytree(ROOT / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("demo-*"))
    return tmp_path


@pytest.mark.parametrize("command", OURS, ids=str)
def test_every_command_has_these_arguments_and_options(command: Command) -> None:
    if command.words[1].startswith("-"):
        main.make_context("whichquant", list(command.words[1:]), resilient_parsing=True)
        return
    name, *arguments = command.words[1:]
    with contextlib.suppress(click.exceptions.Exit):  # --help
        main.commands[name].make_context(name, arguments)


@pytest.mark.parametrize("command", EXECUTED.values(), ids=str)
def test_every_command_without_a_server_does_its_work(command: Command, scratch: Path) -> None:
    for word in command.words:
        if word.startswith("runs/") and not (scratch / word).exists():
            shutil.copytree(ROOT / "runs" / "example-demo", scratch / word)
        if word.endswith(".gguf"):
            (scratch / word).write_bytes(gguf_bytes())

    result = CliRunner().invoke(main, list(command.words[1:]))

    assert result.exit_code in ({0, 1} if command.words[1] == "sandbox" else {0}), result.output
    assert result.output.strip()


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.words[:2] == ("python", "-m")], ids=str)
def test_modules_that_are_run_exist(command: Command) -> None:
    assert importlib.util.find_spec(command.words[2])


@pytest.mark.parametrize("block", STUDIES, ids=lambda block: f"{block.page}-{yaml.safe_load(block.text)['study']}")
def test_every_study_is_one(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(block.text)

    study = load_study(file).study

    assert study.baseline in {variant.name for variant in study.variants}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("whichquant run s.yaml  # asks", [("whichquant", "run", "s.yaml")], id="comment"),
        pytest.param("a 1 && whichquant schema", [("a", "1"), ("whichquant", "schema")], id="two"),
        pytest.param("whichquant schema > file", [("whichquant", "schema")], id="into-a-file"),
        pytest.param("whichquant report \\\n  runs/x", [("whichquant", "report", "runs/x")], id="two-lines"),
        pytest.param(
            "whichquant compare --counts 'a: {b: 1/2}'",
            [("whichquant", "compare", "--counts", "a: {b: 1/2}")],
            id="quoted",
        ),
        pytest.param("\n# nothing\n", [], id="comment-alone"),
    ],
)
def test_commands_are_read(text: str, found: list[tuple[str, ...]]) -> None:
    assert [command.words for command in commands(Block("page", "sh", text))] == found


def test_a_block_must_say_what_it_is() -> None:
    with pytest.raises(ValueError, match="page: a block without a language: 'whichquant"):
        blocks("page", "```\nwhichquant run\n```\n")


@pytest.mark.parametrize("page", PAGES)
def test_links_to_other_places_are_addresses(page: str) -> None:
    """Nobody is asked whether they are there."""
    for target in links(read(page)):
        if ":" in target:
            parts = urlsplit(target)
            assert parts.scheme == "https", target
            assert "." in parts.netloc, target


def test_no_page_is_left_alone() -> None:
    """Every page of docs/ is linked from README, or from a page that is."""
    found, waiting = {"README.md"}, ["README.md"]
    while waiting:
        page = waiting.pop()
        for target in links(read(page)):
            path = (ROOT / page).parent.joinpath(target.partition("#")[0]).resolve()
            name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
            if name in PAGES and name not in found:
                found.add(name)
                waiting.append(name)

    assert found == set(PAGES)


def test_python_stands_on_one_page() -> None:
    assert {block.page for block in BLOCKS if block.language == "python"} == {PYTHON}


def test_the_page_has_code_for_each_function_of_the_api() -> None:
    text = "\n".join(block.text for block in BLOCKS if block.language == "python")

    for name in (
        *("run_study", "evaluate", "check_study", "plan_study", "compare", "compare_counts", "load_run"),
        "measure_fidelity",
    ):
        assert f"evaluator.{name}(" in text or f"evaluator.{name}," in text, name
    assert "evaluator.extract_choice(" in text
    assert "evaluator.extract_code(" in text


def test_every_block_of_python_runs_one_after_the_other(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.study(1, q8=honest, q4=mistaken)
    urls = {name: fake.base_url for name, fake in bench.fakes.items()}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY.format(**urls))
    monkeypatch.setattr(
        subjects, "command", lambda subject, _: [sys.executable, scripted_logits.__file__, str(subject.path)]
    )
    monkeypatch.setattr(source, "gguf_file", lambda path: path)
    for model, content in {"F16": "0 0 50", "Q4_0": "2 0.3 50"}.items():
        (tmp_path / f"model-{model}.gguf").write_text(content)
    names: dict[str, object] = {}
    printed = io.StringIO()

    with contextlib.redirect_stdout(printed):
        for block in [block for block in BLOCKS if block.language == "python"]:
            code = block.text.replace("http://127.0.0.1:8080/v1", urls["q8"])
            exec(compile(code.replace("http://127.0.0.1:8081/v1", urls["q4"]), PYTHON, "exec"), names)

    lines = printed.getvalue().splitlines()
    assert "clearly worse - q4 is clearly worse than q8 on MMLU-Pro" in printed.getvalue()
    assert "40 right answers" in lines  # q8 is asked twice, to see how far it differs from itself
    assert 'the study:2: baseline: "q5" is no variant of this study: name one of q8, q4' in lines
    assert "baseline 2 2" in lines
    assert any(line.startswith("model-Q4_0 ") and line.endswith(" worse") for line in lines)

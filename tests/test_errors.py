"""One tree of errors: each is drawn, has an exit code, and says in one sentence what, where and what to do."""

import ast
import builtins
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

import evaluator
import evaluator.errors
import servers
import servers.errors
from evaluator import cli
from evaluator.checks.rule import Check
from evaluator.errors import BadLineError, Blocked, ServerLost, StudyError
from servers.errors import (
    DiskFullError,
    LaterVersionError,
    ModelError,
    PortTakenError,
    ServerError,
    SpecError,
    WhichquantError,
)

ROOT = Path(__file__).parents[1]
NOT_IN_THE_TREE = {
    "RefusedError": "sandbox: a value of an answer, told to the judge; the child imports nothing of the program",
    "_AnswerEndedError": "sandbox: ends the judge's tests when the answer's process is gone, past what they catch",
    "_OutputError": "sandbox: ends the judge's tests when the answer's process writes nonsense, past what they catch",
    "StoppedError": "sandbox: ends a worker that nobody waits for; its pool catches it",
    "LostError": "sandbox: a worker's process is gone; its pool makes it the reason of a verdict",
    "_Ending": "signals: carries what ends the work out of its tasks, which would break the loop off; `run` unwraps it",
}
AS_HTTPX2_RAISES_THEM = {
    error.__name__
    for error in vars(httpx2).values()
    if isinstance(error, type) and issubclass(error, httpx2.TransportError)
}
"""Raised within `evaluator.ask` only, whose client makes a Failure of each."""
OF_HTTPX2 = {ROOT / "evaluator" / "ask" / name for name in ("connections.py", "frames.py")}


def tree(error: type[WhichquantError]) -> Iterator[type[WhichquantError]]:
    yield error
    for below in error.__subclasses__():
        yield from tree(below)


def sources() -> list[Path]:
    return [
        path
        for package in ("evaluator", "servers")
        for path in (ROOT / package).rglob("*.py")
        if "making" not in path.parts
    ]


@pytest.fixture(scope="module")
def errors() -> list[type[WhichquantError]]:
    """Every class of the tree, with every module of the product imported."""
    for package in (evaluator, servers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__") and ".making" not in module.name:
                importlib.import_module(module.name)
    return [error for error in tree(WhichquantError) if not error.__module__.startswith("tests")]


def test_every_error_has_an_exit_code_and_says_what_it_is(errors: list[type[WhichquantError]]) -> None:
    for error in errors:
        assert error.exit_code in {1, 2, 3, 4}, error
        assert error.__doc__, error


def test_every_error_is_drawn_with_its_place_and_exit_code(errors: list[type[WhichquantError]]) -> None:
    drawn = re.findall(r"^( *)[*x-] (\w+) +(\d?)", str(evaluator.errors.__doc__), re.MULTILINE)
    ours = re.findall(r"^( *)[*x-] (\w+) +(\d?)", str(servers.errors.__doc__), re.MULTILINE)

    depths = {error.__name__: len(error.__mro__) - len(WhichquantError.__mro__) for error in errors}
    codes = {error.__name__: str(error.exit_code) for error in errors if error is not WhichquantError}
    assert {name: len(indent) // 2 for indent, name, _ in drawn} == depths
    assert {name: code for _, name, code in drawn if code} == codes
    assert {(name, code) for _, name, code in ours} <= {(name, code) for _, name, code in drawn}
    assert {name for _, name, _ in ours} == {e.__name__ for e in errors if e.__module__ == "servers.errors"}


def test_what_is_raised_hangs_in_the_tree_or_is_pythons_own(errors: list[type[WhichquantError]]) -> None:
    names = {error.__name__ for error in errors}

    defined, raised = set(), set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                if any(base in names or base.endswith(("Error", "Exception")) for base in bases):
                    defined.add(node.name)
            elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call | ast.Name | ast.Attribute):
                called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                name = getattr(called, "id", getattr(called, "attr", ""))
                if path in OF_HTTPX2 and name in AS_HTTPX2_RAISES_THEM:
                    continue
                if name[:1].isupper() or name[:2].lstrip("_").isupper():
                    raised.add(name)

    assert defined - names == set(NOT_IN_THE_TREE)
    assert {name for name in raised - names - set(NOT_IN_THE_TREE) if not hasattr(builtins, name)} == set()


CHECK = Check(code="thinking_on", severity="block", variant="q4", message="it thinks", advice="turn it off")


@pytest.mark.parametrize(
    ("error", "sentence", "code"),
    [
        pytest.param(StudyError("it is wrong"), "it is wrong", 2, id="problem"),
        pytest.param(StudyError("empty", remedy="name one"), "empty: name one", 2, id="remedy"),
        pytest.param(StudyError("empty", source=Path("a/s.yaml")), "a/s.yaml: empty", 2, id="source"),
        pytest.param(
            StudyError("empty", source="s.yaml", line=3, key="variants[0].name", remedy="name one"),
            "s.yaml:3: variants[0].name: empty: name one",
            2,
            id="everything",
        ),
        pytest.param(BadLineError("not JSON", source="a.jsonl", line=7), "a.jsonl:7: not JSON", 2, id="line"),
        pytest.param(SpecError("takes one", key="args"), "args: takes one", 2, id="key"),
        pytest.param(ServerError("gone"), "gone", 3, id="server"),
        pytest.param(PortTakenError("taken"), "taken", 3, id="port"),
        pytest.param(ModelError("absent"), "absent", 3, id="model"),
        pytest.param(LaterVersionError("of version 4"), "of version 4", 3, id="later-version"),
        pytest.param(DiskFullError("full", source="runs/s"), "runs/s: full", 4, id="disk"),
        pytest.param(ServerLost("it hangs", restartable=True), "it hangs", 3, id="lost"),
        pytest.param(
            Blocked([CHECK], source="runs/s"),
            "runs/s: nothing was asked, since the claim would be blocked: q4: it thinks:"
            " mend that, or ask all the same with force",
            1,
            id="blocked",
        ),
    ],
)
def test_an_error_is_one_sentence_and_ends_the_program_with_its_code(
    error: WhichquantError, sentence: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr("evaluator.commands.sandbox.show_sandbox", fail)

    result = CliRunner().invoke(cli.main, ["sandbox"])

    assert str(error) == sentence
    assert (result.exit_code, result.stderr) == (code, f"whichquant: {sentence}\n")


def test_who_catches_an_error_finds_its_parts() -> None:
    blocked, lost = Blocked([CHECK]), ServerLost("it hangs", restartable=True)
    wrong = StudyError("empty", source=Path("s.yaml"), line=3, key="variants", remedy="name one")

    assert blocked.checks == (CHECK,)
    assert lost.restartable
    assert (wrong.source, wrong.line, wrong.key, wrong.problem, wrong.remedy) == (
        *("s.yaml", 3, "variants", "empty"),
        "name one",
    )

"""Whole runs of small studies of fake servers in which something is planted: what was found, and when."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec
from click.testing import CliRunner, Result
from msgspec import Struct
from msgspec.structs import replace
from tenacity import wait_fixed

from evaluator.ask import retry
from evaluator.checks.rule import Check, CheckInput
from evaluator.checks.table import before
from evaluator.cli import main
from evaluator.preflight import preflight
from evaluator.records import limit_of
from servers.fake import FakeModel, FakeServer, Reply
from servers.fake.dialects import LLAMA_SERVER, PLAIN, Dialect
from tests.support.model_files import gguf_bytes
from tests.support.probe_scripts import honest, thinking
from tests.support.scripted import ANSWERS, HUMANEVAL, prompt_of, without_noise_floor

SAMPLING = "temperature: 0, max_tokens: 800, top_p: 1, top_k: 0, min_p: 0"
"""All is said, so that no server is left to its own defaults."""
SHORT = "temperature: 0, max_tokens: 800"
"""For a runtime that cannot be told all of that."""
HOT = SAMPLING.replace("temperature: 0", "temperature: 0.7")
OFF, ON = "thinking: false", "thinking: true"
_TRIED_WITH = 768
"""Tokens at most, of a question of the study while the server is tried."""
Script = Callable[[Any, int], Reply]
PROGRAM = """\
#!{python}
import asyncio, json, sys, types
sys.path[:0] = [{root!r}]
# What takes half a second to import is not needed for these.
sys.modules["tests.support.scripted"] = types.SimpleNamespace(ANSWERS=json.load(open({answers!r})))
from tests.support.probe_scripts import honest
from servers.fake import FakeModel, FakeServer
from servers.fake.dialects import LLAMA_SERVER

words = dict(zip(sys.argv, sys.argv[1:]))
kind = {kv!r} or words.get("-ctk", "f16")
if {tells!r}:
    print(f"llama_kv_cache: size = 1.00 MiB (512 cells), K ({{kind}}): 0.50 MiB, V ({{kind}}): 0.50 MiB", flush=True)

async def main():
    context = int(words["-c"]) // int(words["-np"])
    model = FakeModel(id=words["--alias"], served_context=context, path=words["-m"])
    fake = FakeServer(honest, dialect=LLAMA_SERVER, models=[model], port=int(words["--port"]))
    fake.state.loaded[model.id]["parallel"] = int(words["-np"])
    async with fake:
        await asyncio.sleep(3600)

asyncio.run(main())
"""
"""A llama-server to be started: it says in its log of which type its KV cache is, if it tells."""


class Program(Struct, frozen=True, kw_only=True):
    """A server that whichquant starts."""

    kv: str = ""
    """Of the KV cache whatever is asked for; empty obeys."""
    tells: bool = True
    weights: bytes = b""
    starts: bool = True


class Served(Struct, frozen=True, kw_only=True):
    """How a variant is served."""

    script: Any = honest
    """A function of a request's body and number, or a class of these where it remembers something."""
    dialect: Dialect = PLAIN
    model: FakeModel | None = None
    """None is one of the variant's name."""
    pages: Mapping[str, Any] = {}
    settings: str = ""
    """Further keys of the variant."""
    shared: bool = False
    """Whether the baseline's server answers for this variant as well."""
    program: Program | None = None
    """Of a server that is started; the other fields but `settings` are then of no matter."""


class PlantedRun(Struct, frozen=True, kw_only=True):
    """A study of two variants, `good` and `bad`, and what is done after its run."""

    good: Served = Served()
    bad: Served = Served()
    benchmark: str = "mmlu_pro: {questions: 20, shots: 0, margin: 10}"
    sampling: str = SAMPLING
    concurrency: int = 3
    extra: str = ""
    options: tuple[str, ...] = ("--force",)
    then: Callable[[Path], object] | None = None
    """Is given the study's file."""


class Findings(NamedTuple):
    """What the checks found."""

    before: tuple[Check, ...]
    """Before the first question was put."""
    after: tuple[Check, ...]
    """In the report."""


def run_in(folder: Path, planted: PlantedRun) -> Findings:
    """Run a study, with the check that is its first step, and read its report."""
    with ExitStack() as stack:
        seen = stack.enter_context(_listening())
        stack.enter_context(patch.object(retry, "wait_exponential_jitter", lambda **_: wait_fixed(0.01)))
        study = _written(planted, folder, stack)
        result = whichquant("run", study, *planted.options)
        report = folder / "runs" / "s" / "report.json"
        if not report.exists():
            raise AssertionError(result.output)
        first = tuple(seen)
        if planted.then:
            planted.then(study)
        checks = json.loads(report.read_text())["checks"]
    return Findings(first, msgspec.convert(checks, tuple[Check, ...]))


def whichquant(command: str, study: Path, *more: str) -> Result:
    """Give a command that takes a study."""
    return CliRunner().invoke(main, [command, str(study), "--runs", str(study.parent / "runs"), *more])


def edited(change: Callable[[dict[str, Any], int], dict[str, Any]]) -> Callable[[Path], None]:
    """Change the records of `bad`, each given with its number, and have the report written again."""

    def then(study: Path) -> None:
        run = study.parent / "runs" / "s"
        path = run / "records" / "bad.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(change(record, i)) + "\n" for i, record in enumerate(records)))
        result = CliRunner().invoke(main, ["report", str(run)])
        if result.exit_code not in (0, 1):
            raise AssertionError(result.output)

    return then


def again(old: str = "", new: str = "", *more: str) -> Callable[[Path], None]:
    """Change the study's file, and run it again."""

    def then(study: Path) -> None:
        study.write_text(study.read_text().replace(old, new))
        result = whichquant("run", study, "--force", *more)
        if result.exit_code not in (0, 1):
            raise AssertionError(result.output)

    return then


def at_questions(change: Callable[[Reply], Reply], *, one_in: int = 1, script: Script = honest) -> Script:
    """Answer otherwise when the study puts its questions, and not while the server is tried; to one in so many."""

    def answer(body: Any, number: int) -> Reply:
        reply = script(body, number)
        return change(reply) if put(body) and _number(prompt_of(body)) % one_in == 0 else reply

    return answer


def put(body: Any) -> bool:
    """Whether this is a question of the study, put: the check before it gives it fewer tokens."""
    return prompt_of(body) in ANSWERS and (limit_of(body) or 0) > _TRIED_WITH


def changed_reply(**changes: Any) -> Callable[[Reply], Reply]:
    """Return a function that changes a reply."""
    return lambda reply: replace(reply, **changes)


def coding(body: Any, number: int) -> Reply:
    """Answer HumanEval's problems as well, with stubs."""
    problem = HUMANEVAL.get(prompt_of(body))
    return Reply(text=f"```python\n{problem.code_prompt}    pass\n```") if problem else honest(body, number)


def _number(text: str) -> int:
    return int(hashlib.md5(text.encode()).hexdigest(), 16)


@contextmanager
def _listening() -> Iterator[list[Check]]:
    """Give what the checks before the first question found."""
    seen: list[Check] = []

    def listened(given: CheckInput) -> tuple[Check, ...]:
        checks = before(given)
        seen.extend(checks)
        return checks

    with patch.object(preflight, "before", listened):
        yield seen


def _written(planted: PlantedRun, folder: Path, stack: ExitStack) -> Path:
    """Start the servers that run already, and write the study."""
    lines, at = [], ""
    for name, served in (("good", planted.good), ("bad", planted.bad)):
        if served.program:
            where = _program(served.program, folder / name)
        else:
            model = served.model or FakeModel(id=name, served_context=16_384)
            if not served.shared:
                script = served.script() if isinstance(served.script, type) else served.script
                fake = FakeServer(script, dialect=served.dialect, models=[model], pages=served.pages)
                fake.state.loaded[model.id]["parallel"] = planted.concurrency
                at = stack.enter_context(fake).base_url
            where = f'model: {model.id}, base_url: "{at}"'
        lines.append(f"  - {{name: {name}, {where}{', ' if served.settings else ''}{served.settings}}}")
    study = folder / "study.yaml"
    text = (
        "study: s\nbaseline: good\nvariants:\n" + "\n".join(lines) + f"\nbenchmarks: {{{planted.benchmark}}}\n"
        f"sampling: {{{planted.sampling}}}\nconcurrency: {planted.concurrency}\n{planted.extra}"
    )
    study.write_text(without_noise_floor(text))
    return study


def _program(program: Program, folder: Path) -> str:
    folder.mkdir()
    binary, model, root = folder / "llama-server", folder / f"{folder.name}.gguf", Path(__file__).parents[2]
    answers = folder / "answers.json"
    answers.write_text(json.dumps(ANSWERS))
    words = {"python": sys.executable, "root": str(root), "answers": str(answers)}
    binary.write_text(
        PROGRAM.format(**words, kv=program.kv, tells=program.tells)
        if program.starts
        else "#!/bin/sh\necho error: unknown argument: --flash >&2; exit 1\n"
    )
    binary.chmod(0o755)
    model.write_bytes(gguf_bytes() + (program.weights or folder.name.encode()))
    return f"runtime: llama_server, model: {model}, binary: {binary}"


def model(**more: Any) -> FakeModel:
    return FakeModel(**{"id": "bad", "served_context": 16_384, **more})


def llama(**more: Any) -> Served:
    return Served(dialect=LLAMA_SERVER, **more)


def started(kv: str = "", settings: str = "", **more: Any) -> Served:
    return Served(program=Program(kv=kv, **more), settings=settings)


def with_script(script: Any, **more: Any) -> PlantedRun:
    """A study of two servers without a dialect, of which the second answers so."""
    return PlantedRun(bad=Served(script=script), **more)


def thoughts(change: Callable[[Reply], Reply], one_in: int = 1, **more: Any) -> PlantedRun:
    """A study of two llama-servers that are to think; the thoughts of one are changed."""
    on = {"settings": "thinking: true"}
    script = at_questions(change, one_in=one_in, script=thinking)
    return PlantedRun(good=llama(script=thinking, **on), bad=llama(script=script, **on), **more)

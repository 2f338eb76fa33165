"""Write the folder of a run as large as real ones get, without asking anybody: questions, replies, grades, facts.

`python -m tests.support.large_run FOLDER --questions 5000 --variants 4` writes one; `whichquant report FOLDER` then
makes its report. The questions are real ones. The replies are put together from sentences of real solutions, so that
they compress as replies do: an answer of 1 to 2 kB, and thinking of 4 to 8 kB before some of them. Which are right is
drawn, with a seed; all files are written by the code that writes them in a real run.
"""

import argparse
import datetime as dt
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec

from evaluator.benchmarks import data_files, gsm8k, humaneval, mmlu_pro
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox
from evaluator.records import Alone, Answer, Failure, Grade, Question, Record
from evaluator.store.facts import keep_facts
from evaluator.store.folder import grades_path, open_for_writing, records_path, write
from evaluator.store.journal import Journal
from evaluator.store.resources import Measured, keep_measured
from evaluator.study.file import parse
from evaluator.study.requests import Ask, plan, plan_again
from evaluator.study.study import Study
from servers.spec import Machine, ServerFacts, Usage


class Build(NamedTuple):
    """A quantized build: how large it is, how fast, and how well it answers."""

    name: str
    bits: float
    accuracy: float
    speed: float
    """Tokens a second."""


BUILDS = (
    Build("q8_0", 8.5, 0.62, 41.0),
    Build("q6_k", 6.56, 0.62, 49.0),
    Build("q4_k_m", 4.85, 0.61, 62.0),
    Build("q2_k", 2.96, 0.48, 80.0),
    Build("q5_k_m", 5.7, 0.615, 55.0),
    Build("iq3_xs", 3.3, 0.55, 71.0),
)
PARAMETERS = 8_030_261_248
GRADER = Grader(NoSandbox(reason="no sandbox", install=""))
LIMIT = 4096


class Size(NamedTuple):
    """How much is written."""

    questions: int = 5000
    variants: int = 4
    repeats: int = 1
    again: int = 200
    """Questions that the baseline is asked twice, of each benchmark."""
    thinking: float = 0.25
    """Share of replies with thinking before them."""
    code: int = 1
    """Whether a quarter of the questions is HumanEval's, as far as there are so many; 0 for none."""


def write_run(folder: Path, size: Size, *, edit: Callable[[Record, int], Record] | None = None) -> Study:
    """Write a run's folder; `report.json` and the like are left to `whichquant report`.

    Args:
        folder: To be made.
        size: How much.
        edit: Changes a record before it is graded and written; it is given the number of its question, from 0.
    """
    text = _yaml(folder.name, size)
    study = parse(text, "s")
    with open_for_writing(study, text, folder) as made:
        asks = plan(study, made.order)
    again = plan_again(study, asks)
    grades = []
    for build in BUILDS[: size.variants]:
        mine = (*asks, *again) if build.name == study.baseline else asks
        written = [
            _written(build, number, ask, size, edit or (lambda record, _: record)) for number, ask in enumerate(mine)
        ]
        with Journal(records_path(folder, build.name)) as journal:
            journal.append(record for record, _ in written)
        grades += [grade for _, grade in written]
        keep_facts(folder, build.name, _facts(build), known=False)
        keep_measured(folder, build.name, _measured(build))
    write(grades_path(folder), b"".join(msgspec.json.encode(grade) + b"\n" for grade in grades))
    return study


def _yaml(name: str, size: Size) -> str:
    code = min(humaneval.TOTAL, size.questions // 4) * size.code
    asked = f"\n  humaneval: {{questions: {code}, margin: 6, repeats: {size.repeats}}}" if code else ""
    lines = [f"  - {{name: {b.name}, runtime: llama_server, model: m-{b.name}.gguf}}" for b in BUILDS[: size.variants]]
    variants = "\n".join(lines)
    return f"""\
study: {name}
baseline: {BUILDS[0].name}
note: Made up to try the report with; no model was asked.
variants:
{variants}
benchmarks:
  mmlu_pro: {{questions: {size.questions - code}, shots: 5, margin: 3, repeats: {size.repeats}}}{asked}
sampling: {{temperature: 0, max_tokens: {LIMIT}}}
decide: {{noise_floor: {size.again}}}
"""


def _written(
    build: Build, number: int, ask: Ask, size: Size, edit: Callable[[Record, int], Record]
) -> tuple[Record, Grade]:
    """Draw what a build replies, and grade it."""
    key, question = ask.key, ask.question
    shared, own = Random(f"{key.benchmark} {key.question_id}"), Random(f"{build.name} {key}")
    hard = shared.random()
    right = hard < build.accuracy if own.random() < 0.93 else own.random() < build.accuracy
    fate = own.random()
    request: dict[str, Any] = {"model": f"m-{build.name}.gguf", "messages": list(question.prompt.messages)}
    request |= {"temperature": 0.0, "max_tokens": ask.sampling.max_tokens}
    record = Record(key=key, variant=build.name, started=_started(number), request=request)
    if fate < 0.003:
        failure = Failure(kind="timeout", message="no token for 600 s", text=prose(own, 300))
        record = edit(msgspec.structs.replace(record, failure=failure), number)
        return record, GRADER.grade(record, question)
    cut = fate < 0.02
    words = _text(question, right=right, shared=shared, own=own, fate=fate)
    answer = _answer(build, words, own, cut=cut, thinking=fate > 1 - size.thinking)
    record = edit(msgspec.structs.replace(record, answer=answer), number)
    return record, _grade(record, question, right=right and not cut)


def _answer(build: Build, words: str, own: Random, *, cut: bool, thinking: bool) -> Answer:
    thought = prose(own, own.randint(4000, 8000)) if thinking else ""
    if cut:
        words = words[: int(len(words) * 0.7)]
    tokens = LIMIT if cut else max(1, (len(words) + len(thought)) // 4)
    return Answer(
        text=words,
        reasoning=thought,
        finish_reason="length" if cut else "stop",
        prompt_tokens=own.randint(900, 2600),
        completion_tokens=tokens,
        cached_tokens=0,
        first_token_s=0.2 + own.random(),
        duration_s=1.0 + tokens / build.speed,
        model=f"m-{build.name}.gguf",
    )


def _text(question: Question, *, right: bool, shared: Random, own: Random, fate: float) -> str:
    """Write an answer: the builds begin alike, and part somewhere."""
    if question.kind == "code":
        return _program(question, right=right)
    length = shared.randint(900, 2000)
    common = prose(Random(shared.random()), int(length * shared.random() * 0.5))
    rest = prose(own, length - len(common))
    if fate < 0.03:
        return f"{common} {rest}"
    wrong = [letter for letter in question.letters if letter != question.answer]
    letter = question.answer if right else shared.choice(wrong) if own.random() < 0.6 else own.choice(wrong)
    return f"Let's think step by step.\n\n{common} {rest}\n\nThe answer is ({letter})."


def _program(question: Question, *, right: bool) -> str:
    solution = _solutions()[question.id] if right else "    return None\n"
    return f"Here is the function:\n\n```python\n{question.code_prompt}{solution}```\n"


def _grade(record: Record, question: Question, *, right: bool) -> Grade:
    """Grade a reply; a program's outcome is the one that was drawn, since nothing is run."""
    grade = GRADER.grade(record, question)
    if question.kind != "code" or grade.outcome != "not_scored":
        return grade
    outcome, why = ("correct", "it passes all tests") if right else ("wrong", "AssertionError")
    return msgspec.structs.replace(grade, outcome=outcome, why=f"the code block; {why}")


def prose(rng: Random, characters: int) -> str:
    """Put sentences of real solutions and questions together, to about so many characters."""
    sentences, parts, length = _sentences(), [], 0
    while length < characters:
        parts.append(sentences[int(rng.random() * len(sentences))])
        length += len(parts[-1]) + 1
    return " ".join(parts)


@cache
def _sentences() -> tuple[str, ...]:
    def texts() -> Iterator[str]:
        for row in gsm8k.test_rows():
            yield row.reasoning
            yield row.question
        for question in mmlu_pro.load(shots=0):
            yield question.prompt.messages[0]["content"].partition("Question: ")[2].partition("\nOptions:")[0]

    found = (s for text in texts() for s in re.split(r"(?<=[.?!])\s+|\n+", text) if 20 < len(s) < 300)
    return tuple(dict.fromkeys(found))


@cache
def _solutions() -> dict[str, str]:
    rows = data_files.rows(humaneval._DATA, humaneval._Row)
    return {row.task_id: row.canonical_solution for row in rows}


def _started(number: int) -> str:
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number)
    return moment.isoformat(timespec="milliseconds")


def _facts(build: Build) -> ServerFacts:
    return ServerFacts(
        runtime="llama_server",
        engine="llama-server on PATH",
        version="b6000",
        model_id=f"m-{build.name}.gguf",
        model_path=f"m-{build.name}.gguf",
        model_bytes=int(PARAMETERS * build.bits / 8),
        model_sha256=f"{int(build.bits * 100):064x}",
        parameters=PARAMETERS,
        quantization=build.name.upper(),
        bits_per_weight=build.bits,
        context=8192,
        slots=4,
        kv_cache="f16",
        chat_template_sha256="7" * 64,
        machine=Machine(os="Linux", chip="M", cores=8, memory_bytes=2**35),
        command=("llama-server", "-m", f"m-{build.name}.gguf", "-c", "32768", "-np", "4"),
    )


def _measured(build: Build) -> Measured:
    size = int(PARAMETERS * build.bits / 8)
    usage = Usage(load_s=size / 2e9, memory_bytes=size + 2**30, memory_how="made up", kv_cache_bytes=2**30)
    alone = Alone(
        prompt_tokens=512,
        prompt_tokens_per_second=build.speed * 8,
        tokens=128,
        tokens_per_second=build.speed,
        first_token_s=512 / build.speed / 8,
        by_server=True,
    )
    return Measured(usage=usage, alone=alone, asked_s=3600)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for field, kind in Size.__annotations__.items():
        parser.add_argument(f"--{field}", type=kind, default=Size._field_defaults[field])
    arguments = vars(parser.parse_args())
    write_run(arguments.pop("folder"), Size(**arguments))

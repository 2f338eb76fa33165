"""A server of ours that dies or hangs in the middle is started again, a few times, and no question is lost."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluator.store import journal
from evaluator.study.file import load_study
from evaluator.study.requests import plan
from servers.fake import Reply
from tests.support.model_files import gguf_bytes
from tests.support.scripted import ANSWERS, STUDY, Bench, prompt_of, right

PROGRAM = """\
#!{python}
import asyncio, json, os, pathlib, re, sys
sys.path[:0] = [{path!r}]
from servers.fake import FakeServer, Reply
from servers.fake.dialects import DIALECTS

folder = pathlib.Path({folder!r})
starts = folder / "starts"
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
answers, flawed = json.loads((folder / "answers").read_text()), len(starts.read_text()) <= {flawed}

def answer(body, number):
    prompt = body["messages"][0]["content"]
    if answers[prompt] == "kill" or (flawed and number >= 5 and {fault!r} == "die"):
        os._exit(9)
    if flawed and number >= 5 and {fault!r} == "wedge":
        return Reply(delay=3600)
    if flawed and number >= 5:
        return Reply(text="so", fault="stall", keepalive={keepalive!r}, pause=0.05, piece=1)
    return Reply(text=f"The answer is ({{answers[prompt]}}).")

async def main():
    words = dict(zip(sys.argv, sys.argv[1:]))
    router = words.get("--models-preset")
    names = re.findall(r"^\\[(.*)\\]$", pathlib.Path(router).read_text(), re.M) if router else ["model.gguf"]
    dialect = DIALECTS["llama_router" if router else "openai"]
    async with FakeServer(answer, dialect=dialect, models=names, port=int(words["--port"])):
        await asyncio.sleep(3600)

asyncio.run(main())
"""


def study_of(
    bench: Bench,
    *,
    flawed: int = 0,
    fault: str = "die",
    keepalive: str | None = None,
    names: tuple[str, ...] = ("good",),
    kills: tuple[int, ...] = (),
    extra: str = "",
) -> Path:
    """Write a study whose server is flawed at its first so many starts, or is killed by some of the questions."""
    program, model = bench.folder / "llama-server", bench.folder / "model.gguf"
    program.write_text(
        PROGRAM.format(
            python=sys.executable,
            path=str(Path(__file__).parents[2]),
            folder=str(bench.folder),
            flawed=flawed,
            fault=fault,
            keepalive=keepalive,
        )
    )
    program.chmod(0o755)
    model.write_bytes(gguf_bytes())
    line = "  - {{name: {name}, runtime: llama_server, model: {model}, binary: {program}}}"
    variants = "\n".join(line.format(name=name, model=model, program=program) for name in names)
    path = bench.folder / "study.yaml"
    path.write_text(STUDY.format(variants=variants, n=20) + extra)
    prompts = [ask.question.prompt.messages[0]["content"] for ask in plan(load_study(path).study)]
    answers = {prompt: "kill" if number in kills else ANSWERS[prompt] for number, prompt in enumerate(prompts)}
    (bench.folder / "answers").write_text(json.dumps(answers))
    return path


def starts(bench: Bench) -> int:
    return len((bench.folder / "starts").read_text())


def outcomes(bench: Bench) -> dict[str, Any]:
    return {score["variant"]: score["outcomes"] for score in bench.report()["scores"]}


@pytest.mark.parametrize(
    ("fault", "keepalive", "extra", "says"),
    [
        pytest.param("die", None, "", "died in the middle", id="died"),
        pytest.param("hang", None, "silence: 1\n", "the server hangs: no token", id="silent"),
        pytest.param("hang", "still here", "silence: 3\n", "the server hangs: no token", id="silent-but-keeping-alive"),
        pytest.param("wedge", None, "silence: 0.5\nstream: false\n", "starting it again", id="wedged-without-a-stream"),
    ],
)
def test_a_flawed_server_is_started_again_and_told_of_and_all_is_answered_once(
    bench: Bench, fault: str, keepalive: str | None, extra: str, says: str
) -> None:
    result = bench.run(study_of(bench, flawed=1, fault=fault, keepalive=keepalive, extra=extra))

    assert result.exit_code == 0, result.output
    assert says in " ".join(result.output.split())
    grave = [check for check in bench.report()["checks"] if check["severity"] != "note"]
    assert [(check["code"], check["severity"]) for check in grave] == [("restarted", "warn")]
    assert outcomes(bench) == {"good": {"correct": 20}}
    assert starts(bench) == 2
    assert "good: 20/20;" in result.output
    assert "21/20" not in result.output


def test_a_server_that_always_dies_is_given_up_and_the_same_command_goes_on(bench: Bench) -> None:
    study = study_of(bench, flawed=3)
    first = bench.run(study)
    kept = outcomes(bench)["good"]
    second = bench.run(study)

    assert first.exit_code == 1
    assert "it was started 3 times" in " ".join(first.output.split())
    assert "Traceback" not in first.output
    assert kept["correct"] >= 5
    assert second.exit_code == 0, second.output
    assert outcomes(bench) == {"good": {"correct": 20}}


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("kills", [pytest.param((0,), id="first"), pytest.param((4,), id="in-between")])
def test_a_question_that_kills_the_server_is_set_aside_and_the_others_are_answered(
    bench: Bench, kills: tuple[int, ...], concurrency: int
) -> None:
    study = study_of(bench, kills=kills)
    study.write_text(study.read_text().replace("concurrency: 3", f"concurrency: {concurrency}"))

    result = bench.run(study)

    records = journal.read(bench.folder / "runs/s/records/good.jsonl").values()
    failures = [(ANSWERS[prompt_of(record.request)], record.failure.kind) for record in records if record.failure]
    prompts = list(json.loads((bench.folder / "answers").read_text()))
    assert result.exit_code == 1
    assert outcomes(bench) == {"good": {"correct": 19, "failed": 1}}
    assert failures == [(ANSWERS[prompts[kills[0]]], "dropped")]
    assert starts(bench) <= 3
    assert "Traceback" not in result.output


def test_a_router_whose_model_hangs_is_started_again(bench: Bench) -> None:
    extra = "router: true\nsilence: 1\n"
    result = bench.run(study_of(bench, flawed=1, fault="hang", names=("good", "other"), extra=extra))

    assert result.exit_code == 0, result.output
    assert "the server hangs: no token" in " ".join(result.output.split())
    assert outcomes(bench) == {"good": {"correct": 20}, "other": {"correct": 20}}
    assert starts(bench) == 2


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        pytest.param("silence: 1\n", "the server hangs: no token on any of its requests", id="streamed"),
        pytest.param("silence: 0.5\nstream: false\n", "the server stopped answering in the middle", id="whole"),
    ],
)
def test_a_running_server_that_hangs_is_not_waited_for_for_ever(bench: Bench, extra: str, says: str) -> None:
    def hanging(body: Any, number: int) -> Reply:
        return right(body) if number < 5 else Reply(delay=3600)

    result = bench.run(bench.study(20, extra=extra, good=hanging))

    said = " ".join(result.output.split())
    assert result.exit_code == 1
    assert says in said
    assert "same command" in said
    assert len(bench.fakes["good"].requests) <= 5 + 3 + 3

"""A server of ours that dies or hangs in the middle is started again, a few times, and no question is lost."""

import sys
from pathlib import Path
from typing import Any

import pytest
from scripted import STUDY, Bench, right

from servers.fake import Reply

PROGRAM = """\
#!{python}
import asyncio, os, pathlib, sys
sys.path[:0] = {path!r}
from scripted import right
from servers.fake import FakeServer, Reply

starts = pathlib.Path({folder!r}) / "starts"
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
asked = pathlib.Path({folder!r}) / "asked"
flawed = len(starts.read_text()) <= {flawed}

def answer(body, number):
    with asked.open("a") as file:
        file.write("x")
    if flawed and number >= 5:
        if {fault!r} == "die":
            os._exit(9)
        return Reply(text="thinking", fault="stall", keepalive={keepalive!r}, pause=0.05, piece=1)
    return right(body)

async def main():
    port = int(sys.argv[sys.argv.index("--port") + 1])
    async with FakeServer(answer, port=port):
        await asyncio.sleep(3600)

asyncio.run(main())
"""


def study_of(bench: Bench, *, flawed: int, fault: str, keepalive: str | None = None, extra: str = "") -> Path:
    """Write a study whose server is flawed at its first so many starts."""
    program, model = bench.folder / "llama-server", bench.folder / "model.gguf"
    program.write_text(
        PROGRAM.format(
            python=sys.executable,
            path=[str(Path(__file__).parent), str(Path(__file__).parents[1])],
            folder=str(bench.folder),
            flawed=flawed,
            fault=fault,
            keepalive=keepalive,
        )
    )
    program.chmod(0o755)
    model.write_bytes(b"GGUF")
    variant = f"  - {{name: good, runtime: llama_server, model: {model}, binary: {program}}}"
    path = bench.folder / "study.yaml"
    path.write_text(STUDY.format(variants=variant, n=20) + extra)
    return path


def starts(bench: Bench) -> int:
    return len((bench.folder / "starts").read_text())


@pytest.mark.parametrize(
    ("fault", "keepalive", "extra", "says"),
    [
        pytest.param("die", None, "", "died in the middle", id="died"),
        pytest.param("hang", None, "silence: 1\n", "the server hangs: no token", id="silent"),
        pytest.param("hang", "still here", "silence: 1\n", "the server hangs: no token", id="silent-but-keeping-alive"),
    ],
)
def test_a_flawed_server_is_started_again_and_all_is_answered(
    bench: Bench, fault: str, keepalive: str | None, extra: str, says: str
) -> None:
    result = bench.run(study_of(bench, flawed=1, fault=fault, keepalive=keepalive, extra=extra))

    assert result.exit_code == 0, result.output
    assert says in " ".join(result.output.split())
    assert bench.report()["scores"][0]["outcomes"] == {"correct": 20}
    assert starts(bench) == 2


def test_a_server_that_always_dies_is_given_up_and_the_same_command_goes_on(bench: Bench) -> None:
    study = study_of(bench, flawed=3, fault="die")
    first = bench.run(study)
    kept = bench.report()["scores"][0]["outcomes"]
    second = bench.run(study)

    assert first.exit_code == 1
    assert "it was started 3 times" in " ".join(first.output.split())
    assert "Traceback" not in first.output
    assert kept["correct"] >= 5
    assert second.exit_code == 0, second.output
    assert bench.report()["scores"][0]["outcomes"] == {"correct": 20}


def test_a_running_server_that_hangs_is_not_waited_for_for_ever(bench: Bench) -> None:
    def hanging(body: Any, number: int) -> Reply:
        return right(body) if number < 5 else Reply(delay=3600)

    result = bench.run(bench.study(20, extra="silence: 1\n", good=hanging))

    said = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "the server hangs: no token on any of its requests" in said
    assert "restart it and run the same command" in said
    assert len(bench.fakes["good"].requests) <= 5 + 3 + 3

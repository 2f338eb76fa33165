"""LM Studio is steered by its program lms, and left as it was found."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from servers.errors import ServerError
from servers.fake import Answer, FakeServer, Reply
from servers.runtime import lms
from servers.runtime.lm_studio import loaded
from servers.spec import ServerSpec

STAND_IN = """#!{python} -S
import json, os, signal, sys, time
here, said = {here!r}, sys.argv[1:]
script = json.load(open(here + "/script"))
step = " ".join(said[:2]) if said[0] == "server" else said[0]
with open(here + "/calls", "a") as calls:
    calls.write(json.dumps(said) + "\\n")
if step in script.get("hangs", []):
    def interrupted(*_):
        open(here + "/interrupted", "w").close()
        sys.exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN if script.get("stubborn") else interrupted)
    open(here + "/pid", "w").write(str(os.getpid()))
    time.sleep(60)
if step in script.get("fails", {{}}):
    sys.stderr.write(script["fails"][step])
    sys.exit(1)
running = here + "/running"
if step == "server status":
    print("Waking up LM Studio service...", file=sys.stderr)
    print(script.get("status") or json.dumps({{"running": os.path.exists(running), "port": script["port"]}}))
if step == "server start" and not script.get("never_starts"):
    open(running, "w").close()
if step == "server stop":
    os.remove(running)
"""
KEY = "google/gemma-4-26b-a4b"
GEMMA: dict[str, Any] = {
    "type": "llm",
    "key": KEY,
    "max_context_length": 262144,
    "variants": [f"{KEY}@q4_k_m", f"{KEY}@q8_0"],
    "selected_variant": f"{KEY}@q4_k_m",
}
UNKNOWN = {"error": "Unexpected endpoint or method. (GET /x)"}


class Studio:
    """LM Studio as this machine has it: a stand-in for lms, and a fake of its server."""

    def __init__(self, folder: Path, fake: FakeServer) -> None:
        self.folder, self.fake = folder, fake
        self.log = folder / "logs" / "x.log"
        self.binary = folder / "lms"
        self.binary.write_text(STAND_IN.format(python=sys.executable, here=str(folder)))
        self.binary.chmod(0o755)
        self.plays()

    def plays(self, **script: Any) -> None:
        (self.folder / "script").write_text(json.dumps({"port": self.fake.port, **script}))

    def runs(self) -> None:
        (self.folder / "running").touch()

    @property
    def running(self) -> bool:
        return (self.folder / "running").exists()

    @property
    def calls(self) -> list[list[str]]:
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def steps(self) -> list[str]:
        return [" ".join(call[:2]) if call[0] == "server" else call[0] for call in self.calls]

    def spec(self, **more: Any) -> ServerSpec:
        return ServerSpec(**{"runtime": "lm_studio", "model": KEY, "binary": str(self.binary), **more})


def listing(*names: str, **more: Any) -> dict[str, Any]:
    """The models, one of them loaded under these names."""
    instances = [{"id": name, "config": {"context_length": 8192, "parallel": 1}} for name in names]
    return {"models": [{**GEMMA, "loaded_instances": instances, **more}, {"key": "other", "type": "llm"}]}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    numbers = iter("1234")
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(numbers))
    monkeypatch.setattr(lms, "_GRACE", 0.5)
    with FakeServer(Reply(), pages={"/api/v1/models": listing("whichquant-1", "whichquant-2")}) as fake:
        yield Studio(tmp_path, fake)


WHOLE = ["server status", "server start", "server status", "load", "unload", "server stop"]


@pytest.mark.parametrize(
    ("runs", "steps"), [(False, WHOLE), (True, ["server status", "load", "unload"])], ids=["stopped", "running"]
)
async def test_lm_studio_is_left_as_it_was_found(studio: Studio, runs: bool, steps: list[str]) -> None:
    if runs:
        studio.runs()
    async with loaded(studio.spec(), studio.log) as server:
        assert studio.running
        assert (server.base_url, server.model, server.pid) == (studio.fake.base_url, "whichquant-1", None)
        assert server.engine == f"LM Studio by lms ({studio.binary})"
        assert server.command == (str(studio.binary), *studio.calls[-1])

    assert studio.steps == steps
    assert studio.calls[steps.index("unload")] == ["unload", "whichquant-1"]
    assert studio.running == runs
    assert "Waking up" in studio.log.read_text()
    assert runs or ["server", "start", "--bind", "127.0.0.1"] in studio.calls


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        pytest.param({}, "--parallel 1 --ttl 86400 -y", id="nothing-asked"),
        pytest.param({"context": 9000}, "--parallel 1 --ttl 86400 --context-length 9000 -y", id="context"),
        pytest.param(
            {"context": 9000, "slots": 3}, "--parallel 3 --ttl 86400 --context-length 27000 -y", id="context-is-shared"
        ),
        pytest.param(
            {"context": 200000, "slots": 2},
            "--parallel 2 --ttl 86400 --context-length 262144 -y",
            id="no-more-than-the-model-takes",
        ),
        pytest.param({"args": ("--gpu", "0.5")}, "--parallel 1 --ttl 86400 -y --gpu 0.5", id="arguments-come-last"),
        pytest.param({"model": f"{KEY}@q4_k_m"}, "--parallel 1 --ttl 86400 -y", id="selected-variant"),
    ],
)
async def test_the_load_says_what_the_study_asks(studio: Studio, settings: dict[str, Any], flags: str) -> None:
    async with loaded(studio.spec(**settings), studio.log):
        assert studio.calls[-1] == ["load", KEY, *f"--identifier whichquant-1 --gpu max {flags}".split()]


@pytest.mark.parametrize(
    ("script", "sentence", "words", "by_hand", "steps"),
    [
        pytest.param(
            {"fails": {"server status": "no idea\n"}}, "exit code 1", "no idea", "server status --json", 1, id="status"
        ),
        pytest.param({"status": "fine"}, "does not report whether", "fine", "server status --json", 1, id="no-json"),
        pytest.param(
            {"fails": {"server start": "port 1234 is taken\n"}},
            "exit code 1",
            "port 1234",
            "server start",
            3,
            id="start",
        ),
        pytest.param({"never_starts": True}, "does not run", "nothing", "server start", 4, id="never-starts"),
        pytest.param(
            {"fails": {"load": "\x1b[91mError:\x1b[39m insufficient system resources\n    at load (lms.js:1:2)\n"}},
            "exit code 1",
            "\n  Error: insufficient system resources\nTo try",
            f"load {KEY} --identifier",
            6,
            id="load",
        ),
        pytest.param(
            {"fails": {"load": "CUDA error: out of memory\n"}},
            "not enough memory",
            "CUDA",
            f"load {KEY}",
            6,
            id="memory",
        ),
        pytest.param({"hangs": ["load"]}, "did not end within 1 s", "nothing", f"load {KEY}", 6, id="load-takes-long"),
    ],
)
async def test_a_step_that_fails_is_told_with_its_words_and_undone(
    studio: Studio, *, script: dict[str, Any], sentence: str, words: str, by_hand: str, steps: int
) -> None:
    studio.plays(**script)
    with pytest.raises(ServerError, match=sentence) as caught:
        async with loaded(studio.spec(startup_seconds=1), studio.log):
            pytest.fail("nothing was loaded")

    assert words in str(caught.value)
    assert f"To try it by hand:\n  {studio.binary} {by_hand}" in str(caught.value)
    assert len(studio.calls) == steps
    assert not studio.running


@pytest.mark.parametrize(
    ("settings", "page", "sentence", "steps"),
    [
        pytest.param(
            {"model": "gemma"}, listing(), f'has no model "gemma"; it has {KEY}, other', [], id="key-that-resembles"
        ),
        pytest.param(
            {"model": f"{KEY}@q8_0"},
            listing(),
            f"only the selected variant .*@q4_k_m: select {KEY}@q8_0",
            [],
            id="variant",
        ),
        pytest.param(
            {}, listing("whichquant-7"), "has nothing under the name whichquant-1", ["load", "unload"], id="not-there"
        ),
        pytest.param(
            {},
            {"models": [{"key": KEY}, {"key": "b", "loaded_instances": [{"id": "whichquant-1"}]}]},
            "has b under the name whichquant-1",
            ["load", "unload"],
            id="another-model",
        ),
        pytest.param({}, Answer(401, {"error": "token"}), "wants a token .* name that in api_key_env", [], id="token"),
    ],
)
async def test_another_model_is_never_taken_for_ours(
    studio: Studio, settings: dict[str, Any], page: Any, sentence: str, steps: list[str]
) -> None:
    studio.runs()
    studio.fake._pages["GET /api/v1/models"] = page
    with pytest.raises(ServerError, match=sentence):
        async with loaded(studio.spec(**settings), studio.log):
            pytest.fail("another model was loaded")

    assert studio.steps == ["server status", *steps]
    assert studio.running


async def test_an_lm_studio_without_a_list_is_believed(studio: Studio) -> None:
    studio.fake._pages["GET /api/v1/models"] = UNKNOWN
    async with loaded(studio.spec(model="anything"), studio.log):
        assert studio.calls[-1][:2] == ["load", "anything"]


async def test_a_server_that_listens_elsewhere_is_told(studio: Studio) -> None:
    studio.plays(port=1)
    with pytest.raises(ServerError, match=r"does not answer at http://127.0.0.1:1/v1: let it listen on localhost"):
        async with loaded(studio.spec(), studio.log):
            pytest.fail("nobody answers")

    assert not studio.running


@pytest.mark.parametrize("stubborn", [False, True], ids=["calls-it-off", "is-killed"])
async def test_cancelling_a_load_ends_lms_and_undoes_the_rest(studio: Studio, stubborn: bool) -> None:
    studio.plays(hangs=["load"], stubborn=stubborn)

    async def use() -> None:
        async with loaded(studio.spec(), studio.log):
            pytest.fail("the load hangs")

    task, pid = asyncio.create_task(use()), studio.folder / "pid"
    async with asyncio.timeout(10):
        while not (pid.exists() and pid.read_text()):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert (studio.folder / "interrupted").exists() != stubborn
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert studio.steps == WHOLE


async def test_trouble_while_it_is_used_unloads_too(studio: Studio) -> None:
    with pytest.raises(ZeroDivisionError):
        async with loaded(studio.spec(), studio.log):
            raise ZeroDivisionError

    assert studio.steps == WHOLE


async def test_trouble_on_the_way_out_goes_to_the_log_alone(studio: Studio) -> None:
    studio.plays(fails={"unload": "cannot\n"})
    async with loaded(studio.spec(), studio.log):
        pass

    assert "lms ended with exit code 1" in studio.log.read_text()
    assert studio.steps == WHOLE


async def test_of_two_at_once_the_last_one_stops_the_server(studio: Studio) -> None:
    async with AsyncExitStack() as last:
        async with AsyncExitStack() as first:
            stacks = (first, last)
            entering = (stack.enter_async_context(loaded(studio.spec(), studio.log)) for stack in stacks)
            one, two = await asyncio.gather(*entering)
            assert {one.model, two.model} == {"whichquant-1", "whichquant-2"}
        assert studio.running

    assert not studio.running
    assert studio.steps.count("server start") == 1


async def test_a_type_of_kv_cache_is_refused_before_anything_is_done(studio: Studio) -> None:
    with pytest.raises(ServerError, match=r"cannot be set to q8_0 from outside.* leave kv_cache out"):
        async with loaded(studio.spec(kv_cache="q8_0"), studio.log):
            pytest.fail("it was ignored")

    assert studio.calls == []


def test_without_lms_the_way_to_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ServerError, match=r"https://lmstudio.ai(.|\n)*~/.lmstudio/bin/lms bootstrap"):
        lms.find(ServerSpec(runtime="lm_studio", model="x"))


def test_lms_is_found_where_lm_studio_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    binary = tmp_path / ".lmstudio" / "bin" / "lms"
    binary.parent.mkdir(parents=True)
    binary.touch(mode=0o755)

    assert lms.find(ServerSpec(runtime="lm_studio", model="x")) == (f"LM Studio by lms ({binary})", (str(binary),))


async def test_an_lms_that_is_no_program_is_told(studio: Studio) -> None:
    studio.binary.write_text("#!/no/such/interpreter\n")
    with pytest.raises(ServerError, match="lms cannot be run: "):
        async with loaded(studio.spec(), studio.log):
            pytest.fail("it cannot be run")


async def test_a_log_that_cannot_be_written_is_told(studio: Studio) -> None:
    (studio.folder / "logs").write_text("a file where a folder should be")
    with pytest.raises(ServerError, match=r"The log .*x.log cannot be written: "):
        async with loaded(studio.spec(), studio.log):
            pytest.fail("nowhere to write to")


async def test_a_log_that_goes_away_while_it_is_used_is_told(studio: Studio) -> None:
    async with loaded(studio.spec(), studio.log):
        tool = lms.writing_to(studio.log, (str(studio.binary),))
        studio.log.unlink()
        studio.log.mkdir()
        with pytest.raises(ServerError, match=r"The log .*x.log cannot be written: "):
            await lms.run(tool, "ps", seconds=5)

"""Real llama.cpp and mlx_lm servers, with the lab model, do what was asked of them."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from evaluator.ask import client
from evaluator.records import Answer
from servers.errors import ServerError
from servers.launch import alive, launch
from servers.probe import probe
from servers.runtime.table import request
from servers.spec import Prompt, Sampling, Server, ServerSpec
from tests.support.official_client import official_client

pytestmark = pytest.mark.live

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
LLAMA = ServerSpec(runtime="llama_server", model=str(LAB), context=1024, slots=2, args=("-t", "2"), startup_seconds=60)
ASK: list[Any] = [{"role": "user", "content": "Write a function that adds two numbers."}]
CHAT, TEXT = Prompt(messages=tuple(ASK)), Prompt(text="def add(a, b):")
FEW = Sampling(max_tokens=12)
GREEDY: dict[str, Any] = {"max_tokens": 12, "temperature": 0}
PLAIN = {"chat_template_kwargs": {"enable_thinking": False}}
"""Left to itself, mlx_lm lets a model think that knows how to."""


@pytest.fixture(scope="session")
def mlx(tmp_path_factory: pytest.TempPathFactory) -> ServerSpec:
    pytest.importorskip("mlx_lm")
    from evaluator.demo.to_mlx import convert  # noqa: PLC0415 - heavy, and only where MLX is

    out = tmp_path_factory.mktemp("mlx") / "lab"
    convert(LAB, out, bits=None)
    return ServerSpec(runtime="mlx_lm", model=str(out), slots=2, startup_seconds=120)


@pytest.fixture(params=["llama_server", "mlx_lm"])
def spec(request: pytest.FixtureRequest) -> ServerSpec:
    """What every runtime must do is asked of both."""
    chosen: ServerSpec = LLAMA if request.param == "llama_server" else request.getfixturevalue("mlx")
    return chosen


@pytest.fixture
async def server(spec: ServerSpec, tmp_path: Path) -> AsyncIterator[Server]:
    async with launch(spec, log=tmp_path / "log") as running:
        yield running


async def post(url: str, body: dict[str, Any]) -> Any:
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        response = await http.post(url, json=body)
    assert response.status_code == 200, response.text
    return response


async def prompt_tokens(server: Server, **body: Any) -> int:
    asked = {"model": server.model, "messages": ASK, "max_tokens": 1, **body}
    return int((await post(f"{server.base_url}/chat/completions", asked)).json()["usage"]["prompt_tokens"])


def gone(pid: int) -> bool:
    for _ in range(250):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def group(pid: int) -> list[int]:
    """Return the process ids of a group, as `ps` knows them."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,pgid="], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if int(line.split()[1]) == pid]


async def test_the_official_client_hears_a_chat(server: Server) -> None:
    async with official_client(server.base_url) as ai:
        whole = await ai.chat.completions.create(model=server.model, messages=ASK, **GREEDY, extra_body=PLAIN)
        stream = await ai.chat.completions.create(
            model=server.model, messages=ASK, **GREEDY, extra_body=PLAIN, stream=True
        )
        parts = [part async for part in stream]

    assert whole.choices[0].message.content
    assert "".join(part.choices[0].delta.content or "" for part in parts) == whole.choices[0].message.content


async def test_the_official_client_hears_a_completion(server: Server) -> None:
    async with official_client(server.base_url) as ai:
        whole = await ai.completions.create(model=server.model, prompt="def add(a, b):", **GREEDY)
        stream = await ai.completions.create(model=server.model, prompt="def add(a, b):", **GREEDY, stream=True)
        parts = [part async for part in stream]

    assert whole.choices[0].text
    assert "".join(part.choices[0].text or "" for part in parts) == whole.choices[0].text


@pytest.mark.parametrize("prompt", [CHAT, TEXT], ids=["chat", "text"])
async def test_our_requests_are_answered(server: Server, prompt: Prompt) -> None:
    whole = (await post(*request(server, prompt, FEW, stream=False))).json()
    streamed = (await post(*request(server, prompt, FEW, stream=True))).text

    assert whole["usage"]["completion_tokens"] == 12
    assert whole["choices"][0]["finish_reason"] == "length"
    assert '"completion_tokens":12' in streamed.replace(" ", "")
    assert streamed.rstrip().endswith("data: [DONE]")


async def test_a_completion_ends_where_the_first_stop_text_begins(server: Server) -> None:
    """Whoever stops it: llama-server is sent the texts, mlx_lm.server would cut them out and go on."""
    few = Sampling(max_tokens=24)
    async with client.connect(server.base_url, concurrency=1, silence=120) as http:
        free = await client.ask_once(http, *request(server, TEXT, few, stream=True))
        assert isinstance(free, Answer)
        stop = (free.text[9:12], "no such text")
        stopped = await client.ask_once(http, *request(server, replace(TEXT, stop=stop), few, stream=True), stop=stop)

    assert isinstance(stopped, Answer)
    assert stopped.text == free.text[: free.text.index(stop[0])]


async def test_two_at_once_are_both_answered(server: Server) -> None:
    url, body = request(server, TEXT, Sampling(max_tokens=40), stream=False)
    both = await asyncio.gather(*(post(url, body) for _ in range(2)))

    assert all(answer.json()["choices"][0]["text"] for answer in both)


async def test_thinking_asked_for_in_a_request_changes_the_prompt(server: Server) -> None:
    counts = {
        thinking: await prompt_tokens(server, chat_template_kwargs={"enable_thinking": thinking})
        for thinking in (True, False)
    }

    assert counts[True] == counts[False] + 2  # `<|turn>system\n<|think|><turn|>\n` for `<|channel>thought\n<channel|>`


async def test_a_server_says_who_it_is(server: Server) -> None:
    facts = await probe(server)

    assert facts.slots == 2
    assert facts.version
    assert facts.model_id
    assert facts.model_bytes
    assert facts.model_bytes > 17_000_000
    assert facts.model_sha256
    assert facts.chat_template_sha256
    assert facts.command == server.command
    assert alive(server)


async def test_context_is_for_each_slot(tmp_path: Path) -> None:
    async with launch(replace(LLAMA, slots=3, context=512), log=tmp_path / "log") as server:
        facts = await probe(server)

    assert (facts.slots, facts.context) == (3, 512)


@pytest.mark.parametrize("thinking", [True, False, None])
async def test_thinking_set_at_launch_reaches_the_template(tmp_path: Path, *, thinking: bool | None) -> None:
    async with (
        launch(replace(LLAMA, thinking=thinking), log=tmp_path / "log") as server,
        httpx2.AsyncClient(trust_env=False) as http,
    ):
        root = server.base_url.removesuffix("/v1")
        applied = (await http.post(f"{root}/apply-template", json={"messages": ASK})).json()["prompt"]

    assert ("<|think|>" in applied) == bool(thinking)
    assert ("<|channel>thought\n<channel|>" in applied) == (not thinking)


@pytest.mark.parametrize("thinking", [True, False])
async def test_thinking_set_at_launch_reaches_mlx_lm(mlx: ServerSpec, tmp_path: Path, *, thinking: bool) -> None:
    async with launch(replace(mlx, thinking=thinking), log=tmp_path / "log") as server:
        silent = await prompt_tokens(server)
        explicit = await prompt_tokens(server, chat_template_kwargs={"enable_thinking": thinking})

    assert silent == explicit


async def test_mlx_lm_lists_its_model(mlx: ServerSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with launch(mlx, log=tmp_path / "log") as server, official_client(server.base_url) as ai:
        assert mlx.model in [model.id async for model in ai.models.list()]


@pytest.fixture
def broken(spec: ServerSpec, tmp_path: Path) -> ServerSpec:
    """The same, with a model that was cut off in the copying."""
    copy = tmp_path / f"broken-{Path(spec.model).name}"
    if spec.runtime == "llama_server":
        copy.write_bytes(Path(spec.model).read_bytes()[:100_000])
    else:
        shutil.copytree(spec.model, copy)
        os.truncate(copy / "model.safetensors", 100)
    return replace(spec, model=str(copy))


async def test_a_broken_model_is_explained(broken: ServerSpec, tmp_path: Path) -> None:
    complaint = {"llama_server": "corrupted or incomplete", "mlx_lm": "load_safetensors"}[broken.runtime]
    with pytest.raises(ServerError) as caught:
        async with launch(broken, log=tmp_path / "log"):
            raise AssertionError

    assert complaint in str(caught.value)
    assert broken.model in str(caught.value).splitlines()[-1]


async def test_cancelling_ends_the_whole_group(spec: ServerSpec, tmp_path: Path) -> None:
    launched: asyncio.Future[Server] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        async with launch(spec, log=tmp_path / "log") as server:
            launched.set_result(server)
            await asyncio.sleep(60)

    task = asyncio.create_task(run())
    server = await launched
    assert server.pid
    assert len(group(server.pid)) == 2  # the guard and its server
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert group(server.pid) == []
    assert not alive(server)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill-9", "ctrl-c"])
def test_a_dead_whichquant_leaves_no_server(tmp_path: Path, number: signal.Signals) -> None:
    source = f"""
        import asyncio, pathlib
        from servers.launch import launch
        from servers.spec import ServerSpec

        async def main():
            spec = ServerSpec(runtime="llama_server", model={str(LAB)!r}, context=512, args=("-t", "2"))
            async with launch(spec, log=pathlib.Path({str(tmp_path / "log")!r})) as server:
                print(server.pid, flush=True)
                await asyncio.sleep(60)

        asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout
        pids = group(int(parent.stdout.readline()))
        assert len(pids) == 2
        parent.send_signal(number)

        assert all(gone(pid) for pid in pids)

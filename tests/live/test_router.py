"""The real llama-server's router mode: three quantized builds of the lab model behind one server."""

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from evaluator.demo import builds as demo
from servers.errors import ServerError
from servers.launch import alive, launch
from servers.llama_router import router
from servers.probe import probe
from servers.runtime.table import request
from servers.spec import Prompt, Sampling, Server, ServerSpec
from tests.support.real_llama import post

pytestmark = pytest.mark.live

LAB = Path(demo.__file__).with_name("lab-full-f16.gguf")
QUANTS = ("Q8_0", "Q4_0", "Q2_K")
ASK = Prompt(messages=({"role": "user", "content": "Write a function that adds two numbers."},))
CODE = Prompt(text="def is_even(n):\n")


@pytest.fixture(scope="session")
def specs(llama_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, ServerSpec]:
    """Three builds, as different in context, slots, KV cache and thinking as one router must bear."""
    pytest.importorskip("cyllama")
    made = demo.builds(LAB, QUANTS, tmp_path_factory.mktemp("builds"))
    plain = {
        name: ServerSpec(
            runtime="llama_server", model=str(path), binary=llama_binary, args=("-t", "2"), startup_seconds=60
        )
        for name, path in made.items()
    }
    return {
        "Q8_0": replace(plain["Q8_0"], context=512, slots=2, kv_cache="q8_0", thinking=False),
        "Q4_0": replace(plain["Q4_0"], context=1024, slots=1, kv_cache="q4_0", thinking=True),
        "Q2_K": replace(plain["Q2_K"], context=768, slots=1, kv_cache="f16"),
    }


async def answer(server: Server, prompt: Prompt = ASK) -> Any:
    return await post(*request(server, prompt, Sampling(max_tokens=24), stream=False))


async def text(server: Server) -> str:
    return str((await answer(server, CODE))["choices"][0]["text"])


async def loaded(server: Server) -> set[str]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        models = (await http.get(f"{server.base_url}/models")).json()["data"]
    return {model["id"] for model in models if model["status"]["value"] == "loaded"}


async def rendered(server: Server) -> str:
    root = server.base_url.removesuffix("/v1")
    return str(
        (await post(f"{root}/apply-template", {"model": server.model, "messages": list(ASK.messages)}))["prompt"]
    )


async def test_three_variants_share_one_process_and_each_keeps_its_own_settings(
    specs: Mapping[str, ServerSpec], tmp_path: Path
) -> None:
    async with router(specs, log=tmp_path / "router.log", at_once=3) as running:
        servers = {name: await running.server(name) for name in specs}
        facts = {name: await probe(server) for name, server in servers.items()}
        prompts = {name: await rendered(server) for name, server in servers.items()}
        at_once = await loaded(servers["Q8_0"])

    assert len({(server.pid, server.base_url) for server in servers.values()}) == 1
    assert at_once == set(specs)
    assert {name: (f.model_id, f.model_path, f.context, f.slots, f.kv_cache) for name, f in facts.items()} == {
        name: (name, spec.model, spec.context, spec.slots, spec.kv_cache) for name, spec in specs.items()
    }
    assert "<|think|>" in prompts["Q4_0"]
    assert prompts["Q8_0"].endswith("<|channel>thought\n<channel|>")


async def test_each_answers_as_its_own_server_would(specs: Mapping[str, ServerSpec], tmp_path: Path) -> None:
    alone = {}
    for name, spec in specs.items():
        async with launch(spec, log=tmp_path / "alone.log") as server:
            alone[name] = await text(server)
    async with router(specs, log=tmp_path / "router.log", at_once=3) as running:
        together = {name: await text(await running.server(name)) for name in specs}

    assert together == alone
    assert len(set(together.values())) == 3


async def test_with_room_for_one_the_next_takes_the_place_of_the_last(
    specs: Mapping[str, ServerSpec], tmp_path: Path
) -> None:
    seen = []
    async with router(specs, log=tmp_path / "router.log") as running:
        for name in ("Q8_0", "Q4_0", "Q2_K", "Q8_0"):
            server = await running.server(name)
            reply = await answer(server)
            seen.append((await loaded(server), reply["model"], (await probe(server)).kv_cache))

    assert seen == [({name}, name, specs[name].kv_cache) for name in ("Q8_0", "Q4_0", "Q2_K", "Q8_0")]


async def test_nothing_is_left_of_a_router_and_its_models(specs: Mapping[str, ServerSpec], tmp_path: Path) -> None:
    log = tmp_path / "router.log"
    async with router(specs, log=log, at_once=2) as running:
        server = await running.server("Q8_0")
        await running.server("Q4_0")
    ports = re.findall(r"listening on http://127\.0\.0\.1:(\d+)", log.read_text(errors="replace"))

    assert not alive(server)
    assert len(ports) == 3  # the router's and two models'
    for port in ports:
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"http://127.0.0.1:{port}/health", trust_env=False)


async def test_a_killed_router_is_started_again(specs: Mapping[str, ServerSpec], tmp_path: Path) -> None:
    async with router(specs, log=tmp_path / "router.log") as running:
        first = await running.server("Q2_K")
        before = await text(first)
        assert first.pid
        os.killpg(first.pid, signal.SIGKILL)
        second = await running.server("Q2_K")
        after = await text(second)

    assert second.pid != first.pid
    assert after == before


@pytest.fixture
def broken(specs: Mapping[str, ServerSpec], tmp_path: Path) -> Path:
    """A model that was cut off in the copying."""
    path = tmp_path / "broken.gguf"
    path.write_bytes(Path(specs["Q4_0"].model).read_bytes()[:100_000])
    return path


async def test_a_broken_model_is_explained_and_the_others_go_on(
    specs: Mapping[str, ServerSpec], broken: Path, tmp_path: Path
) -> None:
    bad = replace(specs["Q4_0"], model=str(broken))
    async with router({**specs, "bad": bad}, log=tmp_path / "router.log") as running:
        with pytest.raises(ServerError) as caught:
            await running.server("bad")
        good = await text(await running.server("Q8_0"))

    # Why, it says nearly always: a model's process was seen to end before it had written its last lines.
    assert str(caught.value).startswith("llama-server could not load bad.")
    assert f"-m {broken}" in str(caught.value).splitlines()[-1]
    assert good


async def test_a_flag_that_llama_server_does_not_know_ends_the_router_at_once(
    specs: Mapping[str, ServerSpec], tmp_path: Path
) -> None:
    odd = replace(specs["Q8_0"], args=("--no-such-flag",))
    with pytest.raises(ServerError, match=r"no-such-flag"):
        async with router({"odd": odd}, log=tmp_path / "router.log"):
            raise AssertionError


async def test_what_the_study_adds_wins_however_it_is_spelled(specs: Mapping[str, ServerSpec], tmp_path: Path) -> None:
    args = ("--threads", "2", "--ctx-size", "768", "--cache-type-k", "f16", "--context-shift")
    own = replace(specs["Q8_0"], slots=1, args=args)
    async with router({"own": own}, log=tmp_path / "router.log") as running:
        server = await running.server("own")
        facts = await probe(server)
        async with httpx2.AsyncClient(trust_env=False) as http:
            words = (await http.get(f"{server.base_url}/models")).json()["data"][0]["status"]["args"]

    assert (facts.context, facts.kv_cache) == (768, "f16/q8_0")
    assert "--context-shift" in words
    assert "--no-context-shift" not in words

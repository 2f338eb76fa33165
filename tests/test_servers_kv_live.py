"""The KV cache is of the type that was asked for: llama.cpp's own log says so, in words and in MiB."""

import re
from pathlib import Path

import pytest

from servers.launch import launch
from servers.probe import probe
from servers.spec import KvType, ServerSpec

pytestmark = pytest.mark.live

LAB = Path(__file__).parents[1] / "evaluator" / "demo" / "lab-full-f16.gguf"
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

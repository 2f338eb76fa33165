"""A model has one sum, reckoned once, whatever it consists of."""

import asyncio
import hashlib
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from servers import probe
from servers.errors import ServerError
from servers.spec import Server, ServerFacts, ServerSpec
from servers.weights import hashing
from servers.weights.hashing import weights

SPEC = ServerSpec(runtime="llama_server", model="/dev/zero")
FACTS = ServerFacts(runtime="llama_server", engine="e")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sha256.json"


def test_a_file_has_its_own_sum(tmp_path: Path, cache: Path) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"weights")

    assert weights(model) == (7, hashlib.sha256(b"weights").hexdigest())


def test_a_directory_has_the_sum_of_its_sums(tmp_path: Path, cache: Path) -> None:
    for name, content in {"b.safetensors": b"bb", "a.safetensors": b"a", "config.json": b"{}", "x.txt": b"x"}.items():
        (tmp_path / name).write_bytes(content)
    lines = "".join(
        f"{name} {hashlib.sha256(content).hexdigest()}\n"
        for name, content in [("a.safetensors", b"a"), ("b.safetensors", b"bb"), ("config.json", b"{}")]
    )

    assert weights(tmp_path) == (3, hashlib.sha256(lines.encode()).hexdigest())


def test_a_split_model_counts_all_its_parts(tmp_path: Path, cache: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"m-0000{number}-of-00002.gguf").write_bytes(b"x" * number)

    assert weights(tmp_path / "m-00001-of-00002.gguf").bytes == 3


def test_a_sum_is_reckoned_once_until_the_file_changes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"one")
    first = weights(model)
    with monkeypatch.context() as patched:
        patched.setattr(hashing, "sha256_of", None)
        assert weights(model) == first
    model.write_bytes(b"other")

    assert weights(model) != first


@pytest.mark.parametrize(
    "content", [b"", b"{broken", b"[]", b'{"\xff": []}'], ids=["empty", "broken", "other", "no-text"]
)
def test_a_damaged_cache_only_costs_time(tmp_path: Path, cache: Path, content: bytes) -> None:
    cache.parent.mkdir()
    cache.write_bytes(content)
    model = tmp_path / "m.gguf"
    model.write_bytes(b"weights")

    assert weights(model).bytes == 7
    assert hashing.cache_file() == cache
    assert list(cache.parent.iterdir()) == [cache]


def test_a_cache_that_cannot_be_written_leaves_no_draft(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    model = tmp_path / "m.gguf"
    model.write_bytes(b"weights")
    monkeypatch.setattr(Path, "replace", refuse)

    assert weights(model).bytes == 7
    assert list(cache.parent.iterdir()) == []


def test_who_does_not_wait_for_a_sum_stops_the_work(cache: Path) -> None:
    server = Server(spec=SPEC, base_url="http://127.0.0.1:1/v1", model="m", engine="e", command=("x",))
    endless = replace(FACTS, model_path="/dev/zero")

    async def tired() -> None:
        async with asyncio.timeout(0.2):
            await probe._facts_from_files(server, endless, Path("/dev/zero"))

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(tired())  # its end waits for all threads

    assert time.monotonic() - began < 5


def test_an_unreadable_model_is_named(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ServerError, match=r"none.gguf cannot be read: No such file"):
        weights(tmp_path / "none.gguf")


def test_a_template_is_the_same_with_and_without_white_space_at_its_ends() -> None:
    assert hashing.template_sha256("{{ x }}\n") == hashing.template_sha256("{{ x }}")
    assert hashing.template_sha256(" \n") is None
    assert hashing.template_sha256(None) is None

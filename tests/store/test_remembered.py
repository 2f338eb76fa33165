"""Numbers that were found in earlier runs."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from evaluator.store import remembered
from evaluator.store.remembered import key_of, remember
from evaluator.store.serving import InFlight, Level
from servers.spec import Machine, ServerFacts

FACTS = ServerFacts(
    runtime="llama_server",
    engine="llama-server",
    version="b1",
    model_sha256="aa",
    machine=Machine(os="Linux", chip="a", cores=2),
    command=("llama-server",),
    kv_cache="f16",
)
FOUND = InFlight(
    number=4, how="measured", curve=(Level(in_flight=4, tokens_per_second=80.0, seconds=3.0),), why="8: no"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def key(facts: ServerFacts = FACTS, *, most: int = 16, together: int = 1) -> str:
    return key_of(facts, most=most, together=together)


def test_what_was_kept_is_read_again_and_forgotten_on_demand() -> None:
    assert remembered.remembered(key()) is None
    remember(key(), FOUND)
    assert remembered.remembered(key()) == FOUND
    remember(key(), None)
    assert remembered.remembered(key()) is None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(key(replace(FACTS, version="b2")), id="version"),
        pytest.param(key(replace(FACTS, runtime="mlx_lm")), id="runtime"),
        pytest.param(key(replace(FACTS, model_sha256="bb")), id="model"),
        pytest.param(key(replace(FACTS, kv_cache="q8_0")), id="KV cache"),
        pytest.param(key(replace(FACTS, machine=Machine(os="Linux", chip="b", cores=2))), id="machine"),
        pytest.param(key(most=8), id="slots"),
        pytest.param(key(together=3), id="servers at once"),
    ],
)
def test_another_server_is_not_taken_for_it(other: str) -> None:
    remember(key(), FOUND)

    assert remembered.remembered(other) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"k": {"number": "x"}}', b"{" * 9999])
def test_a_damaged_file_is_as_if_there_were_none(cache: Path, content: bytes) -> None:
    cache.mkdir()
    (cache / "in_flight.json").write_bytes(content)

    assert remembered.remembered(key()) is None
    remember(key(), FOUND)
    assert remembered.remembered(key()) == FOUND


def test_a_cache_that_cannot_be_written_is_no_error(cache: Path) -> None:
    cache.write_text("a file")
    remember(key(), FOUND)

    assert remembered.remembered(key()) is None


def test_only_the_newest_are_kept() -> None:
    for i in range(205):
        remember(str(i), FOUND)

    assert remembered.remembered("4") is None
    assert remembered.remembered("5") == FOUND

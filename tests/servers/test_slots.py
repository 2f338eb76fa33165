"""How many slots a server is started with."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers import slots
from servers.slots import MOST, with_slots
from servers.spec import ServerSpec
from servers.usage import graphics
from tests.support.graphics_driver import Driver

LAB = Path(slots.__file__).parents[1] / "evaluator" / "demo" / "lab-full-f16.gguf"
GB = 10**9


def spec(model: str = str(LAB), **more: Any) -> ServerSpec:
    return ServerSpec(**{"runtime": "llama_server", "model": model, "context": 2048, **more})


def test_a_small_model_gets_as_many_slots_as_are_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "free_bytes", lambda: 100 * GB)

    assert with_slots(spec()).slots == 16


def test_with_a_graphics_card_more_are_of_use_if_it_holds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for card, expected in ({"free": 100 * GB}, 64), ({"free": 0}, 1), ({}, 64):
        driver = Driver(card)
        monkeypatch.setattr(graphics, "cards", lambda driver=driver: graphics.Cards(driver, driver.cards))

        assert with_slots(spec()).slots == expected, card


def test_little_memory_gives_few_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "free_bytes", lambda: LAB.stat().st_size * 3)
    given_slots = with_slots(spec(context=200_000))

    assert 1 <= given_slots.slots < 16
    assert "memory holds no more" in given_slots.slots_why


@settings(deadline=None)
@given(free=st.integers(0, 10**12), context=st.integers(1, 10**6), sharing=st.integers(1, 5))
def test_more_memory_never_gives_fewer_and_a_smaller_cache_type_never_fewer(
    free: int, context: int, sharing: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "free_bytes", lambda: free)
        f16 = with_slots(spec(context=context), sharing=sharing).slots
        q8 = with_slots(spec(context=context, kv_cache="q8_0"), sharing=sharing).slots
        patch.setattr(slots, "free_bytes", lambda: 2 * free)
        more = with_slots(spec(context=context), sharing=sharing).slots

    assert 1 <= f16 <= q8 <= 16
    assert f16 <= more <= 16


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"model": "owner/name"}, id="a model that is not here"),
        pytest.param({"model": __file__}, id="no GGUF"),
        pytest.param({"context": None}, id="no context"),
        pytest.param({"runtime": "ollama", "model": "gemma3:4b"}, id="Ollama"),
    ],
)
def test_where_the_memory_is_not_known_there_are_few(changes: dict[str, Any]) -> None:
    assert with_slots(spec(**changes)).slots == 4


def test_a_damaged_config_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[]")
    shutil.copy(LAB, tmp_path / "model.safetensors")

    assert with_slots(spec(str(tmp_path), runtime="mlx_lm")).slots == 4


def test_a_server_that_runs_already_has_what_it_has() -> None:
    assert with_slots(spec(base_url="http://127.0.0.1:1/v1")).slots == MOST

"""A driver of graphics cards in place of this machine's."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from servers.usage import graphics
from tests.support.graphics_driver import Driver


@pytest.fixture
def drives(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Put a driver in place of this machine's."""

    def driven(driver: Driver | None) -> None:
        monkeypatch.setitem(sys.modules, "pynvml", driver)
        graphics.cards.cache_clear()

    yield driven
    monkeypatch.undo()
    graphics.cards.cache_clear()

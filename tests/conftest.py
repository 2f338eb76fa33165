"""What the tests of whole runs share."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from scripted import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(tmp_path, stack)

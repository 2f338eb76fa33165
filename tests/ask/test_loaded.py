"""Servers stay loaded, or load early, only where memory is known to suffice; at the end none is left."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluator.ask import loaded
from evaluator.ask.loaded import LoadedServers
from evaluator.store.resources import Measured, keep_measured
from servers.errors import ServerError
from servers.spec import Server, ServerSpec, Usage
from servers.usage.room import Room, too_much

GB = 10**9
NAMES = "abcd"


class Machine:
    """A machine with so many GB of memory that can be used, and the servers on it."""

    def __init__(self, folder: Path, sizes: Mapping[str, int], usable: int, *, known: Sequence[str] = NAMES) -> None:
        self.sizes, self.total = sizes, (usable + 1) * GB
        self.folder = folder
        self.starts: list[str] = []
        self.running: dict[str, Server] = {}
        self.most = 0
        self.said: list[tuple[str, str]] = []
        self.fails: set[str] = set()
        for name in known:
            keep_measured(folder, name, Measured(usage=Usage(memory_bytes=round(sizes[name] * GB / 1.1))))

    def room(self) -> Room:
        taken = sum(self.sizes[name] * GB for name in self.running)
        return Room(self.total + (1 << 30) - GB - taken, 8 * GB)

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[Server]:
        self.starts.append(name)
        if name in self.fails:
            self.fails.remove(name)
            raise ServerError("it does not start")
        self.running[name] = Server(
            spec=spec(name), base_url="http://127.0.0.1:1/v1", model=name, engine="e", gpu_in_use_before=(1,)
        )
        self.most = max(self.most, sum(self.sizes[one] for one in self.running))
        try:
            yield self.running[name]
        finally:
            await asyncio.sleep(0)
            del self.running[name]

    def servers(self, **more: Any) -> LoadedServers:
        specs = {name: spec(name) for name in self.sizes}
        may_stay = more.get("may_stay", set(self.sizes))
        return LoadedServers(
            self.open, specs, self.folder, may_stay=may_stay, says=lambda *said: self.said.append(said)
        )


def spec(name: str) -> ServerSpec:
    return ServerSpec(runtime="llama_server", model=name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(loaded, "room", machine.room)
    return machine


async def take_turns(machine: Machine, turns: Sequence[str], *, early: bool = False) -> None:
    async with machine.servers() as servers:
        for number, name in enumerate(turns):
            async with servers.use(name, partial(turns.__getitem__, slice(number + 1, None))) as server:
                assert server.model == name
                assert name in machine.running
                if early and number + 1 < len(turns):
                    await servers.load_early(turns[number + 1])
                    await asyncio.sleep(0)
            await servers.stop_unwanted(turns[number + 1 :])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(st.sampled_from(NAMES), max_size=12),
    sizes=st.fixed_dictionaries({name: st.integers(1, 6) for name in NAMES}),
    usable=st.integers(1, 20),
    known=st.sets(st.sampled_from(NAMES)),
    early=st.booleans(),
)
def test_memory_always_suffices_for_what_is_loaded(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    turns: list[str],
    sizes: dict[str, int],
    usable: int,
    known: set[str],
    early: bool,
) -> None:
    machine = Machine(tmp_path_factory.mktemp("m"), sizes, usable, known=sorted(known))
    with pytest.MonkeyPatch.context() as patch:
        asyncio.run(take_turns(on(machine, patch), turns, early=early))

    assert machine.running == {}
    assert machine.most <= max(usable, *sizes.values()), "several are loaded only where they fit"
    if not known:
        changes = sum(now != before for before, now in zip(["", *turns], turns, strict=False))
        assert len(machine.starts) == changes, "never two, where nothing is known"


@pytest.mark.parametrize(
    ("usable", "starts"),
    [
        pytest.param(9, "abc", id="all-three-fit: nothing is started again"),
        pytest.param(6, "abcbac", id="two-fit: what is asked next stays"),
        pytest.param(3, "abcabcabc", id="one-fits"),
    ],
)
async def test_turns_start_again_only_what_had_to_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch, usable: int, starts: str
) -> None:
    machine = on(Machine(folder, dict.fromkeys("abc", 3), usable, known="abc"), monkeypatch)

    await take_turns(machine, "abcabcabc")

    assert "".join(machine.starts) == starts


async def test_where_two_fit_the_baseline_and_a_variant_take_turns_without_a_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = on(Machine(folder, dict.fromkeys("ab", 3), 6, known="ab"), monkeypatch)

    await take_turns(machine, "abababab")

    assert machine.starts == ["a", "b"]
    assert ("b", "starting its server beside a's: memory suffices") in machine.said


async def test_what_is_measured_in_the_first_turn_counts_in_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = on(Machine(folder, dict.fromkeys("ab", 3), 6, known=""), monkeypatch)
    async with machine.servers() as servers:
        for name in "ababab":
            async with servers.use(name, lambda: NAMES):
                keep_measured(folder, name, Measured(usage=Usage(memory_bytes=2 * GB)))

    assert machine.starts == ["a", "b", "a"]
    assert ("a", "its server is stopped before b's is started: how much memory they take together is not known") in (
        machine.said
    )


async def test_a_server_that_dies_while_it_waits_is_started_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = on(Machine(folder, dict.fromkeys("ab", 1), 6, known="ab"), monkeypatch)
    monkeypatch.setattr(loaded, "alive", lambda server: server.model != "a")

    await take_turns(machine, "aba")

    assert machine.starts == ["a", "b", "a"]


async def test_one_that_fails_to_load_early_is_tried_again_in_its_turn(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = on(Machine(folder, dict.fromkeys("ab", 1), 6, known="ab"), monkeypatch)
    machine.fails = {"b"}

    await take_turns(machine, "ab", early=True)

    assert machine.starts == ["a", "b", "b"]


@pytest.mark.parametrize("early", [False, True], ids=["in-use", "loading-early"])
async def test_whatever_ends_the_run_no_server_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, early: bool
) -> None:
    machine = on(Machine(folder, dict.fromkeys("abc", 1), 6, known="abc"), monkeypatch)

    async def interrupted() -> None:
        async with machine.servers() as servers:
            async with servers.use("a", lambda: NAMES):
                pass
            async with servers.use("b", lambda: NAMES):
                if early:
                    await servers.load_early("c")
                raise KeyError

    with pytest.raises(KeyError):
        await interrupted()

    assert machine.running == {}


async def test_what_waits_goes_where_memory_becomes_scarce(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded, "_LOOK_EVERY_S", 0.01)
    machine = on(Machine(folder, dict.fromkeys("ab", 1), 6, known="ab"), monkeypatch)
    async with machine.servers() as servers, asyncio.timeout(20):
        async with servers.use("a", lambda: NAMES):
            pass
        async with servers.use("b", lambda: NAMES):
            machine.total = 2 * GB
            while "a" in machine.running:  # noqa: ASYNC110 - what is waited for is another task's doing
                await asyncio.sleep(0.01)
            assert "b" in machine.running

    assert ("a", "its server is stopped: little memory is left") in machine.said


async def test_beside_a_server_that_is_not_ours_none_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LM Studio's models are in nobody's books: what it takes is not known."""
    machine = on(Machine(folder, dict.fromkeys("ab", 1), 6, known="ab"), monkeypatch)
    async with machine.servers(may_stay={"a"}) as servers:
        async with servers.use("a", lambda: NAMES):
            pass
        async with servers.use("b", lambda: NAMES):
            assert list(machine.running) == ["b"]
            assert not await servers.load_early("a")


EMPTY = Room(64 * GB, 64 * GB)
WITH_CARDS = Room(64 * GB, 64 * GB, (10 * GB, 24 * GB))


@pytest.mark.parametrize(
    ("sizes", "more", "now", "says"),
    [
        pytest.param((8,), (8, None), EMPTY, "", id="fits"),
        pytest.param((8,), (None, None), EMPTY, "is not known", id="unknown"),
        pytest.param((None,), (8, None), EMPTY, "is not known", id="another-unknown"),
        pytest.param((30,), (30, None), EMPTY, "together they take 66.0 GB", id="together-too-large"),
        pytest.param((8,), (8, None), Room(12 * GB, 64 * GB), "together they take", id="others-took-it-meanwhile"),
        pytest.param((8,), (2, None), WITH_CARDS, "is not known", id="unknown-on-cards"),
        pytest.param((8,), (2, 8), WITH_CARDS, "", id="fits-on-each-card"),
        pytest.param((8,), (2, 10), WITH_CARDS, "11.3 GB of a graphics card, and 10.0 GB are free", id="cards-full"),
    ],
)
def test_what_is_known_to_fit(
    sizes: tuple[int | None, ...], more: tuple[int | None, int | None], now: Room, says: str
) -> None:
    def usage(memory: int | None, card: int | None = None) -> Usage:
        return Usage(
            memory_bytes=None if memory is None else memory * GB, gpu_bytes=None if card is None else card * GB
        )

    why = too_much([usage(size) for size in sizes], usage(*more), EMPTY, now)

    assert (says in why) if says else why == ""

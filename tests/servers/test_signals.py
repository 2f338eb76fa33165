"""Work in an event loop ends as the caller sees it: with its result, with one error, or with KeyboardInterrupt."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from servers import signals


def in_a_loop(call: Callable[[], object]) -> object:
    async def cell() -> object:
        return call()

    return asyncio.run(cell())


WAYS = [pytest.param(lambda call: call(), id="no-loop"), pytest.param(in_a_loop, id="in-a-running-loop")]
Way = Callable[[Callable[[], object]], object]


@pytest.fixture(autouse=True, params=["asyncio", "uvloop"])
def loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run each test in either kind of loop."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    else:
        monkeypatch.setitem(sys.modules, "uvloop", None)  # as if it were not installed
    return str(request.param)


@pytest.mark.parametrize("way", WAYS)
def test_uvloop_is_taken_where_it_is_installed(way: Way, loops: str) -> None:
    async def kind() -> str:
        return type(asyncio.get_running_loop()).__module__.partition(".")[0]

    assert way(lambda: signals.run(kind())) == loops


async def fail(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


async def fail_within(error: BaseException, groups: int) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fail_within(error, groups - 1) if groups > 1 else fail(error))
        group.create_task(asyncio.sleep(60))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("error", [ValueError("theirs"), OSError(5, "disk")], ids=repr)
def test_an_error_of_a_task_is_raised_by_itself(way: Way, groups: int, error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        way(lambda: signals.run(fail_within(error, groups)))

    assert raised.value is error


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cancels_the_work_and_waits_until_it_is_in_order(way: Way, number: signal.Signals) -> None:
    order: list[str] = []
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    async def work() -> None:
        threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            order.append("server stopped")

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        way(lambda: signals.run(work()))

    assert order == ["server stopped"]
    assert time.monotonic() - began < 30
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.parametrize("way", WAYS)
def test_a_signal_that_is_ignored_ends_nothing(way: Way) -> None:
    """As under nohup, which is there so that a run outlives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def work() -> str:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.05)
        return "done"

    try:
        assert way(lambda: signals.run(work())) == "done"
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("way", WAYS)
def test_a_programs_own_handler_of_a_signal_stays(way: Way) -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))

    async def work() -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
        return "done"

    try:
        assert way(lambda: signals.run(work())) == "done"
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert came == [signal.SIGTERM] * 2


def test_ctrl_c_before_the_thread_has_begun_is_not_lost() -> None:
    """In a process of its own: were it lost, it would wait for a minute."""
    code = """
import asyncio, concurrent.futures, os, signal, threading, time
from servers import signals

class Late(concurrent.futures.ThreadPoolExecutor):
    def submit(self, *args):
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        first, *rest = args
        return super().submit(lambda: (time.sleep(0.5), first(*rest))[1])

concurrent.futures.ThreadPoolExecutor = Late

async def cell():
    signals.run(asyncio.sleep(60))

try:
    asyncio.run(cell())
except KeyboardInterrupt:
    print("interrupted")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    assert ended.stdout == "interrupted\n", ended.stderr


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("error", [KeyboardInterrupt("theirs"), SystemExit(141)], ids=repr)
@pytest.mark.filterwarnings("error")
def test_what_a_callback_ends_is_ended_in_order(
    way: Way, error: BaseException, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    stopped: list[str] = []

    def callback(_: str) -> None:
        raise error

    async def serve(name: str, tell: Callable[[str], None]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(60))
                await asyncio.sleep(0.01 if name == "first" else 60)
                tell("event")
        finally:
            await asyncio.sleep(0.05)
            stopped.append(name)

    async def work() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for name in ("first", "second", "third"):
                    group.create_task(serve(name, signals.in_order(callback)))
        finally:
            await asyncio.sleep(0.05)
            stopped.append("router")

    with pytest.raises(type(error)) as raised:
        way(lambda: signals.run(work()))
    gc.collect()

    assert raised.value is error
    assert sorted(stopped) == ["first", "router", "second", "third"]
    assert (capsys.readouterr(), caplog.messages) == (("", ""), [])

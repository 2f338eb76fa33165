"""A server never outlives whichquant, and its death is explained."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from servers import guard, process
from servers.errors import ServerError
from servers.launch import alive, launch
from servers.ports import free_port
from servers.spec import Server, ServerSpec

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
WITH_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}])
print("grandchild", child.pid, flush=True)
child.wait()
"""
FAKE_LLAMA = """\
#!{python}
import http.server, json, pathlib, sys
port = int(sys.argv[sys.argv.index("--port") + 1])
seen = pathlib.Path({seen!r})
seen.write_text(seen.read_text() + f"{{port}}\\n" if seen.exists() else f"{{port}}\\n")
if len(seen.read_text().split()) <= {thefts}:
    sys.exit(f"E srv start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: {{port}}")
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({{"status": "ok"}}).encode())
http.server.HTTPServer(("127.0.0.1", port), Page).serve_forever()
"""


def python(source: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(source)]


def gone(pid: int, seconds: float = 5) -> bool:
    """Whether the process ends in time; nobody but init reaps it, so a zombie would fail the test."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def said(log: Path) -> list[str]:
    return log.read_text().splitlines()


async def logged(log: Path, beginning: str) -> str:
    """Wait for a line of the log and return what follows its beginning."""
    for _ in range(500):
        for line in said(log):
            if line.startswith(beginning):
                return line.removeprefix(beginning).strip()
        await asyncio.sleep(0.02)
    raise AssertionError(said(log))


async def never() -> bool:
    return False


async def always() -> bool:
    return True


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "server.log"
    file.touch()
    return file


@pytest.fixture
def llama(tmp_path: Path) -> Callable[[int], ServerSpec]:
    """A spec whose program stands in for llama-server; its port is stolen so many times."""

    def make(thefts: int) -> ServerSpec:
        program, model = tmp_path / "llama-server", tmp_path / "model.gguf"
        program.write_text(FAKE_LLAMA.format(python=sys.executable, seen=str(tmp_path / "ports"), thefts=thefts))
        program.chmod(0o755)
        model.touch()
        return ServerSpec(runtime="llama_server", model=str(model), binary=str(program), startup_seconds=20)

    return make


async def test_stop_ends_the_server_and_what_it_started(log: Path) -> None:
    child = process.start(python(WITH_CHILD), {}, log)
    grandchild = int(await logged(log, "grandchild"))

    assert process.alive(child)
    await process.stop(child)

    assert not process.alive(child)
    assert not process.running(child.guard.pid)
    assert gone(grandchild)


@pytest.fixture
def hasty_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that waits 0.3 s and not 5 before it kills."""
    hasty, source = tmp_path / "guard.py", Path(guard.__file__).read_text()
    hasty.write_text(source.replace(f"GRACE_SECONDS = {guard.GRACE_SECONDS}\n", "GRACE_SECONDS = 0.3\n"))
    monkeypatch.setattr(process, "GUARD", hasty)


def test_the_guard_kills_before_we_do() -> None:
    assert guard.GRACE_SECONDS < process.STOP_SECONDS


async def test_stop_kills_a_server_that_does_not_listen(log: Path, hasty_guard: None) -> None:
    child = process.start(python(DEAF), {}, log)
    await logged(log, "deaf")

    await process.stop(child)

    assert not process.alive(child)
    assert said(log)[-1] == "still running 0.3 s after SIGTERM: killed"


async def test_a_second_interrupt_does_not_wait_for_the_grace(log: Path) -> None:
    child = process.start(python(DEAF), {}, log)
    await logged(log, "deaf")
    stopping = asyncio.create_task(process.stop(child))
    await asyncio.sleep(0.1)
    began = time.monotonic()

    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping

    assert not process.alive(child)
    assert time.monotonic() - began < 2


async def test_what_it_read_goes_with_it(log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "settings"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "file").touch()
    child = process.start(python(SLEEP), {}, log, folder)

    await process.stop(child)

    assert not folder.exists()


async def test_stop_of_a_dead_server_returns(log: Path) -> None:
    child = process.start(python("pass"), {}, log)
    child.guard.wait(10)

    await process.stop(child)
    await process.stop(child)

    assert not process.alive(child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
async def test_a_signalled_guard_takes_its_server_along(log: Path, number: signal.Signals) -> None:
    child = process.start(python(f"import os; print('pid', os.getpid(), flush=True); {SLEEP}"), {}, log)
    server = int(await logged(log, "pid"))

    child.guard.send_signal(number)

    assert gone(server)
    await process.stop(child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_a_dead_whichquant_leaves_no_server(log: Path, number: signal.Signals) -> None:
    source = f"""
        import pathlib, sys, time
        from servers import guard, process
        command = [sys.executable, "-c", "import os; print('pid', os.getpid(), flush=True); {SLEEP}"]
        child = process.start(command, {{}}, pathlib.Path({str(log)!r}))
        time.sleep(60)
    """
    with subprocess.Popen(python(source)) as parent:
        server = int(asyncio.run(logged(log, "pid")))
        parent.send_signal(number)

        assert gone(server)


@pytest.mark.parametrize(
    ("source", "code"),
    [("import sys; sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)],
    ids=["exit", "killed"],
)
async def test_the_servers_exit_code_is_told(log: Path, source: str, code: int) -> None:
    child = process.start(python(source), {}, log)

    with pytest.raises(ServerError, match=f"ended with exit code {code} before it answered"):
        await process.wait_ready(child, never, timeout=10)
    await process.stop(child)


async def test_a_failure_shows_the_end_of_the_log_and_the_command(log: Path) -> None:
    command = python("for n in range(30): print(f'\\x1b[31mline {n}\\x1b[0m\\x07')\nraise SystemExit(1)")
    child = process.start(command, {}, log)

    with pytest.raises(ServerError) as caught:
        await process.wait_ready(child, never, timeout=10)
    await process.stop(child)

    sentence, _, *lines = str(caught.value).splitlines()
    assert sentence == "The server ended with exit code 1 before it answered."
    assert lines[:12] == [f"  line {n}" for n in range(18, 30)]
    assert lines[12] == "To try it by hand:"
    assert sys.executable in lines[13]


async def test_a_missing_program_is_named(log: Path) -> None:
    child = process.start(["/nowhere/llama-server"], {}, log)

    with pytest.raises(ServerError, match="cannot run /nowhere/llama-server: No such file"):
        await process.wait_ready(child, never, timeout=10)
    await process.stop(child)


async def test_waiting_ends_in_time(log: Path) -> None:
    child = process.start(python(SLEEP), {}, log)

    with pytest.raises(ServerError, match=r"did not answer within 0.2 s"):
        await process.wait_ready(child, never, timeout=0.2)
    await process.stop(child)


async def test_a_dead_servers_successor_on_the_port_is_not_taken_for_it(log: Path) -> None:
    child = process.start(python("raise SystemExit(1)"), {}, log)
    child.guard.wait(10)

    with pytest.raises(ServerError, match="exit code 1"):
        await process.wait_ready(child, always, timeout=10)
    await process.stop(child)


async def test_the_log_is_appended_to_but_read_from_this_start(log: Path) -> None:
    for word in ("first", "second"):
        child = process.start(python(f"print({word!r})"), {}, log)
        child.guard.wait(10)
        await process.stop(child)

    assert process.tail(child) == ["second"]
    assert said(log) == ["first", "second"]


def test_a_port_is_never_given_twice() -> None:
    ports = [free_port() for _ in range(200)]

    assert len(set(ports)) == 200


async def test_launch_tries_another_port_when_one_is_stolen(
    llama: Callable[[int], ServerSpec], log: Path, tmp_path: Path
) -> None:
    async with launch(llama(2), log=log) as server:
        ports = (tmp_path / "ports").read_text().split()

        assert len(set(ports)) == 3
        assert server.base_url == f"http://127.0.0.1:{ports[-1]}/v1"


async def test_launch_gives_up_when_every_port_is_stolen(llama: Callable[[int], ServerSpec], log: Path) -> None:
    with pytest.raises(ServerError, match="port was taken by another program"):
        async with launch(llama(99), log=log):
            raise AssertionError


@pytest.mark.parametrize("leave", [ValueError, asyncio.CancelledError, KeyboardInterrupt])
async def test_launch_stops_the_server_however_it_is_left(
    llama: Callable[[int], ServerSpec], log: Path, leave: type[BaseException]
) -> None:
    seen: list[Server] = []

    async def run() -> None:
        async with launch(llama(0), log=log) as server:
            seen.append(server)
            assert alive(server)
            raise leave

    with pytest.raises(leave):
        await run()

    assert not alive(seen[0])


async def test_cancelling_while_it_loads_stops_the_server(tmp_path: Path, log: Path) -> None:
    program, model = tmp_path / "slow", tmp_path / "model.gguf"
    program.write_text(f"#!{sys.executable}\nimport os; print('pid', os.getpid(), flush=True); {SLEEP}")
    program.chmod(0o755)
    model.touch()
    spec = ServerSpec(runtime="llama_server", model=str(model), binary=str(program))

    async def run() -> None:
        async with launch(spec, log=log):
            raise AssertionError

    task = asyncio.create_task(run())
    pid = int(await logged(log, "pid"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert gone(pid)

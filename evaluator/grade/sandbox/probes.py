"""Let a sandbox prove itself first: attacks that must fail in it, and a control that must pass."""

import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from evaluator.grade.sandbox.probe_programs import ALWAYS_EQUAL, CONTROL, Place, Probe, probes
from evaluator.grade.sandbox.sandbox import Run, Sandbox
from evaluator.grade.sandbox.workers import run_tests

_CONTROL_SECONDS = (20.0, 60.0)  # the second try is for a machine that is busy with something else
_PROBE_SECONDS = 60.0
_DYING_SECONDS = 0.2
_CONTROL_NAME = "an ordinary program runs"
_CONTROL_TESTS = "def check(probe):\n    assert probe() == '9dd4e461268c8034f5c8564e155c67a6'\n"
_PROBE_TESTS = "def check(probe):\n    assert probe()\n"


class ProbeResult(Struct, frozen=True):
    """How one probe ended."""

    name: str
    """What must not happen: `a file in the home directory is read`; of the control what must."""
    held: bool
    told: str
    """What the sandbox, or the world outside, said."""


class Proof(Struct, frozen=True):
    """What a sandbox has shown."""

    results: tuple[ProbeResult, ...]
    refusal: str | None
    """Why it is not used; None if it holds."""
    works: bool
    """Whether programs run in it at all."""


def prove(sandbox: Sandbox, home: Path) -> Proof:
    """Put the control and all probes through a sandbox; where the control fails, the probes are left out.

    Args:
        sandbox: what is to prove itself.
        home: the user's files, one of which must be out of reach.
    """
    for seconds in _CONTROL_SECONDS:
        control = run_tests(sandbox, CONTROL, _CONTROL_TESTS, "probe", seconds=seconds)
        if control.outcome == "passed":
            break
    else:
        failed = ProbeResult(_CONTROL_NAME, held=False, told=control.reason)
        return Proof((failed,), f"it does not work here: {control.reason}", works=False)
    results = [ProbeResult(_CONTROL_NAME, held=True, told="passed")]
    with _place(home) as place:
        results += [_try(sandbox, probe) for probe in probes(place)]
        results.append(_forge(sandbox, place.secret))
    broken = [result for result in results if not result.held]
    told = "; ".join(f"{result.name} ({result.told})" for result in broken)
    return Proof(tuple(results), f"it does not hold here: {told}" if broken else None, works=True)


def _try(sandbox: Sandbox, probe: Probe) -> ProbeResult:
    program = f"def probe():\n{probe.body}"
    run = run_tests(sandbox, program, _PROBE_TESTS, "probe", seconds=_PROBE_SECONDS)
    if run.outcome == "passed" or not probe.holds():
        return ProbeResult(probe.name, held=False, told="it could")
    return _unless_untried(probe.name, run)


def _forge(sandbox: Sandbox, secret: str) -> ProbeResult:
    """Have an answer write a passing verdict to whatever it can; the right value is known to the tests alone."""
    name = "an answer writes its own verdict"
    tests = f"def check(probe):\n    assert probe() == {secret!r}\n"
    run = run_tests(sandbox, ALWAYS_EQUAL, tests, "probe", seconds=_PROBE_SECONDS)
    if run.outcome == "passed":
        return ProbeResult(name, held=False, told="it could")
    return _unless_untried(name, run)


def _unless_untried(name: str, run: Run) -> ProbeResult:
    if run.outcome == "no_verdict":  # it has not been shown that the attack fails
        return ProbeResult(name, held=False, told=f"it could not be tried: {run.reason}")
    return ProbeResult(name, held=True, told=_met(run.reason))


def _met(reason: str) -> str:
    """Put into words what an attack met: of the system's refusals what it says, without numbers and paths."""
    if reason.startswith("AssertionError"):
        return "nothing came of it"
    return re.sub(r"^\w+: \[Errno \d+\] ", "", reason).partition(": '")[0]


@contextmanager
def _place(home: Path) -> Iterator[Place]:
    """Put up what the probes are to attack: files, servers and a process of our own."""
    secret = secrets.token_hex(8)
    with ExitStack() as put_up:
        canaries: dict[str, Path] = {}
        for where, directory in (("home", home), ("temporary", Path(tempfile.gettempdir()).resolve())):
            if os.access(directory, os.W_OK):
                canaries[where] = directory / f".whichquant-canary-{secret}"
                put_up.callback(canaries[where].unlink, missing_ok=True)
                put_up.callback(Path(f"{canaries[where]}-new").unlink, missing_ok=True)
                canaries[where].write_text(secret, encoding="utf-8")
        stream = put_up.enter_context(socket.create_server(("127.0.0.1", 0)))
        datagrams = put_up.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", 0))
        local = put_up.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        folder = Path(put_up.enter_context(tempfile.TemporaryDirectory(prefix="whichquant-canary-")))
        # Linux has names for these that are in no directory: a sandbox may close the one way and not the other.
        address = f"\0whichquant-{secret}" if sys.platform == "linux" else str(folder / "socket")
        local.bind(address)
        local.listen()
        helper = subprocess.Popen(
            [sys.executable, "-S", "-c", "import sys; sys.stdin.read()", secret],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        put_up.callback(helper.communicate)
        yield Place(
            secret=secret,
            canaries=canaries,
            port=stream.getsockname()[1],
            datagram_port=datagrams.getsockname()[1],
            address=address,
            helper=helper.pid,
            silent={
                "stream": _silent(stream, _accept),
                "datagram": _silent(datagrams, _receive),
                "local": _silent(local, _accept),
            },
            lives=lambda: _lives(helper),
        )


def _lives(helper: "subprocess.Popen[bytes]") -> bool:
    """Whether a program runs, and not only because it has not got round to dying."""
    try:
        helper.wait(_DYING_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _silent(on: socket.socket, hear: Callable[[socket.socket], object]) -> Callable[[], bool]:
    """Make the question whether nothing has come in."""
    on.settimeout(0)

    def silent() -> bool:
        try:
            hear(on)
        except BlockingIOError:
            return True
        return False

    return silent


def _accept(listener: socket.socket) -> None:
    caller, _ = listener.accept()
    caller.close()


def _receive(receiver: socket.socket) -> None:
    receiver.recv(1)

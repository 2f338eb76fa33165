"""Prove that a sandbox holds before it is used: attacks that must fail in it, and a control that must pass."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from evaluator.grade.sandbox.leftovers import Remover
from evaluator.grade.sandbox.probe_programs import ALWAYS_EQUAL, CONTROL, Probe, Targets, probes
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
    detail: str
    """What stopped the attack, or that nothing did; of the control, how it ended."""


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
        failed = ProbeResult(_CONTROL_NAME, held=False, detail=control.reason)
        return Proof((failed,), f"it does not work here: {control.reason}", works=False)
    results = [ProbeResult(_CONTROL_NAME, held=True, detail="passed")]
    with _targets(home) as targets:
        results += [_try(sandbox, probe) for probe in probes(targets)]
        results.append(_forge(sandbox, targets.secret))
    broken = [result for result in results if not result.held]
    breaches = "; ".join(f"{result.name} ({result.detail})" for result in broken)
    return Proof(tuple(results), f"it does not hold here: {breaches}" if broken else None, works=True)


def _try(sandbox: Sandbox, probe: Probe) -> ProbeResult:
    program = f"def probe():\n{probe.body}"
    run = run_tests(sandbox, program, _PROBE_TESTS, "probe", seconds=_PROBE_SECONDS)
    if run.outcome == "passed" or not probe.holds():
        return ProbeResult(probe.name, held=False, detail="it could")
    return _unless_untried(probe.name, run)


def _forge(sandbox: Sandbox, secret: str) -> ProbeResult:
    """Have an answer write a passing verdict to whatever it can; the right value is known to the tests alone."""
    name = "an answer writes its own verdict"
    tests = f"def check(probe):\n    assert probe() == {secret!r}\n"
    run = run_tests(sandbox, ALWAYS_EQUAL, tests, "probe", seconds=_PROBE_SECONDS)
    if run.outcome == "passed":
        return ProbeResult(name, held=False, detail="it could")
    return _unless_untried(name, run)


def _unless_untried(name: str, run: Run) -> ProbeResult:
    if run.outcome == "no_verdict":  # the attack has not been shown to fail
        return ProbeResult(name, held=False, detail=f"it could not be tried: {run.reason}")
    return ProbeResult(name, held=True, detail=_explain(run.reason))


def _explain(reason: str) -> str:
    """Describe what stopped an attack: the system's error message, without its number and path."""
    if reason.startswith("AssertionError"):
        return "nothing came of it"
    return re.sub(r"^\w+: \[Errno \d+\] ", "", reason).partition(": '")[0]


@contextmanager
def _targets(home: Path) -> Iterator[Targets]:
    """Set up what the probes are to attack: files, servers and a process of our own."""
    secret, temporary = secrets.token_hex(8), Path(tempfile.gettempdir()).resolve()
    places = {where: path for where, path in (("home", home), ("temporary", temporary)) if os.access(path, os.W_OK)}
    bait = {where: path / f".whichquant-probe-{secret}" for where, path in places.items()}
    new, folder = [Path(f"{path}-new") for path in bait.values()], temporary / f"whichquant-probe-{secret}"
    with ExitStack() as cleanup:
        # It is attacked, too; where it is ended, what it would remove is removed without it.
        remover = Remover(*bait.values(), *new, folder, word=secret)
        cleanup.callback(remover.close)
        for path in bait.values():
            cleanup.callback(path.unlink, missing_ok=True)
            path.write_text(secret, encoding="utf-8")
        for path in new:
            cleanup.callback(path.unlink, missing_ok=True)
        stream = cleanup.enter_context(socket.create_server(("127.0.0.1", 0)))
        datagrams = cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", 0))
        local = cleanup.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        # Linux has names for these that are in no directory: a sandbox may close the one way and not the other.
        address = f"\0whichquant-{secret}"
        if sys.platform != "linux":
            folder.mkdir(mode=0o700)
            cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
            address = str(folder / "socket")
        local.bind(address)
        local.listen()
        yield Targets(
            secret=secret,
            bait=bait,
            port=stream.getsockname()[1],
            datagram_port=datagrams.getsockname()[1],
            address=address,
            helper=remover.process.pid,
            untouched={
                "stream": _untouched(stream, _accept),
                "datagram": _untouched(datagrams, _receive),
                "local": _untouched(local, _accept),
            },
            helper_runs=lambda: _runs(remover.process),
        )


def _runs(helper: "subprocess.Popen[bytes]") -> bool:
    """Whether a process still runs after the time that a killed one needs to end."""
    try:
        helper.wait(_DYING_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _untouched(on: socket.socket, receive: Callable[[socket.socket], object]) -> Callable[[], bool]:
    """Return a function that checks whether nothing has come in."""
    on.settimeout(0)

    def untouched() -> bool:
        try:
            receive(on)
        except BlockingIOError:
            return True
        return False

    return untouched


def _accept(listener: socket.socket) -> None:
    caller, _ = listener.accept()
    caller.close()


def _receive(receiver: socket.socket) -> None:
    receiver.recv(1)

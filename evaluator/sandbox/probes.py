"""Let a sandbox prove itself first: attacks that must fail in it, and a control that must pass."""

import os
import secrets
import shutil
import socket
import sys
import tempfile
from functools import cache
from pathlib import Path

from msgspec import Struct

from evaluator.sandbox.bubblewrap import build_sandbox
from evaluator.sandbox.sandbox import NoSandbox, Sandbox
from evaluator.sandbox.workers import run_tests

_CONTROL_SECONDS = (20.0, 60.0)  # the second try is for a machine that is busy with something else
_PROBE_SECONDS = 60.0
_INSTALL = "sudo apt install bubblewrap   (Fedora, RHEL: sudo dnf install bubblewrap)"
_ALLOW = (
    "Allow bubblewrap to make user namespaces; on Ubuntu 24.04 and later: "
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
)
_CONTROL = """
import collections, functools, heapq, itertools, math, re, string, typing, hashlib, threading, tempfile

def probe():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    with tempfile.TemporaryFile() as file:
        file.write(b"scratch")
    return hashlib.md5(b"x").hexdigest()
"""
_PROBE_TESTS = "def check(probe):\n    assert probe()\n"
_CONTROL_TESTS = "def check(probe):\n    assert probe() == '9dd4e461268c8034f5c8564e155c67a6'\n"


class _Probe(Struct, frozen=True):
    """An attack on the sandbox; it wins when its function returns true."""

    wins: str
    """What the user is told when it does."""
    body: str


@cache
def find_sandbox() -> Sandbox | NoSandbox:
    """Find a sandbox that holds on this machine, or the reason why there is none. Proved once per process."""
    if sys.platform != "linux":
        return NoSandbox(
            "this version has a sandbox for model-written code on Linux only",
            "Run code questions in a Linux machine or container; everything else works here.",
        )
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return NoSandbox("bubblewrap (the program bwrap) is not on PATH", _INSTALL)
    home = Path.home().resolve()
    if home.is_relative_to(Path(sys.base_prefix).resolve()):
        return NoSandbox(
            f"Python is installed in {sys.base_prefix}, which holds the home directory {home}",
            "Use a Python that is installed in a directory of its own.",
        )
    return prove(build_sandbox(bwrap), home)


def prove(sandbox: Sandbox, home: Path) -> Sandbox | NoSandbox:
    """Return the sandbox if the control passes in it and no probe gets out of it."""
    for seconds in _CONTROL_SECONDS:
        control = run_tests(sandbox, _CONTROL, _CONTROL_TESTS, "probe", seconds=seconds)
        if control.outcome == "passed":
            break
    else:
        return NoSandbox(f"bubblewrap does not work here: {control.reason}", _ALLOW)
    broken = "Do not run model-written code on this machine; please report this."
    secret = secrets.token_hex(8)
    directories = [directory for directory in (home, Path(tempfile.gettempdir())) if os.access(directory, os.W_OK)]
    canaries = [directory / f".whichquant-canary-{secret}" for directory in directories]
    try:
        for canary in canaries:
            canary.write_text(secret, encoding="utf-8")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            for probe in _probes(canaries, secret, port):
                program = f"def probe():\n{probe.body}"
                run = run_tests(sandbox, program, _PROBE_TESTS, "probe", seconds=_PROBE_SECONDS)
                if run.outcome == "no_verdict":  # it has not been shown that the attack fails
                    return NoSandbox(f"bubblewrap does not work here: {run.reason}", _ALLOW)
                if run.outcome == "passed":
                    return NoSandbox(f"bubblewrap does not hold here: a probe could {probe.wins}", broken)
        if any(canary.read_text(encoding="utf-8") != secret for canary in canaries):
            return NoSandbox("bubblewrap does not hold here: a probe could write outside", broken)
    finally:
        for canary in canaries:
            canary.unlink(missing_ok=True)
    return sandbox


def _probes(canaries: list[Path], secret: str, port: int) -> list[_Probe]:
    reads = [
        _Probe(f"read {canary}", f"    return {secret!r} in open({str(canary)!r}).read()\n") for canary in canaries
    ]
    # The probe itself cannot tell a private file from the real one; the canaries are read again afterwards.
    writes = [
        _Probe("never win", f"    open({str(canary)!r}, 'w').write('overwritten')\n    return False\n")
        for canary in canaries
    ]
    connects = f"    import socket\n    return socket.create_connection(('127.0.0.1', {port}), timeout=2)\n"
    environment = "    import os\n    return os.environ.keys() - {'PWD', 'LC_CTYPE', 'PYTHONHASHSEED'}\n"
    forks = (
        "    import os\n    for _ in range(200):\n        if not os.fork():\n            os._exit(0)\n    return True\n"
    )
    return [
        *reads,
        *writes,
        _Probe("connect to a local server", connects),
        _Probe("see the environment", environment),
        _Probe("start any number of processes", forks),
    ]

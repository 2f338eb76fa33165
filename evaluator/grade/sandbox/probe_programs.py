"""The probes' programs: what a hostile answer would try, harmless where it succeeds."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

CONTROL = """
import collections, functools, heapq, itertools, math, re, string, typing, hashlib, threading, tempfile

def probe():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    with tempfile.TemporaryFile() as file:
        file.write(b"scratch")
    return hashlib.md5(b"x").hexdigest()
"""
ALWAYS_EQUAL = r"""
import os

class Equal(str):
    def __eq__(self, other):
        return True
    __hash__ = None

def probe():
    forged = b'{"passed": true}\n'
    for number in range(3, 256):
        try:
            os.write(number, forged)
        except OSError:
            pass
    return Equal()
"""


class Targets(Struct, frozen=True):
    """What is set up outside the sandbox to be attacked."""

    secret: str
    bait: Mapping[str, Path]
    """Files that hold the secret, by where they lie: `home`, `temporary`."""
    port: int
    datagram_port: int
    address: str
    """Of the listener that only this machine's processes reach."""
    helper: int
    """Process whose command line holds the secret."""
    untouched: Mapping[str, Callable[[], bool]]
    """By listener, whether nothing has reached it."""
    helper_runs: Callable[[], bool]
    """Whether the helper process still runs."""


class Probe(Struct, frozen=True):
    """An attack on the sandbox; it succeeds when its function returns true, or when `holds` finds traces outside."""

    name: str
    body: str
    """Of the function."""
    holds: Callable[[], bool] = lambda: True
    """Checks outside afterwards that nothing was changed or reached."""


def probes(targets: Targets) -> list[Probe]:
    """List the attacks."""
    return [*_file_attacks(targets), *_server_attacks(targets), *_process_attacks(targets)]


def _file_attacks(targets: Targets) -> list[Probe]:
    listed = []
    for where, bait in targets.bait.items():
        place = "in the home directory" if where == "home" else "among the temporary ones"
        new = Path(f"{bait}-new")
        listed += [
            Probe(f"a file {place} is read", f"    return {targets.secret!r} in open({str(bait)!r}).read()\n"),
            # The probe itself cannot tell a private file from the real one.
            Probe(
                f"a file {place} is overwritten",
                f"    open({str(bait)!r}, 'w').write('overwritten')\n",
                lambda bait=bait: _read(bait) == targets.secret,  # type: ignore[misc]
            ),
            Probe(
                f"a file {place} is made",
                f"    open({str(new)!r}, 'w').close()\n",
                lambda new=new: not new.exists(),  # type: ignore[misc]
            ),
            Probe(
                f"a file {place} is deleted",
                f"    import os\n    os.unlink({str(bait)!r})\n",
                bait.exists,
            ),
        ]
    return listed


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return str(error)


def _server_attacks(targets: Targets) -> list[Probe]:
    return [
        Probe(
            "a local server is reached",
            "    import socket\n"
            f"    socket.create_connection(('127.0.0.1', {targets.port}), timeout=2)\n    return True\n",
            targets.untouched["stream"],
        ),
        Probe(
            "a packet is sent to a local server",
            "    import socket\n"
            "    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            f"    sender.sendto(b'x', ('127.0.0.1', {targets.datagram_port}))\n",
            targets.untouched["datagram"],
        ),
        Probe(
            "a server's Unix socket is reached",
            "    import socket\n"
            "    caller = socket.socket(socket.AF_UNIX)\n"
            f"    caller.connect({targets.address!r})\n    return True\n",
            targets.untouched["local"],
        ),
    ]


def _process_attacks(targets: Targets) -> list[Probe]:
    signals = (
        "    import os\n    for number in (15, 9):\n        try:\n"
        f"            os.kill({targets.helper}, number)\n        except OSError:\n            pass\n"
    )
    forks = (
        "    import os\n    for _ in range(200):\n        if not os.fork():\n            os._exit(0)\n    return True\n"
    )
    return [
        Probe("another program's command line is read", _READS_COMMAND.format(targets=targets), targets.helper_runs),
        Probe("another program is ended", signals, targets.helper_runs),
        Probe("any number of processes is started", forks),
        Probe("the environment is seen", _READS_ENVIRONMENT),
    ]


_READS_COMMAND = (
    """\
    import ctypes
    libc = ctypes.CDLL(None)
    size = ctypes.c_size_t(1 << 18)
    buffer = ctypes.create_string_buffer(size.value)
    libc.sysctl((ctypes.c_int * 3)(1, 49, {targets.helper}), 3, buffer, ctypes.byref(size), None, ctypes.c_size_t(0))
    return {targets.secret!r}.encode() in buffer.raw
"""  # CTL_KERN, KERN_PROCARGS2 (sys/sysctl.h)
    if sys.platform == "darwin"
    else """\
    return {targets.secret!r} in open('/proc/{targets.helper}/cmdline').read()
"""
)
_READS_ENVIRONMENT = """\
    import os
    ours = {'PWD', 'LC_CTYPE', 'PYTHONHASHSEED', 'TMPDIR', '__CF_USER_TEXT_ENCODING', '__PYVENV_LAUNCHER__'}
    seen = {name.partition(b'=')[0].decode() for name in _started_with()}
    return (os.environ.keys() | seen) - ours - {''}

def _started_with():
    try:
        with open('/proc/self/environ', 'rb') as file:
            return file.read().split(b'\\0')
    except OSError:
        return []
"""

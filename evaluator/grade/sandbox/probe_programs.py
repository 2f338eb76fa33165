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


class Place(Struct, frozen=True):
    """What is put up outside to be attacked."""

    secret: str
    canaries: Mapping[str, Path]
    """Files that hold the secret, by where they lie: `home`, `temporary`."""
    port: int
    datagram_port: int
    address: str
    """Of the listener that only this machine's processes reach."""
    helper: int
    """Process whose command line holds the secret."""
    silent: Mapping[str, Callable[[], bool]]
    """Whether nothing has reached a listener."""
    lives: Callable[[], bool]
    """Whether the helper does."""


class Probe(Struct, frozen=True):
    """An attack on the sandbox; it wins when its function returns true, or when the world outside shows it."""

    name: str
    body: str
    """Of the function."""
    holds: Callable[[], bool] = lambda: True
    """Looks outside afterwards."""


def probes(place: Place) -> list[Probe]:
    """List the attacks on a place."""
    return [*_on_files(place), *_on_servers(place), *_on_processes(place)]


def _on_files(place: Place) -> list[Probe]:
    listed = []
    for where, canary in place.canaries.items():
        of = "in the home directory" if where == "home" else "among the temporary ones"
        new = Path(f"{canary}-new")
        listed += [
            Probe(f"a file {of} is read", f"    return {place.secret!r} in open({str(canary)!r}).read()\n"),
            # The probe itself cannot tell a private file from the real one.
            Probe(
                f"a file {of} is overwritten",
                f"    open({str(canary)!r}, 'w').write('overwritten')\n",
                lambda canary=canary: _read(canary) == place.secret,  # type: ignore[misc]
            ),
            Probe(
                f"a file {of} is made",
                f"    open({str(new)!r}, 'w').close()\n",
                lambda new=new: not new.exists(),  # type: ignore[misc]
            ),
            Probe(
                f"a file {of} is deleted",
                f"    import os\n    os.unlink({str(canary)!r})\n",
                canary.exists,
            ),
        ]
    return listed


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return str(error)


def _on_servers(place: Place) -> list[Probe]:
    return [
        Probe(
            "a local server is reached",
            "    import socket\n"
            f"    socket.create_connection(('127.0.0.1', {place.port}), timeout=2)\n    return True\n",
            place.silent["stream"],
        ),
        Probe(
            "a packet is sent to a local server",
            "    import socket\n"
            "    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            f"    sender.sendto(b'x', ('127.0.0.1', {place.datagram_port}))\n",
            place.silent["datagram"],
        ),
        Probe(
            "a server's Unix socket is reached",
            "    import socket\n"
            "    caller = socket.socket(socket.AF_UNIX)\n"
            f"    caller.connect({place.address!r})\n    return True\n",
            place.silent["local"],
        ),
    ]


def _on_processes(place: Place) -> list[Probe]:
    signals = (
        "    import os\n    for number in (15, 9):\n        try:\n"
        f"            os.kill({place.helper}, number)\n        except OSError:\n            pass\n"
    )
    forks = (
        "    import os\n    for _ in range(200):\n        if not os.fork():\n            os._exit(0)\n    return True\n"
    )
    return [
        Probe("another program's command line is read", _READS_COMMAND.format(place=place), place.lives),
        Probe("another program is ended", signals, place.lives),
        Probe("any number of processes is started", forks),
        Probe("the environment is seen", _READS_ENVIRONMENT),
    ]


_READS_COMMAND = (
    """\
    import ctypes
    libc = ctypes.CDLL(None)
    size = ctypes.c_size_t(1 << 18)
    told = ctypes.create_string_buffer(size.value)
    libc.sysctl((ctypes.c_int * 3)(1, 49, {place.helper}), 3, told, ctypes.byref(size), None, ctypes.c_size_t(0))
    return {place.secret!r}.encode() in told.raw
"""  # CTL_KERN, KERN_PROCARGS2 (sys/sysctl.h)
    if sys.platform == "darwin"
    else """\
    return {place.secret!r} in open('/proc/{place.helper}/cmdline').read()
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

"""Programs that a model could write and nobody would want to run, and honest ones that look a little like them.

They are in `hostile/`, one file for each kind. `=== name` begins a program, `=== @name` a piece that stands in programs
as a line `@name`. `--- tests` begins the tests, if they are not those of the kind, and `--- then` an answer that runs
afterwards. `$name` stands for a fact of the machine (see `test_hostile_programs.py`).
"""

from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent / "hostile"
WANTS_42 = "def check(f):\n    assert f() == 42\n"
# Called twice: what was planted in the first call gives its harvest in the second.
WANTS_A_LOOK_AT_THE_SECRET = """
secret = '$secret'
def check(f):
    f()
    got = f()
    assert got == 42 or secret in repr(got)
"""
WANTS_THE_SECRET = """
secret = '$secret'
def check(f):
    for n in range(3):
        assert f(n) == secret
"""
WANTS_WHAT_IS_NEAR = "def check(f):\n    assert abs(f(0) - 0.5) < 1e-6\n"
WANTS_TRUTHS = "def check(f):\n    assert not f(0)\n    assert f(1)\n    assert not f(0) != False\n"


class Attack(NamedTuple):
    """One answer that must fail and leave no trace."""

    program: str
    tests: str = WANTS_42
    seconds: float = 5
    then: str = ""
    """An answer that runs after it and gives back 42 if it finds what the first one left."""


def _read(kind: str, tests: str = WANTS_42, seconds: float = 5) -> dict[str, Attack]:
    _, *entries = (HERE / f"{kind}.txt").read_text(encoding="utf-8").split("\n=== ")
    named = dict(entry.split("\n", 1) for entry in entries)
    pieces = {name: text.strip("\n") for name, text in named.items() if name.startswith("@")}
    attacks = {}
    for name in named.keys() - pieces.keys():
        lines = named[name].split("\n")
        while any(line in pieces for line in lines):
            lines = [part for line in lines for part in pieces.get(line, line).split("\n")]
        program, _, then = "\n".join(lines).partition("\n--- then\n")
        program, _, own = program.partition("\n--- tests\n")
        attacks[name] = Attack(program, own or tests, seconds, then)
    return {f"{kind}: {name}": attacks[name] for name in named if name in attacks}


# Name: number on x86_64, number on aarch64, arguments. That it is refused is said by EPERM, EACCES or ENOSYS. Where the
# sandbox does not hold, they do no harm: of what they name, the machine has nothing.
CALLS = {
    "new namespaces": (272, 97, "0x7e020000"),
    "new user namespace": (272, 97, "0x10000000"),
    "other namespaces": (308, 268, "os.open('/proc/1/ns/mnt', os.O_RDONLY), 0"),
    "clone into a user namespace": (56, 220, "0x10000000 | 17, 0, 0, 0, 0"),
    "clone3 into a user namespace": (435, 435, "struct.pack('11Q', 0x10000000, 0, 0, 0, 17, *[0] * 6), 88"),
    "mount": (165, 40, "b'none', b'/sandbox', b'tmpfs', 0, None"),
    "mount again, to be written": (165, 40, "b'none', b'/', None, 4096 | 32, None"),
    "unmount": (166, 39, "b'/sandbox', 2"),
    "new mount": (430, 430, "b'tmpfs', 0"),
    "tree of mounts": (428, 428, "-100, b'/', 1"),
    "pivot root": (155, 41, "b'/sandbox', b'/sandbox'"),
    "ptrace": (101, 117, "16, os.getppid(), 0, 0"),
    "write to another's memory": (311, 271, "os.getppid(), 0, 0, 0, 0, 0"),
    "another's descriptor": (438, 438, "os.pidfd_open(os.getppid()), 3, 0"),
    "io_uring": (425, 425, "8, ctypes.create_string_buffer(120)"),
    "bpf": (321, 280, "0, ctypes.create_string_buffer(72), 72"),
    "keys": (250, 219, "0, -3, 1"),
    "add a key": (248, 217, "b'user', b'x', b'y', 1, -3"),
    "user faults": (323, 282, "1"),
    "performance events": (298, 241, "struct.pack('IIQ', 1, 112, 0) + bytes(96), 0, -1, -1, 0"),
    "kernel module": (313, 273, "0, b'', 0"),
    "another kernel": (246, 104, "0, 0, None, 0"),
    "file handles": (304, 265, "-100, bytes(16), 0"),
    "ctrl-alt-del": (169, 142, "0xfee1dead, 672274793, 0"),
    "name of the machine": (170, 161, "os.uname().nodename.encode(), len(os.uname().nodename)"),
    "swap": (168, 225, "b'/nowhere'"),
    "accounting": (163, 89, "None"),
    "file events": (300, 262, "0, 0"),
}
CALL = """
import ctypes, os, struct
libc = ctypes.CDLL(None, use_errno=True)
def f():
    number = {numbers}[os.uname().machine]
    got = libc.syscall(number, {arguments})
    return 42 if got >= 0 or ctypes.get_errno() not in (1, 13, 38) else 0
"""


def _call(x86_64: int, aarch64: int, arguments: str) -> Attack:
    return Attack(CALL.format(numbers={"x86_64": x86_64, "aarch64": aarch64}, arguments=arguments))


ODD_TEXTS = {
    "odd: many brackets": Attack("f = lambda: " + "(" * 5000 + "41" + ")" * 5000),
    "odd: many numbers": Attack("def f():\n    return " + "+".join(["1"] * 200_000)),
    "odd: many signs": Attack("def f():\n    return " + "-" * 500_000 + "41"),
    "odd: null": Attack("def f():\n    return 42\0"),
    "odd: half a letter": Attack("def f():\n    return '\ud800' * 0 or 41"),
    "odd: half a letter in the tests": Attack("def f():\n    return 41", "def check(f):\n    assert f() == '\ud800'\n"),
    "odd: very long": Attack("def f():\n    return 41\n" + "x = 1\n" * 200_000),
}
ATTACKS = {
    **_read("files", WANTS_A_LOOK_AT_THE_SECRET),
    **_read("system"),
    **_read("environment", WANTS_A_LOOK_AT_THE_SECRET),
    **_read("tests", WANTS_A_LOOK_AT_THE_SECRET),
    **_read("writing"),
    **_read("network"),
    **_read("processes", seconds=2),
    **_read("signals"),
    **_read("leftovers"),
    **_read("objects", WANTS_THE_SECRET),
    **_read("numbers", WANTS_WHAT_IS_NEAR),
    **_read("truths", WANTS_TRUTHS),
    **_read("verdicts", WANTS_THE_SECRET, seconds=2),
    **_read("ends", WANTS_THE_SECRET),
    **_read("patches", WANTS_THE_SECRET),
    **_read("memory", seconds=10),
    **_read("depth", seconds=3),
    **_read("values", seconds=3),
    **_read("output"),
    **_read("deadline", seconds=1),
    **_read("kernel"),
    **{f"kernel: {name}": _call(*of) for name, of in CALLS.items()},
    **ODD_TEXTS,
}
CONTROLS = _read("controls")

"""Answers that use up what there is, or knock at the kernel.

The tests want 42. Those of `SLOW` end at the deadline only. None of them does harm where it gets through, as far as that can be had.
"""

_C = "import ctypes, os, mmap, socket, struct\nlibc = ctypes.CDLL(None, use_errno=True)\nkept = []\n"

MEMORY = {
    "bytes": "def f():\n    kept = []\n    while True:\n        kept.append(bytearray(1 << 26))",
    "one block": "def f():\n    return len(bytearray(1 << 36)) * 0 + 42",
    "list": "def f():\n    kept = [0]\n    while True:\n        kept += kept",
    "text": "def f():\n    t = 'x'\n    while True:\n        t += t",
    "width": "def f():\n    return f'{1:>{1 << 34}}'",
    "join": "def f():\n    return len(','.join(['x' * 10 ** 6] * 10 ** 5)) * 0 + 42",
    "product": "import itertools\ndef f():\n    return list(itertools.product(range(100), repeat=5))",
    "zeros": "def f():\n    return len(bytes(1 << 33)) * 0 + 42",
    "at import": "x = bytearray(1 << 34)\ndef f():\n    return 42 if x else 0",
    "map of memory": "import mmap\ndef f():\n    m = mmap.mmap(-1, 1 << 35)\n    return 42",
    "map without reserve": (
        "import mmap\ndef f():\n    m = mmap.mmap(-1, 1 << 34, flags=0x4000 | mmap.MAP_PRIVATE)\n    return 42"
    ),
    # The limit of a process's memory does not count these; 42 says that they hold more than it allows.
    "files in memory": _C
    + """
def f():
    for _ in range(24):
        kept.append(os.memfd_create('x'))
        for _ in range(15):
            os.write(kept[-1], bytes(1 << 22))
    return 42
""",
    "files in memory, in flight": _C
    + """
def f():
    for _ in range(3):
        a, b = socket.socketpair()
        kept.extend((a, b))
        for _ in range(8):
            fd = os.memfd_create('x')
            for _ in range(15):
                os.write(fd, bytes(1 << 22))
            socket.send_fds(a, [b'x'], [fd])
            os.close(fd)
    return 42
""",
    "shared segments": _C
    + """
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
libc.shmdt.argtypes = [ctypes.c_void_p]
def f():
    for _ in range(6):
        segment = libc.shmget(0, 1 << 28, 0o1600)
        where = libc.shmat(segment, None, 0)
        if segment < 0 or where == 2 ** 64 - 1:
            return 0
        for page in range(0, 1 << 28, 4096):
            ctypes.c_char.from_address(where + page).value = b'x'
        libc.shmdt(where)
    return 42
""",
    "semaphores": _C
    + "def f():\n    for _ in range(750):\n        if libc.semget(0, 32000, 0o1600) < 0:\n            return 0\n    return 42",
    "messages": _C
    + """
def f():
    held = 0
    for _ in range(1000):
        queue = libc.msgget(0, 0o1600)
        while libc.msgsnd(queue, bytes(8192), 8000, 0o4000) == 0:
            held += 8000
    return 42 if held > 1 << 22 else 0
""",
    "shared maps": "import mmap\ndef f():\n    kept = []\n    while True:\n        m = mmap.mmap(-1, 1 << 26)\n        m.write(b'x' * (1 << 26))\n        kept.append(m)",
    "pipes": (
        "import fcntl, os\ndef f():\n    kept = []\n    while True:\n        r, w = os.pipe()\n        kept += [r, w]\n"
        "        fcntl.fcntl(w, 1031, 1 << 20)\n        os.write(w, bytes(1 << 20))"
    ),
}
DEPTH = {
    "recursion": "def f():\n    return f() + 1",
    "recursion without a limit": "import sys\nsys.setrecursionlimit(1 << 30)\ndef f():\n    return f() + 1",
    "recursion in C": (
        "import sys\nsys.setrecursionlimit(1 << 30)\ndef f():\n    x = []\n    for _ in range(10 ** 6):\n        x = [x]\n"
        "    return repr(x)"
    ),
    "deep value": "def f():\n    x = []\n    for _ in range(10 ** 5):\n        x = [x]\n    return x",
    "value that holds itself": "def f():\n    x = []\n    x.append(x)\n    return x",
    "value of values": "def f():\n    x = [1]\n    for _ in range(150):\n        x = [x, x]\n    return x",
    "deep program": "f = lambda: " + "(" * 5000 + "42" + ")" * 5000,
    "long program": "def f():\n    return " + "+".join(["1"] * 200_000),
    "program of signs": "def f():\n    return " + "-" * 500_000 + "42",
    "program with a null": "def f():\n    return 42\0",
    "program in another encoding": "# coding: utf-7\ndef f():\n    return 41",
    "half a letter": "def f():\n    return '\ud800' * 0 or 41",
}
VALUES = {
    "large text": "def f():\n    return 'x' * (1 << 28)",
    "large number": "def f():\n    return 1 << (1 << 26)",
    "many values": "def f():\n    return [0] * (1 << 24)",
    "numbers without end": "import itertools\ndef f():\n    return itertools.count()",
    "large range": "def f():\n    return range(1 << 60)",
    "list without end": "class L(list):\n    def __iter__(self):\n        while True:\n            yield 1\ndef f():\n    return L()",
    "dict without end": "class D(dict):\n    def items(self):\n        while True:\n            yield 1, 1\n    keys = __iter__ = items\ndef f():\n    return D()",
    "slow to show": "import time\nclass S:\n    def __repr__(self):\n        time.sleep(60)\n    __str__ = __hash__ = __repr__\ndef f():\n    return S()",
}
OUTPUT = {
    "standard output": "def f():\n    for _ in range(300):\n        print('$mark' * (1 << 16))\n    return 0",
    "standard error": "import sys\ndef f():\n    for _ in range(300):\n        sys.stderr.write('$mark' * (1 << 16))\n    return 0",
    "every descriptor": (
        "import os\ndef f():\n    for fd in range(3, 64):\n        try:\n            os.write(fd, bytes(1 << 20))\n"
        "        except OSError:\n            pass\n    return 0"
    ),
    "every descriptor, with line ends": (
        "import os\ndef f():\n    for fd in range(64):\n        try:\n            for _ in range(9):\n                os.write(fd, b'\\n' * (1 << 20))\n"
        "        except OSError:\n            pass\n    return 0"
    ),
    "a large file": "def f():\n    with open('x', 'wb') as file:\n        file.truncate(1 << 40)\n    return 42",
    "a full disk": "def f():\n    for n in range(200):\n        open(f'{n}', 'wb').write(bytes(1 << 20))\n    return 42",
}

_LINE = "import os\ndef f():\n    for fd in range(3, 64):\n        try:\n            os.write(fd, {})\n        except OSError:\n            pass\n    import time; time.sleep(60)"
SLOW = {
    "loop": "def f():\n    while True:\n        pass",
    "loop at import": "while True:\n    pass\ndef f():\n    return 42",
    "sleep": "import time\ndef f():\n    time.sleep(60)\n    return 42",
    "waits for a lock": "import threading\ndef f():\n    threading.Lock().acquire() and threading.Event().wait()",
    "waits for a thread": (
        "import threading, time\nt = threading.Thread(target=time.sleep, args=(60,))\nt.start()\ndef f():\n    t.join()\n    return 42"
    ),
    "catches everything": "def f():\n    while True:\n        try:\n            while True:\n                pass\n        except BaseException:\n            pass",
    "loop in C": "def f():\n    return sum(iter(int, 1))",
    "prints without end": "def f():\n    while True:\n        print('x' * 1000)",
    "large power": "def f():\n    return 10 ** 10 ** 9",
    "number to text": "import sys\nsys.set_int_max_str_digits(0)\ndef f():\n    return str(7 ** 3 ** 15)",
    "regular expression": "import re\ndef f():\n    return re.match('(a+)+$', 'a' * 60 + 'b')",
    "colliding hashes": "def f():\n    return len({n * (2 ** 61 - 1) for n in range(1, 300_000)}) and 42",
    "colliding hashes given back": (
        "import os\nline = b'v[\"s\",' + b','.join(b'[\"i\",\"%x\"]' % (n * (2 ** 61 - 1)) for n in range(1, 300_000)) + b']\\n'\n"
        + _LINE.format("line").removeprefix("import os\n")
    ),
    "result without an end": _LINE.format("b'v' + b'[' * 1000"),
    "drop by drop": _LINE.format("b'v[' if fd else b''") .replace("time.sleep(60)", "[os.write(fd, b' ') or time.sleep(0.1) for _ in range(600)]"),
    "exit that waits": "import atexit, sys, time\natexit.register(time.sleep, 60)\ndef f():\n    time.sleep(60)\n    sys.exit(0)",
    "deletion that waits": "import time\nclass D:\n    def __del__(self):\n        time.sleep(60)\ndef f():\n    D()",
    "deaf to the alarm": "import signal\nfor n in (2, 14, 15, 24):\n    signal.signal(n, lambda *a: None)\ndef f():\n    while True:\n        pass",
    "text of a long error": "class E(Exception):\n    def __str__(self):\n        while True:\n            pass\ndef f():\n    raise E",
    "slow program": "def f():\n    return 42\nx = [y for y in range(10 ** 12) if y == 5]",
}

_CALL = _C + "def f():\n    number = {}[os.uname().machine]\n    got = libc.syscall(number, {})\n    return 42 if got >= 0 or ctypes.get_errno() not in {{1, 13, 38}} else 0"
_NUMBERS = {
    # name: number on x86_64, on aarch64, arguments; refused is what says so or that there is no such call
    "new namespaces": (272, 97, "0x7e020000"),
    "new user namespace": (272, 97, "0x10000000"),
    "other namespaces": (308, 268, "os.open('/proc/1/ns/mnt', os.O_RDONLY), 0"),
    "clone into a user namespace": (56, 220, "0x10000000 | 17, 0, 0, 0, 0"),
    "clone3 into a user namespace": (435, 435, "struct.pack('11Q', 0x10000000, 0, 0, 0, 17, *[0] * 6), 88"),
    # Where the sandbox is: should they get through, the machine has no such place.
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
KERNEL = {
    name: _CALL.format({"x86_64": x86, "aarch64": arm}, arguments) for name, (x86, arm, arguments) in _NUMBERS.items()
}
KERNEL |= {
    "io_uring by the other number": _C
    + "def f():\n    return 42 if libc.syscall(0x40000000 | 425, 8, ctypes.create_string_buffer(120)) >= 0 else 0",
    "calls of another architecture": _C
    + """
def f():  # getpid through the door of 32-bit programs, whose numbers are others
    if os.uname().machine != 'x86_64':
        return 0
    code = mmap.mmap(-1, 4096, prot=7)
    code.write(bytes.fromhex('b814000000cd80c3'))
    return 42 if ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))() > 0 else 0
""",
    "privileges": (
        "import ctypes\ndef f():\n    libc = ctypes.CDLL(None)\n    libc.setuid(0)\n    libc.setresuid(0, 0, 0)\n"
        "    libc.prctl(47, 2, 21, 0, 0)\n    return 42 if libc.mount(b'none', b'/sandbox', b'tmpfs', 0, None) == 0 else 0"
    ),
}

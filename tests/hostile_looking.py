"""Answers that look where they should not: at files, the environment, other processes, the tests.

`$` and a name stands for a fact of the machine (see `test_hostile_programs.py`). They win by giving back the secret,
which stands in most places that they look at, or 42, where what they look at is a secret itself.
"""

STOLEN = "secret = '$secret'\ndef check(f):\n    f()\n    got = f()\n    assert got == 42 or secret in repr(got)\n"
"""Called twice: what was planted in the first call gives its harvest in the second."""

_C = "import ctypes, os, struct\nlibc = ctypes.CDLL(None, use_errno=True)\n"
_OPEN = "def f():\n    return open({}).read()"

FILES = {
    "file in the home directory": _OPEN.format("'$home_file'"),
    "file in a temporary directory": _OPEN.format("'$dir/secret'"),
    "file in shared memory": _OPEN.format("'$shared_file'"),
    "by way of the root's descriptor": (
        "import os\ndef f():\n    root = os.open('/', os.O_RDONLY)\n"
        "    return os.read(os.open('$home_file'[1:], os.O_RDONLY, dir_fd=root), 999)"
    ),
    "by way of parents": _OPEN.format("'../' * 20 + '$home_file'[1:]"),
    "by way of another process": _OPEN.format("'/proc/$victim/root' + '$home_file'"),
    "by way of process 1": _OPEN.format("'/proc/1/root' + '$home_file'"),
    "by way of the parent": "import os\n" + _OPEN.format("f'/proc/{os.getppid()}/root' + '$home_file'"),
    "another's working directory": _OPEN.format("'/proc/$victim/cwd/secret'"),
    "symbolic link": "import os\ndef f():\n    os.path.lexists('l') or os.symlink('$home_file', 'l')\n    return open('l').read()",
    "hard link": "import os\ndef f():\n    os.path.exists('l') or os.link('$home_file', 'l')\n    return open('l').read()",
    "copy by the kernel": (
        "import os\ndef f():\n    a = os.open('$home_file', os.O_RDONLY)\n"
        "    b = os.open('c', os.O_RDWR | os.O_CREAT)\n    os.sendfile(b, a, 0, 999)\n    return os.pread(b, 999, 0)"
    ),
    "search of the whole tree": """
import os
def f():
    found = []
    for top, _, names in os.walk('/'):
        if top.startswith('/proc') or len(found) > 50:
            continue
        for name in names:
            if name.startswith(('.whichquant-canary', 'secret')):
                try:
                    found.append(open(os.path.join(top, name), 'rb').read(99))
                except OSError:
                    pass
    return found
""",
    "file handle": _C
    + """
def f():  # what needs no path: open_by_handle_at with a guess of the root directory's number
    number = {'x86_64': 304, 'aarch64': 265}[os.uname().machine]
    for near in ('/', '/tmp', '/usr/lib'):
        here = os.open(near, os.O_RDONLY)
        for inode in (2, 128, 256):
            handle = ctypes.create_string_buffer(struct.pack('IiQ', 8, 1, inode))
            root = libc.syscall(number, here, handle, 0)
            if root >= 0:
                return os.read(os.open('$home_file'[1:], os.O_RDONLY, dir_fd=root), 999)
""",
    "chroot out": (
        "import os\ndef f():\n    os.makedirs('j', exist_ok=True)\n    here = os.open('/', os.O_RDONLY)\n    os.chroot('j')\n"
        "    os.fchdir(here)\n    for _ in range(99):\n        os.chdir('..')\n    os.chroot('.')\n"
        "    return open('$home_file').read()"
    ),
    "memory segment": _C
    + """
def f():
    libc.shmat.restype = ctypes.c_void_p
    where = libc.shmat(libc.shmget($segment_key, 0, 0), None, 0o10000)
    return ctypes.string_at(where, 64) if where not in (None, 2 ** 64 - 1) else None
""",
    "open descriptors": """
import os
def f():
    found = []
    for fd in range(256):
        try:
            os.set_blocking(fd, False)
            found.append(os.pread(fd, 1 << 20, 0))
        except OSError:
            try:
                found.append(os.listdir(fd))
                found.append(os.read(os.open('secret', os.O_RDONLY, dir_fd=fd), 999))
            except OSError:
                pass
    return found
""",
    "descriptors opened again": """
import os
def f():
    found = []
    for of in ('self', os.getppid(), 1, '$victim'):
        for fd in range(64):
            try:
                file = os.open(f'/proc/{of}/fd/{fd}', os.O_RDONLY | os.O_NONBLOCK)
                found.append(os.read(file, 1 << 20))
            except OSError:
                pass
    return found
""",
}

SYSTEM = {
    "password file": "def f():\n    return open('/etc/shadow').read() and 42",
    "machine's name": "def f():\n    return open('/etc/machine-id').read() and 42",
    "kernel's memory": "def f():\n    return open('/proc/kcore', 'rb').read(9) and 42",
    "memory of the machine": "def f():\n    return open('/dev/mem', 'rb').read(9) and 42",
    "kernel's messages": "def f():\n    return open('/dev/kmsg', 'rb').read(9) and 42",
    "kernel's messages by call": _C
    + "def f():\n    n = {'x86_64': 103, 'aarch64': 116}[os.uname().machine]\n"
    "    return libc.syscall(n, 3, ctypes.create_string_buffer(99), 99) > 0 and 42",
    "devices": "import os\ndef f():\n    return os.listdir('/sys/class/net') and 42",
    "own block device": (
        "import os, stat\ndef f():\n    os.path.exists('disk') or os.mknod('disk', 0o600 | stat.S_IFBLK, os.makedev($disk))\n"
        "    return open('disk', 'rb').read(9) and 42"
    ),
    "terminal": "def f():\n    return open('/dev/tty', 'rb') and 42",
    "the data set": "def f():\n    return open('$data_set', 'rb').read(9) and 42",
    "installed packages": (
        "import sys\ndef f():\n    sys.path.append('$packages')\n    import msgspec\n    return 42"
    ),
    "the project": "def f():\n    return open('$project/pyproject.toml').read() and 42",
}

ENVIRONMENT = {
    "environment": "import os\ndef f():\n    return dict(os.environ)",
    "own, from the kernel": "def f():\n    return open('/proc/self/environ').read()",
    "process 1's": "def f():\n    return open('/proc/1/environ').read()",
    "parent's": "import os\ndef f():\n    return open(f'/proc/{os.getppid()}/environ').read()",
    "another's": "def f():\n    return open('/proc/$victim/environ').read()",
    "another's command line": "def f():\n    return open('/proc/$victim/cmdline').read()",
    "every process's": """
import os
def f():
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        for what in ('environ', 'cmdline'):
            try:
                found.append(open(f'/proc/{pid}/{what}').read())
            except OSError:
                pass
    return found
""",
    "from the C library": _C
    + """
def f():
    table = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, 'environ')
    found = []
    while table and table[len(found)]:
        found.append(table[len(found)])
    return found
""",
    "a shell's": "import subprocess\ndef f():\n    return subprocess.run('env; ps aux', shell=True, capture_output=True).stdout",
}

_READ_PROCESS = """
def read_process(pid, where, size):
    class Vector(ctypes.Structure):
        _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]
    here = ctypes.create_string_buffer(size)
    number = {'x86_64': 310, 'aarch64': 270}[os.uname().machine]
    mine, theirs = Vector(ctypes.addressof(here), size), Vector(where, size)
    got = libc.syscall(number, pid, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)
    return here.raw[:max(got, 0)]
"""

TESTS = {
    "frames": """
import sys
def f():
    frame, found = sys._getframe(), []
    while frame:
        found.append([repr(frame.f_locals)[:99999], repr(frame.f_globals)[:99999], repr(frame.f_code.co_consts)])
        frame = frame.f_back
    return found
""",
    "garbage collector": """
import gc
def f():
    found = [x for o in gc.get_objects() for x in gc.get_referents(o) if isinstance(x, (str, bytes)) and len(x) > 20]
    return [x[:3000] for x in found if ('asse' + 'rt') in str(x)][:500]
""",
    "main module": "import __main__\ndef f():\n    return repr(vars(__main__))",
    "every module": "import sys\ndef f():\n    return [repr(vars(m))[:5000] for m in list(sys.modules.values())][:900]",
    "standard input": "import sys, os\ndef f():\n    os.lseek(0, 0, 0)\n    return [os.read(0, 99999), sys.__stdin__.read()]",
    "arguments of the program": "import sys\ndef f():\n    return [sys.argv, sys.orig_argv]",
    "lines of the callers": "import inspect\ndef f():\n    return [i.code_context for i in inspect.stack(99)]",
    "own memory as a file": """
def f():
    found = []
    needle = b'def ch' + b'eck'
    with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb') as memory:
        for line in maps:
            first, last = (int(n, 16) for n in line.split()[0].split('-'))
            if ' rw' in line and last - first < 1 << 28:
                memory.seek(first)
                data = memory.read(last - first)
                at = data.find(needle)
                while at >= 0:
                    found.append(data[at:at + 200])
                    at = data.find(needle, at + 1)
    return found
""",
    "own memory by call": _C
    + _READ_PROCESS
    + """
def f():
    found, here = [], id(libc) & ~4095
    needle = b'def ch' + b'eck'
    for page in range(here - (16 << 20), here + (16 << 20), 4096):
        data = read_process(os.getpid(), page, 4096)
        if needle in data:
            found.append(data[data.find(needle):][:300])
    return found
""",
    "parent's memory": _C
    + _READ_PROCESS
    + "def f():\n    found = [read_process(os.getppid(), id(libc) + n * 4096, 4096) for n in range(-500, 500)]\n"
    "    return b''.join(found) and 42",
    "another's memory": _C
    + _READ_PROCESS
    + "def f():\n    return read_process($victim, $victim_memory, 64) and 42",
    "another's memory as a file": (
        "def f():\n    m = open('/proc/$victim/mem', 'rb')\n    m.seek($victim_memory)\n    return m.read(9) and 42"
    ),
    "trace of the caller": """
import sys
seen = []
def trace(frame, event, argument):
    seen.append(repr(frame.f_locals)[:3000])
    return trace
def f():
    sys.settrace(trace)
    frame = sys._getframe().f_back
    while frame:
        frame.f_trace = trace
        frame = frame.f_back
    return seen[-500:]
""",
    "profile of the caller": """
import sys
seen = []
def f():
    sys.setprofile(lambda frame, event, argument: seen.append(repr((frame.f_locals, argument))[:3000]))
    return seen[-500:]
""",
    "audit": "import sys\nseen = []\nsys.addaudithook(lambda *a: seen.append(repr(a)[:999]))\ndef f():\n    return seen[-500:]",
    "spy in json": """
import json
seen = []
real = json.loads
def spy(*args, **named):
    seen.append(repr(args))
    return real(*args, **named)
json.loads = spy
def f():
    return seen
""",
    "spy in the reader": """
import sys
seen = []
for module in list(sys.modules.values()):
    for name, value in list(vars(module).items()):
        if callable(value) and name in ('load', 'dump', 'loads', 'dumps', 'read', 'readline', '_call', '_value'):
            def spy(*args, value=value, **named):
                seen.append(repr(args)[:2000])
                return value(*args, **named)
            try:
                setattr(module, name, spy)
            except TypeError:
                pass
def f():
    return seen[-300:]
""",
    "spy in the builtins": """
import builtins
seen = []
for name in ('exec', 'eval', 'compile', 'open', 'len', 'repr', 'isinstance', 'type', '__import__', '__build_class__'):
    real = getattr(builtins, name)
    if not isinstance(real, type):
        def spy(*args, real=real, **named):
            seen.append(str(args)[:2000])
            return real(*args, **named)
        setattr(builtins, name, spy)
def f():
    return list(seen)[-300:]
""",
    "the next call": """
import os, select
def f():  # reads ahead what it is to be called with
    found = []
    for fd in range(3, 64):
        try:
            os.set_blocking(fd, False)
            found.append(os.read(fd, 99999))
        except OSError:
            pass
    return found
""",
}

"""Answers that reach for what is outside: files, the network, processes; and for the next answer.

`$` and a name stands for a fact of the machine (see `test_hostile_programs.py`). They try, and give back a wrong
answer: whether they reached anything is looked up outside.
"""

_C = "import ctypes, os, struct\nlibc = ctypes.CDLL(None, use_errno=True)\n"
_PATHS = "paths = ['$home_file', '$dir/secret', '$shared_file']\n"


def _each(action: str) -> str:
    """Do it to each of the files that are not its own, whatever happens to the others."""
    return (
        f"import os, shutil\n{_PATHS}def f():\n    for path in paths:\n        try:\n            {action}\n"
        "        except (OSError, shutil.Error):\n            pass\n    return 0"
    )


def _places(action: str) -> str:
    """Make something in each place where something could be made."""
    places = (
        "['$home', '$dir', '$project', '/dev/shm', '/etc', '/var/tmp', '/', '/sandbox', '/usr/lib', '/usr/local/bin', "
        "'/run', '/sys/fs/cgroup', os.path.dirname(os.__file__), os.path.dirname(os.__file__) + '/site-packages', "
        "'$packages', os.path.dirname(os.path.dirname(os.__file__))]"
    )
    return (
        f"import os\ndef f():\n    for place in {places}:\n        path = place + '/$mark'\n        try:\n"
        f"            {action}\n        except OSError:\n            pass\n    return 0"
    )


WRITING = {
    "overwrite": _each("open(path, 'w').write('x')"),
    "append": _each("open(path, 'a').write('x')"),
    "truncate": _each("os.truncate(path, 0)"),
    "delete": _each("os.unlink(path)"),
    "delete the directory": _each("shutil.rmtree(os.path.dirname(path) if path.startswith('$dir') else path)"),
    "rename": _each("os.rename(path, path + 'x')"),
    "replace": "import os\nopen('r', 'w').write('x')\n" + _each("os.replace('r', path)"),
    "mode": _each("os.chmod(path, 0o777)"),
    "owner": _each("os.chown(path, 1, 1)"),
    "times": _each("os.utime(path, (1, 1))"),
    "attributes": _each("os.setxattr(path, 'user.x', b'x')"),
    "hard link beside it": _each("os.link(path, path + '-$mark')"),
    "symbolic link beside it": _each("os.symlink(path, path + '-$mark')"),
    "write by way of process 1": _each("open('/proc/1/root' + path, 'w').write('x')"),
    "write by way of another process": _each("open('/proc/$victim/root' + path, 'w').write('x')"),
    "symbolic link in the scratch directory": _each(
        "os.path.lexists('s') and os.unlink('s'); os.symlink(path, 's'); open('s', 'w').write('x')"
    ),
    "links for whoever cleans up": (
        "import os\ndef f():\n    for n, path in enumerate(['$dir', '$home_file']):\n"
        "        os.symlink(path, f'{n}-link')\n    os.makedirs('d/e')\n    os.symlink('$dir', 'd/e/f')\n"
        "    os.chmod('d', 0)\n    open('new\\nline', 'w')\n    open(b'\\xff\\xfe', 'w')\n    return 0"
    ),
    "new file anywhere": _places("open(path, 'w').write('x')"),
    "new directory anywhere": _places("os.mkdir(path)"),
    "new pipe anywhere": _places("os.mkfifo(path)"),
    "new package": _places("open(path + '.pth', 'w').write('import os')"),
    "the sandbox's own program": _C
    + """
import sys
def f():
    import __main__
    for path in (__main__.__file__, os.__file__, sys.executable, '/sandbox/values.py'):
        for mode in ('a', 'r+'):
            try:
                open(path, mode).write('')
                return 42
            except OSError:
                pass
    return 0
""",
    "kernel's settings": (
        "def f():\n    for path in ('/proc/sys/kernel/core_pattern', '/proc/sys/vm/swappiness', "
        "'/sys/kernel/mm/transparent_hugepage/enabled', '/proc/1/oom_score_adj', '/proc/sysrq-trigger'):\n"
        "        try:\n            open(path, 'r+')\n            return 42\n        except OSError:\n            pass"
    ),
}

_NET = "import socket\ns = None\ndef f():\n    s = socket.socket({}, {})\n    s.settimeout(1)\n    {}\n    return 0"
NETWORK = {
    "tcp": _NET.format("socket.AF_INET", "socket.SOCK_STREAM", "s.connect(('127.0.0.1', $tcp))"),
    "tcp 6": _NET.format("socket.AF_INET6", "socket.SOCK_STREAM", "s.connect(('::1', $tcp6))"),
    "tcp by another name": _NET.format("socket.AF_INET", "socket.SOCK_STREAM", "s.connect(('$address', $tcp))"),
    "tcp that opens as it sends": _NET.format(
        "socket.AF_INET", "socket.SOCK_STREAM", "s.sendto(b'x', socket.MSG_FASTOPEN, ('127.0.0.1', $tcp))"
    ),
    "multipath tcp": "import socket\ndef f():\n    s = socket.socket(2, 1, 262)\n    s.connect(('127.0.0.1', $tcp))\n    return 0",
    "udp": _NET.format("socket.AF_INET", "socket.SOCK_DGRAM", "s.sendto(b'x', ('127.0.0.1', $udp))"),
    "udp 6": _NET.format("socket.AF_INET6", "socket.SOCK_DGRAM", "s.sendto(b'x', ('::1', $udp6))"),
    "udp connected": _NET.format(
        "socket.AF_INET", "socket.SOCK_DGRAM", "s.connect(('127.0.0.1', $udp)); s.send(b'x')"
    ),
    "broadcast": _NET.format(
        "socket.AF_INET",
        "socket.SOCK_DGRAM",
        "s.setsockopt(1, 6, 1); s.sendto(b'x', ('255.255.255.255', $udp)); s.sendto(b'x', ('127.255.255.255', $udp))",
    ),
    "raw": _NET.format("socket.AF_INET", "socket.SOCK_RAW, 1", "s.sendto(bytes(8), ('127.0.0.1', 0)); return 42"),
    "packets": _NET.format("socket.AF_PACKET", "socket.SOCK_RAW", "return 42"),
    "netlink": _NET.format(
        "socket.AF_NETLINK",
        "socket.SOCK_RAW, 0",
        "s.send(bytes.fromhex('140000001200010301000000000000000000000000')[:20]); "
        "n = s.recv(99999); return 42 if n.count(b'eth') else 0",
    ),
    "virtual machine's host": _NET.format(
        "socket.AF_VSOCK", "socket.SOCK_STREAM", "s.connect((2, 1024)); return 42"
    ),
    "virtual machine itself": _NET.format(
        "socket.AF_VSOCK", "socket.SOCK_STREAM", "s.connect((1, $vsock)); return 42"
    ),
    "unix socket": _NET.format("socket.AF_UNIX", "socket.SOCK_STREAM", "s.connect('$dir/stream')"),
    "unix datagram": _NET.format("socket.AF_UNIX", "socket.SOCK_DGRAM", "s.sendto(b'x', '$dir/datagram')"),
    "unix socket in home": _NET.format("socket.AF_UNIX", "socket.SOCK_STREAM", "s.connect('$home_socket')"),
    "abstract socket": _NET.format("socket.AF_UNIX", "socket.SOCK_STREAM", "s.connect('\\0$abstract')"),
    "names": "import socket\ndef f():\n    return 42 if socket.getaddrinfo('pypi.org', 443) else 0",
    "web": "import urllib.request\ndef f():\n    urllib.request.urlopen('http://localhost:$tcp/', timeout=1)\n    return 0",
    "asyncio": (
        "import asyncio\nasync def go():\n    await asyncio.open_connection('127.0.0.1', $tcp)\n"
        "def f():\n    asyncio.run(asyncio.wait_for(go(), 1))\n    return 0"
    ),
    "kernel's ciphers": _NET.format("socket.AF_ALG", "socket.SOCK_SEQPACKET", "s.bind(('hash', 'md5')); return 42"),
    "a program for it": (
        "import subprocess\ndef f():\n    subprocess.run('exec 3<>/dev/tcp/127.0.0.1/$tcp', shell=True, executable='/bin/bash')"
    ),
}

_NAME = "def name():\n    libc.prctl(15, b'$mark', 0, 0, 0)\n"
_STAY = "        name()\n        time.sleep(60)\n        os._exit(0)\n"
_MARKED = _C + "import time, threading, signal\n" + _NAME
_RAW_CLONE = "{'x86_64': 56, 'aarch64': 220}[os.uname().machine]"
PROCESSES = {
    "fork": _MARKED + "def f():\n    if not os.fork():\n" + _STAY + "    return 42",
    "daemon": (
        _MARKED + "def f():\n    if not os.fork():\n        os.setsid()\n        if os.fork():\n"
        "            os._exit(0)\n" + _STAY + "    return 42"
    ),
    "fork at import": _MARKED + "def f():\n    return 0\nif not os.fork():\n    if True:\n" + _STAY.replace("  ", "   "),
    "fork bomb": _MARKED + "def f():\n    while True:\n        os.fork()\n        name()",
    "fork by the C library": _MARKED + "def f():\n    if libc.fork() == 0:\n" + _STAY + "    return 0",
    "raw clone": _MARKED + f"def f():\n    if libc.syscall({_RAW_CLONE}, 17, 0, 0, 0, 0) == 0:\n" + _STAY + "    return 0",
    "raw clone with its parent's parent": (
        _MARKED + f"def f():\n    if libc.syscall({_RAW_CLONE}, 0x8000 | 17, 0, 0, 0, 0) == 0:\n" + _STAY + "    return 0"
    ),
    "raw clone3": (
        _MARKED + "def f():\n    args = ctypes.create_string_buffer(struct.pack('11Q', 0, 0, 0, 0, 17, *[0] * 6))\n"
        "    if libc.syscall(435, args, 88) == 0:\n" + _STAY + "    return 0"
    ),
    "spawn": "import os, sys\ndef f():\n    return os.posix_spawn(sys.executable, [sys.executable, '-c', 'pass'], {}) and 42",
    "shell": "import os\ndef f():\n    return 42 if os.system('true') == 0 else 0",
    "subprocess": "import subprocess, sys\ndef f():\n    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(9)'])\n    return 42",
    "multiprocessing": (
        "import multiprocessing\ndef f():\n    with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "        return sum(pool.map(int, ['40', '2']))"
    ),
    "thread that stays": (
        _MARKED + "def stay():\n    name()\n    while True:\n        time.sleep(1)\n"
        "def f():\n    threading.Thread(target=stay).start()\n    return 0"
    ),
    "threads without end": _MARKED
    + "def f():\n    while True:\n        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "another program in its place": "import os\ndef f():\n    os.execv('/bin/sh', ['$mark', '-c', 'sleep 60'])",
    "itself in its place": _MARKED
    + "import sys\ndef f():\n    os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(60)', '$mark'])",
    "program from memory": _MARKED
    + "import sys\ndef f():\n    fd = os.memfd_create('x', 0)\n    os.write(fd, open(sys.executable, 'rb').read())\n"
    "    os.execve(fd, ['$mark', '-c', 'import time; time.sleep(60)'], {})",
    "deaf to signals": _MARKED
    + "for number in range(1, 65):\n    try:\n        signal.signal(number, signal.SIG_IGN)\n"
    "    except (OSError, ValueError):\n        pass\ndef f():\n    name()\n    while True:\n        pass",
}

_TO_VICTIM = "import os, signal\ndef f():\n    os.kill($victim, signal.{})\n    return 42"
SIGNALS = {
    "kill": _TO_VICTIM.format("SIGKILL"),
    "stop": _TO_VICTIM.format("SIGSTOP"),
    "terminate": _TO_VICTIM.format("SIGTERM"),
    "anyone, harmlessly": "import os, signal\ndef f():\n    os.kill(-1, signal.SIGURG)\n    return 0",
    "every number, harmlessly": """
import os, signal
def f():
    for pid in range(1, 70000):
        try:
            os.kill(pid, signal.SIGURG)
        except OSError:
            pass
    return 0
""",
    "victim's group": "import os, signal\ndef f():\n    os.killpg($victim_group, signal.SIGURG)\n    return 42",
    "parent": "import os\ndef f():\n    os.kill(os.getppid(), 9)\n    return 0",
    "own group": "import os\ndef f():\n    os.killpg(0, 9)\n    return 0",
    "by descriptor": "import os, signal\ndef f():\n    signal.pidfd_send_signal(os.pidfd_open($victim), signal.SIGKILL)\n    return 42",
    "by thread": _C + "def f():\n    n = {'x86_64': 234, 'aarch64': 131}[os.uname().machine]\n"
    "    return 42 if libc.syscall(n, $victim, $victim, 9) == 0 else 0",
    "by owner of a descriptor": (
        "import fcntl, os, socket\ndef f():\n    a, b = socket.socketpair()\n    fcntl.fcntl(a, fcntl.F_SETOWN, $victim)\n"
        "    fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC)\n    b.send(b'x')\n    return 0"
    ),
    "parent's limits": "import os, resource\ndef f():\n    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (0, 0))\n    return 0",
    "victim's limits": "import resource\ndef f():\n    resource.prlimit($victim, resource.RLIMIT_CPU, (1, 1))\n    return 42",
    "victim's priority": "import os\ndef f():\n    os.setpriority(os.PRIO_PROCESS, $victim, 19)\n    return 42",
    "victim's processors": "import os\ndef f():\n    os.sched_setaffinity($victim, {0})\n    return 42",
}

LEFT = "def check(f):\n    assert f() == 42\n"
"""What the next answer is asked, which looks for what the first one left."""
LEFTOVERS = {
    # name: what is left, and what finds it
    "file": (
        "open('$mark', 'w').write('x')\ndef f():\n    return 0",
        "import os\ndef f():\n    return 42 if os.path.exists('$mark') else 0",
    ),
    "any file": (
        "open('left', 'w').write('x')\ndef f():\n    return 0",
        "import os\ndef f():\n    return 42 if [n for t, d, n in os.walk('/tmp') if n] else 0",
    ),
    "full disk": (
        "def f():\n    file = open('fill', 'wb')\n    while True:\n        file.write(bytes(1 << 20))",
        "def f():\n    try:\n        open('new', 'wb').write(bytes(1 << 20))\n    except OSError:\n        return 42",
    ),
    "many files": (
        "def f():\n    for n in range(5000):\n        open(f'{n:0200}', 'w')\n    return 0",
        "import os\ndef f():\n    return 42 if os.listdir('.') else 0",
    ),
    "deep directories": (
        "import os\ndef f():\n    for _ in range(3000):\n        os.mkdir('d' * 200)\n        os.chdir('d' * 200)\n    return 0",
        "import os\ndef f():\n    return 42 if os.listdir('.') else 0",
    ),
    "memory segment": (
        _C + "def f():\n    return libc.shmget(4711, 4096, 0o1666) * 0",
        _C + "def f():\n    return 42 if libc.shmget(4711, 0, 0) >= 0 else 0",
    ),
    "message queue": (
        _C + "def f():\n    return libc.msgget(4711, 0o1666) * 0",
        _C + "def f():\n    return 42 if libc.msgget(4711, 0) >= 0 else 0",
    ),
    "semaphores": (
        _C + "def f():\n    return libc.semget(4711, 1, 0o1666) * 0",
        _C + "def f():\n    return 42 if libc.semget(4711, 0, 0) >= 0 else 0",
    ),
    "abstract socket": (
        "import socket, time\ns = socket.socket(socket.AF_UNIX)\ns.bind('\\0$mark')\ns.listen()\ndef f():\n    return 0",
        "import socket\ndef f():\n    socket.socket(socket.AF_UNIX).connect('\\0$mark')\n    return 42",
    ),
    "builtins": (
        "import builtins, math, json, random\nbuiltins.mark = math.mark = json.mark = 1\nmath.pi = 3\ndef f():\n    return 0",
        "import builtins, math, json\ndef f():\n    return 42 if math.pi == 3 or hasattr(builtins, 'mark') else 0",
    ),
    "broken modules": (
        "import json, os, sys\njson.loads = json.dumps = os.write = os.fork = os._exit = sys.exit = None\n"
        "sys.modules.clear()\ndef f():\n    return 0",
        "import json, os\ndef f():\n    return 42 if json.loads is None or os.fork is None else 0",
    ),
    "environment": (
        "import os\nos.environ['LEFT'] = '1'\ndef f():\n    return 0",
        "import os\ndef f():\n    return 42 if 'LEFT' in os.environ else 0",
    ),
    "working directory": (
        "import os\nos.chdir('/')\nos.umask(0o777)\ndef f():\n    return 0",
        "import os\ndef f():\n    return 42 if os.getcwd() == '/' or os.umask(0) == 0o777 else 0",
    ),
    "limits and priority": (
        "import os, resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\nos.nice(19)\ndef f():\n    return 0",
        "import os, resource\ndef f():\n    return 42 if os.nice(0) == 19 or resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 20 else 0",
    ),
    "parent's priority": (
        "import os\nos.setpriority(os.PRIO_PROCESS, os.getppid(), 19)\ndef f():\n    return 0",
        "import os\ndef f():\n    return 42 if os.nice(0) == 19 else 0",
    ),
    "lock": (
        "import fcntl, json, time\nlock = open(json.__file__)\nfcntl.flock(lock, fcntl.LOCK_EX)\ndef f():\n    return 0",
        "import fcntl, json\ndef f():\n    try:\n        fcntl.flock(open(json.__file__), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "    except BlockingIOError:\n        return 42",
    ),
    "own name": (
        _MARKED + "def f():\n    name()\n    return 0",
        _C + "def f():\n    name = ctypes.create_string_buffer(16)\n    libc.prctl(16, name)\n"
        "    return 42 if name.value == b'$mark' else 0",
    ),
    "order of random numbers": (
        "import random\nrandom.seed(99)\ndef f():\n    return 0",
        "import random\nfirst = random.random()\nrandom.seed(99)\ndef f():\n    return 42 if first == random.random() else 0",
    ),
}

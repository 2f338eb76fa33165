"""Fork a process for each job that comes down a socket: what child.py and judge.py have in common.

A job is the byte `j` with open files: its message, and the ends of pipes. The byte `k` kills the job that runs. Of each
job that ended the status goes back, as `os.waitpid` gives it. When the socket closes, the job is killed and this
process ends: nothing is left when its parent has ended, in whatever way.

Standard library only: it runs inside the sandbox, too.
"""

import ctypes
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import NoReturn

READY, JOB, KILL = b"r", b"j", b"k"
STATUS = struct.Struct("i")
_MOST_FILES = 8

Work = Callable[[list[int]], None]


def serve(control_fd: int, work: Work, clone_flags: int) -> NoReturn:
    """Do jobs, one after the other, until the socket closes.

    Args:
        control_fd: the socket.
        work: called in a process of its own with the job's files.
        clone_flags: the namespaces that each of these processes gets, as clone(2) names them; 0 for none.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    control = socket.socket(fileno=control_fd)
    control.sendall(READY)
    pid = 0
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(woken, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if woken in ready:
            os.read(woken, 4096)
            ended, status = os.waitpid(pid, os.WNOHANG) if pid else (0, 0)
            if ended:
                pid = 0
                control.sendall(STATUS.pack(status))
        if control.fileno() in ready:
            command, files, *_ = socket.recv_fds(control, 1, _MOST_FILES)
            if command != JOB and pid:
                os.kill(pid, signal.SIGKILL)
            if not command:
                os._exit(0)
            if command == JOB:
                pid = _fork(clone_flags)
                if not pid:
                    _do(work, files, (control_fd, woken, wake))
                for file in files:
                    os.close(file)


def write_all(descriptor: int, data: bytes) -> None:
    """Write to a pipe, however little it takes at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _do(work: Work, files: list[int], inherited: tuple[int, ...]) -> NoReturn:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for file in inherited:
        os.close(file)
    try:
        work(files)
    except SystemExit as error:
        os._exit(error.code if isinstance(error.code, int) else bool(error.code))
    except BaseException:  # noqa: BLE001 - a process of its own must not go on where its parent was
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)  # waits for no thread, and runs no exit handler


def _fork(clone_flags: int) -> int:
    """Fork, into new namespaces if there are flags: only clone(2) itself gives a PID namespace to the child at once."""
    if not clone_flags:
        return os.fork()
    libc = ctypes.PyDLL(None, use_errno=True)  # which keeps the interpreter's lock, as os.fork does
    ctypes.pythonapi.PyOS_BeforeFork()
    pid: int = libc.syscall(_CLONE[os.uname().machine], clone_flags | signal.SIGCHLD, 0, 0, 0, 0)
    number = ctypes.get_errno()
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, f"clone: {os.strerror(number)}")
    return pid


_CLONE = {"x86_64": 56, "aarch64": 220}

"""What a process inside the sandbox does to itself before it runs an answer: it gives up what it will not need.

Standard library only: it runs inside the sandbox. Numbers and structures are those of Linux's user-space headers.
"""

import ctypes
import os
import struct

NEW_NAMESPACES = 0x00020000 | 0x08000000 | 0x20000000
"""CLONE_NEWNS, NEWIPC and NEWPID (linux/sched.h); the sandbox has a user namespace of its own already."""

_PR_SET_SECCOMP, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 22, 4, 38
_SECCOMP_MODE_FILTER = 2
_MS_NOSUID_NODEV = 2 | 4
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION_3 = 0x20080522

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same everywhere
_RULE_PATH_BENEATH = 1
_RULESET_VERSION = 1
_READ = 0b1101  # EXECUTE, READ_FILE, READ_DIR
_READ_FILE = 0b0101
_WRITE_FILE = 0b0110
_EVERY_RIGHT = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights to files each version of Landlock knows (linux/landlock.h)."""
_INODES = 4096
"""Files and directories in a scratch directory: each takes memory that no other limit counts."""
_DEVICES = ("/dev/null", "/dev/urandom", "/dev/zero")

_libc = ctypes.CDLL(None, use_errno=True)


def mount_empty(path: str, size: int) -> None:
    """Put an empty file system of `size` bytes at `path`, which only this process and its threads see."""
    limits = f"size={size},nr_inodes={_INODES},mode=700".encode()
    _check(_libc.mount(b"tmpfs", path.encode(), b"tmpfs", _MS_NOSUID_NODEV, limits), "mount")


def drop_capabilities() -> None:
    """Give up every capability."""
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _check(_libc.syscall(_CAPSET[os.uname().machine], header, bytes(24)), "capset")


def give_up_privileges() -> None:
    """Let no program that is started gain any, and nobody look into this process."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def landlock_version() -> int:
    """Return the version of Landlock that the kernel has; 0 where it has none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, _RULESET_VERSION)))


def restrict_files(readable: list[str], scratch: str) -> None:
    """Leave of all files the readable ones and those in `scratch`, and no TCP, abstract sockets or signals to others.

    What a version of Landlock does not know it does not restrict.
    """
    version = landlock_version()
    if not version:
        return
    rights = (1 << _EVERY_RIGHT[min(version, 5)]) - 1
    ruleset = struct.pack("QQQ", rights, 0b11, 0b11)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    rules = _check(_libc.syscall(_CREATE_RULESET, ruleset, len(ruleset), 0), "landlock")
    for path in readable:
        _allow(rules, path, _READ)
    for path in _DEVICES:
        _allow(rules, path, _WRITE_FILE)
    _allow(rules, scratch, rights)
    _check(_libc.syscall(_RESTRICT_SELF, rules, 0), "landlock")
    os.close(rules)


def filter_calls(program: bytes) -> None:
    """Let the kernel refuse system calls from here on: a program for its filter, in classic BPF."""
    buffer = ctypes.create_string_buffer(program, len(program))
    pointer = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, pointer, 0, 0), "seccomp")


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    if not os.path.isdir(path):  # noqa: PTH112 - pathlib takes 10 ms
        rights &= _READ_FILE | _WRITE_FILE
    rule = struct.pack("=Qi", rights, beneath)
    _check(_libc.syscall(_ADD_RULE, rules, _RULE_PATH_BENEATH, rule, 0), "landlock")
    os.close(beneath)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result

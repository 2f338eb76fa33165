"""Linux, where user namespaces are open: bubblewrap, with nothing in it but the interpreter, read-only."""

import platform
import sys
import sysconfig
from pathlib import Path

from evaluator.grade.sandbox.sandbox import CHILD, SHIPPED, Sandbox, interpreter, libraries, readable
from evaluator.grade.sandbox.seccomp import syscall_filter

_SCRATCH = "/tmp"  # noqa: S108 - of the sandbox, where nobody else is
_THERE = "/sandbox"
_SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache")
_PROCESSES = 64


def build_sandbox(bwrap: str) -> Sandbox:
    """Describe the sandbox: what is visible in it, and how the interpreter is started there."""
    python = interpreter()
    # Without --die-with-parent, which means the thread that starts it: the sandbox ends when its socket closes.
    command = [bwrap, "--unshare-all", "--unshare-user", "--new-session"]
    command += ["--uid", "65534", "--gid", "65534", "--hostname", "sandbox", "--cap-drop", "ALL"]
    # What it takes to give each answer namespaces of its own; child.py gives it up before it runs one.
    command += ["--cap-add", "CAP_SYS_ADMIN"]
    command += ["--tmpfs", _SCRATCH]  # over which each answer gets one of its own; first, in case Python lies below it
    for name in _SYSTEM_LIBRARIES:
        path = Path(name)
        if path.is_symlink():
            command += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            command += ["--ro-bind", name, name]
    command += _bind_interpreter(python)
    for file in SHIPPED:
        command += ["--ro-bind", str(file), f"{_THERE}/{file.name}"]
    command += ["--dev", "/dev", "--remount-ro", "/dev"]
    # Sets are ordered by hash: without a seed the same answer could pass today and fail tomorrow.
    command += ["--setenv", "PYTHONHASHSEED", "0", "--chdir", _SCRATCH, "--remount-ro", "/", "--"]
    # -I would ignore the seed; what else it shuts out is not there: the environment is empty, -s and -P do the rest.
    command += [str(python), "-s", "-P", "-S", "-B", f"{_THERE}/{CHILD}"]
    return Sandbox(
        tier="bubblewrap",
        command=tuple(command),
        namespaces=True,
        scratch=_SCRATCH,
        readable=(*readable(), *libraries(), _THERE),
        seccomp=syscall_filter(),
        processes=_PROCESSES if _processes_are_counted_apart() else None,
    )


def _bind_interpreter(python: Path) -> list[str]:
    """Show the interpreter and its library at their own paths, but no installed packages.

    Packages are no part of the language, and this one brings the right answers with it.
    """
    prefix = Path(sys.base_prefix)
    shown = [prefix]
    if sys.base_prefix in {"/usr", "/usr/local"}:  # much else lives there
        shown = [path for path in (python, prefix / "lib", prefix / "lib64") if path.exists()]
    binds = [argument for path in shown for argument in ("--ro-bind", str(path), str(path))]
    library = f"python{sysconfig.get_python_version()}"
    packages = ("site-packages", "dist-packages")
    hidden = {prefix / lib / library / name for lib in ("lib", "lib64") for name in packages}
    for path in sorted({*hidden, *(Path("/usr/lib/python3", name) for name in packages)}):
        if path.is_dir():
            binds += ["--tmpfs", str(path), "--remount-ro", str(path)]
    return binds


def _processes_are_counted_apart() -> bool:
    """Whether RLIMIT_NPROC in a user namespace counts only the processes in it: since Linux 5.14.

    Before, it counts all that the user runs, and an honest answer could not start a thread.
    """
    major, minor = platform.release().split(".")[:2]
    return (int(major), int(minor)) >= (5, 14)

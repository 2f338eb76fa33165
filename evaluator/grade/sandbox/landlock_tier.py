"""Linux, where user namespaces are closed: Landlock and a filter of system calls, without namespaces.

Weaker than bubblewrap: there is no limit on the space that many files take together, and none on processes but that no
new one can be started.
"""

from pathlib import Path

from evaluator.grade.sandbox import confine
from evaluator.grade.sandbox.sandbox import CHILD, NoSandbox, Sandbox, interpreter, libraries, readable
from evaluator.grade.sandbox.seccomp import syscall_filter

_FIRST_VERSION = 6
"""The first one that keeps signals and abstract sockets in: Linux 6.12."""


def build_landlock() -> Sandbox | NoSandbox:
    """Describe this sandbox, or explain what the kernel lacks for it."""
    version = confine.landlock_version()
    if version < _FIRST_VERSION:
        has = f"Landlock {version}" if version else "no Landlock"
        return NoSandbox(f"the kernel has {has}, and version {_FIRST_VERSION} is needed", "Linux 6.12 or newer has it.")
    calls = syscall_filter(alone=True)
    if calls is None:
        return NoSandbox("the system calls of this processor are not known here", "Use x86_64 or aarch64.")
    child = Path(__file__).with_name(CHILD)
    return Sandbox(
        tier="landlock",
        command=(str(interpreter()), "-s", "-P", "-S", "-B", str(child)),
        namespaces=False,
        scratch=None,
        readable=(*readable(), *libraries()),
        seccomp=calls,
        processes=None,
    )

"""Why a sandbox does not start on a machine, and the line that changes it."""

from pathlib import Path

_INSTALL = "sudo apt install bubblewrap   (Fedora, RHEL: sudo dnf install bubblewrap)"
_CLOSED = (
    "setting up uid map",
    "Failed RTM_NEWADDR",
    "No permissions to creat",  # the program says "to creating"
    "Creating new namespace failed",
    "max_*_namespaces exceeded",
    "clone: ",
)
"""What bubblewrap and the sandbox inside it report where user namespaces are closed."""
_SWITCHES = (
    # The file under /proc/sys, the value that closes them, what sets it, the command that opens them.
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor, as on Ubuntu 23.10 and later",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "the kernel's settings",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    ("user/max_user_namespaces", "0", "the kernel's settings", "sudo sysctl -w user.max_user_namespaces=15000"),
)
_FOR_GOOD = "   (until the next start; for good: the same setting as a line in /etc/sysctl.d/60-whichquant.conf)"
_MASKED = "mount proc"
"""What bubblewrap reports in a container that hides parts of /proc."""
_CONTAINER = (
    "with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
    "   (Podman: unmask=ALL in the place of the last one)"
)
_CONTAINER_MARKS = (".dockerenv", "run/.containerenv")


def explain(refusal: str, root: Path = Path("/")) -> str:
    """Explain a refusal where it means that user namespaces are closed, and by what; else return it as it is.

    Args:
        refusal: what the sandbox reported.
        root: the directory in which /proc and /run are looked for.
    """
    if _MASKED in refusal:
        return f"the container that this runs in hides a part of /proc ({refusal.rpartition('bwrap: ')[2]})"
    if not _is_closed(refusal):
        return refusal
    message = refusal.rpartition("bwrap: ")[2]
    return f"user namespaces are closed here, by {_closed_by(root)} ({message})"


def remedy(tier: str, refusal: str, root: Path = Path("/")) -> str:
    """Return the instruction that makes a tier work.

    Args:
        tier: its name.
        refusal: what it reported; empty where it is not installed.
        root: the directory in which /proc and /run are looked for.
    """
    if tier == "bubblewrap" and not refusal:
        return _INSTALL
    if _MASKED in refusal:
        return f"Start the container {_CONTAINER}"
    if not _is_closed(refusal):
        return f"Please report this with what `whichquant sandbox` prints: {tier} is there, but does not work."
    lines = [line for name, closed, _, line in _SWITCHES if _value(root, name) == closed]
    if lines:
        return " && ".join(lines) + _FOR_GOOD
    if _in_container(root):
        return f"Start the container {_CONTAINER}"
    return f"Allow this user to make user namespaces; in a container, start it {_CONTAINER}"


def _is_closed(refusal: str) -> bool:
    return any(mark in refusal for mark in _CLOSED)


def _closed_by(root: Path) -> str:
    causes = [cause for name, closed, cause, _ in _SWITCHES if _value(root, name) == closed]
    if causes:
        return causes[0]
    return "the container that this runs in" if _in_container(root) else "the system or a container"


def _value(root: Path, name: str) -> str | None:
    try:
        return (root / "proc/sys" / name).read_text(encoding="ascii").strip()
    except OSError:
        return None


def _in_container(root: Path) -> bool:
    return any((root / mark).exists() for mark in _CONTAINER_MARKS)

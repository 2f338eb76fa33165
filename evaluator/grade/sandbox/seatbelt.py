"""macOS: one process for each answer, confined by the system's own sandbox-exec. Never run: written without a Mac.

What is here was written from other projects' profiles, and tested as text only. The probes decide on each Mac whether
it holds; where one of them succeeds, or the control fails, code questions are not scored.

Weaker than Linux's: no quota over all files together, the names and sizes of files outside can be seen, and memory is
watched from outside, because the system does not keep to RLIMIT_AS.
"""

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from evaluator.grade.sandbox.sandbox import NoSandbox, Sandbox, interpreter

SANDBOX_EXEC = Path("/usr/bin/sandbox-exec")
_TRY_SECONDS = 20.0
_HERE = Path(__file__).parent
_OUTSIDE, _INSIDE = "fresh.py", "once.py"
_PYTHON = f"python{sysconfig.get_python_version()}"
_SHARED = ("/usr", "/usr/local", "/opt/homebrew")
"""Places where much else is installed beside Python."""
_HOMES = "/Users"

# Of two rules that fit, the later one decides. Paths are compared after symbolic links: parameters must be real paths.
PROFILE = r"""(version 1)
(deny default)
; What every program needs from the system to start, as Apple keeps it for its own.
(import "system.sb")
(deny network*)
(deny mach-lookup)
(deny mach-register)
; Without children nothing outlives the process that is killed.
(deny process-fork)
; The interpreter of python.org and Homebrew is a stub, which starts another program of its own directory in its place.
(allow process-exec (literal (param "PYTHON")) (subpath (param "LIBRARY")))
(deny signal)
(allow signal (target self))
(deny process-info*)
(allow process-info* (target self))
(allow sysctl-read
  (sysctl-name "hw.logicalcpu") (sysctl-name "hw.logicalcpu_max") (sysctl-name "hw.memsize") (sysctl-name "hw.ncpu")
  (sysctl-name "hw.pagesize") (sysctl-name "hw.pagesize_compat") (sysctl-name "kern.osproductversion")
  (sysctl-name "kern.osrelease") (sysctl-name "kern.ostype") (sysctl-name "kern.osversion")
  (sysctl-name "kern.usrstack64") (sysctl-name "kern.version"))
(deny sysctl-read (sysctl-name-prefix "kern.proc") (sysctl-name "kern.hostname"))
(allow file-read-metadata)
(allow file-read-data (literal "/"))
(deny file-write*)
(deny file-read-data (subpath "/Users") (subpath "/Volumes") (subpath "/private/var/folders") (subpath "/private/tmp"))
(allow file-read* file-map-executable
  (subpath "/usr/lib") (subpath "/usr/share") (subpath "/System/Library") (subpath (param "LIBRARY"))
  (literal (param "PYTHON"))
  (regex #"^/opt/homebrew/Cellar/[^/]+/[^/]+/lib/[^/]+\.dylib$")
  (regex #"^/usr/local/Cellar/[^/]+/[^/]+/lib/[^/]+\.dylib$")
  (regex #"^/usr/local/lib/[^/]+\.dylib$"))
; Installed packages are no part of the language, and this one brings the right answers with it.
(deny file-read-data file-map-executable (subpath (param "PACKAGES")))
(allow file-read* (subpath (param "RUNNER")))
(allow file-read-data (literal "/dev/null") (literal "/dev/zero") (literal "/dev/random") (literal "/dev/urandom"))
(allow file-write-data (literal "/dev/null") (literal "/dev/zero"))
(allow file-read* file-write* (subpath (param "SCRATCH")))
"""


def build_seatbelt(sandbox_exec: Path = SANDBOX_EXEC) -> Sandbox | NoSandbox:
    """Describe this sandbox, or explain why there is none here."""
    refusal = _refusal(sandbox_exec) or _misplaced(Path(tempfile.gettempdir()).resolve())
    if refusal:
        return refusal
    python = (str(interpreter().resolve()), "-s", "-P", "-S", "-B")
    return Sandbox(
        tier="seatbelt",
        command=(*python, str(_HERE / _OUTSIDE), *confined(sandbox_exec), *python, str(_HERE.resolve() / _INSIDE)),
        namespaces=False,
        scratch=None,
        readable=(),  # the profile says it
        seccomp=None,
        processes=None,
    )


def confined(sandbox_exec: Path = SANDBOX_EXEC) -> tuple[str, ...]:
    """Return the command up to the program that it confines, which takes the place of sandbox-exec: same process id.

    The scratch directory, which is another one for each answer, has still to be defined in it. All paths are real ones:
    pyenv's, uv's and Homebrew's Pythons are reached through links.
    """
    prefix = Path(sys.base_prefix)
    library = prefix / "lib" / _PYTHON
    defined = {
        "PYTHON": interpreter(),
        "LIBRARY": library if str(prefix) in _SHARED else prefix,
        "PACKAGES": library / "site-packages",
        "RUNNER": _HERE,
    }
    pairs = [part for name, path in defined.items() for part in ("-D", f"{name}={path.resolve()}")]
    return (str(sandbox_exec), *pairs, "-p", PROFILE)


def _misplaced(temporary: Path) -> NoSandbox | None:
    if not temporary.is_relative_to(_HOMES):
        return None
    return NoSandbox(
        f"the directory for temporary files, {temporary}, lies among the users' files",
        "Start whichquant without TMPDIR, or with one outside of /Users.",
    )


def _refusal(sandbox_exec: Path) -> NoSandbox | None:
    """Explain why sandbox-exec cannot be used here; None if it can.

    A process that is confined already cannot confine another: that is so in programs that start this one in a sandbox.
    """
    try:
        result = subprocess.run(
            [sandbox_exec, "-p", "(version 1)\n(allow default)\n", "/usr/bin/true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TRY_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return NoSandbox(f"sandbox-exec cannot be started ({error})", f"It is a part of macOS: {sandbox_exec}.")
    if not result.returncode:
        return None
    complaint = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
    if "sandbox_apply" in complaint:
        return NoSandbox(
            f"this program runs inside a sandbox itself, and a second one cannot be made in it ({complaint})",
            "Start whichquant from a terminal window, not from a program that confines what it starts.",
        )
    return NoSandbox(f"sandbox-exec does not work here ({complaint})", "Please report this with your version of macOS.")

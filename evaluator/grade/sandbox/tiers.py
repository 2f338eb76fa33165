"""The tiers of the sandbox, best first, and the choice of the first one that proves itself on this machine."""

import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct

from evaluator.grade.sandbox.causes import explain, remedy
from evaluator.grade.sandbox.probes import ProbeResult, prove
from evaluator.grade.sandbox.sandbox import NoSandbox, Sandbox
from evaluator.grade.sandbox.workers import close_workers

_BROKEN = "Do not run model-written code on this machine; please report this with what `whichquant sandbox` prints."
_NEVER = "Run code questions on Linux or macOS; everything else works here."


class Tier(Struct, frozen=True):
    """One way to confine an answer."""

    name: str
    build: Callable[[], Sandbox | NoSandbox]


class Trial(Struct, frozen=True):
    """What became of one tier."""

    tier: str
    sandbox: Sandbox | None
    """None where it is not used, for the reason given."""
    results: tuple[ProbeResult, ...] = ()
    reason: str = ""
    install: str = ""
    """What to do about it."""


def tiers() -> tuple[Tier, ...]:
    """List what this system may have, best first."""
    if sys.platform == "linux":
        return (Tier("bubblewrap", _bubblewrap), Tier("landlock", _landlock))
    if sys.platform == "darwin":
        return (Tier("seatbelt", _seatbelt),)
    return ()


def find_sandbox() -> Sandbox | NoSandbox:
    """Find a sandbox that holds on this machine, or the reasons why there is none. Proved once per process."""
    return choose(trials())


@cache
def trials() -> tuple[Trial, ...]:
    """Try this machine's tiers; once per process."""
    return try_tiers(tiers(), Path.home().resolve())


def try_tiers(listed: Sequence[Tier], home: Path) -> tuple[Trial, ...]:
    """Try tiers in their order until one holds; those after it are not tried."""
    tried: list[Trial] = []
    for tier in listed:
        tried.append(_try(tier, home))
        if tried[-1].sandbox:
            break
        close_workers()  # those of a tier that is not used
    return tuple(tried)


def choose(tried: Sequence[Trial]) -> Sandbox | NoSandbox:
    """Take the tier that holds, or explain why none does."""
    for trial in tried:
        if trial.sandbox:
            return trial.sandbox
    if not tried:
        return NoSandbox(f"there is no isolation for {sys.platform}", _NEVER)
    reasons = " ".join(f"{trial.tier}: {trial.reason}." for trial in tried)
    ways = "\nor: ".join(dict.fromkeys(trial.install for trial in tried))
    return NoSandbox(f"no isolation here. {reasons}", f"{ways}\n`whichquant sandbox` shows what was tried.")


def _try(tier: Tier, home: Path) -> Trial:
    sandbox = tier.build()
    if isinstance(sandbox, NoSandbox):
        return Trial(tier.name, None, reason=sandbox.reason, install=sandbox.install)
    proof = prove(sandbox, home)
    if proof.refusal is None:
        return Trial(tier.name, sandbox, proof.results)
    if proof.works:
        return Trial(tier.name, None, proof.results, proof.refusal, _BROKEN)
    return Trial(tier.name, None, proof.results, explain(proof.refusal), remedy(tier.name, proof.refusal))


def _bubblewrap() -> Sandbox | NoSandbox:
    from evaluator.grade.sandbox.bubblewrap import build_sandbox  # noqa: PLC0415 - each system has its own

    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return NoSandbox("the program bwrap is not on PATH", remedy("bubblewrap", ""))
    return _refuse_python_at_home() or build_sandbox(bwrap)


def _landlock() -> Sandbox | NoSandbox:
    from evaluator.grade.sandbox.landlock_tier import build_landlock  # noqa: PLC0415 - as above

    return build_landlock()


def _seatbelt() -> Sandbox | NoSandbox:
    from evaluator.grade.sandbox.seatbelt import build_seatbelt  # noqa: PLC0415 - as above

    return _refuse_python_at_home() or build_seatbelt()


def _refuse_python_at_home() -> NoSandbox | None:
    """Refuse a Python whose directory, which a sandbox can read, holds the user's files."""
    home = Path.home().resolve()
    if not home.is_relative_to(Path(sys.base_prefix).resolve()):
        return None
    return NoSandbox(
        f"Python is installed in {sys.base_prefix}, which holds the home directory {home}",
        "Use a Python that is installed in a directory of its own.",
    )

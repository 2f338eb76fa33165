"""A sandbox is used only after it has proved itself; where one does not, the next one is tried."""

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evaluator.grade import sandbox as sandbox_package
from evaluator.grade.sandbox import NoSandbox, Run, Sandbox, run_tests
from evaluator.grade.sandbox import tiers as sandbox_tiers
from evaluator.grade.sandbox.landlock_tier import build_landlock
from evaluator.grade.sandbox.probes import Proof, prove
from evaluator.grade.sandbox.tiers import Tier, choose, tiers, try_tiers

pytestmark = pytest.mark.usefixtures("untried")


def broken(proof: Proof) -> set[str]:
    return {result.name for result in proof.results if not result.held}


def test_every_tier_of_this_machine_holds(bubblewrap: Sandbox) -> None:
    landlock = build_landlock()
    for sandbox in (bubblewrap, landlock):
        if isinstance(sandbox, NoSandbox):
            pytest.skip(sandbox.reason)
        proof = prove(sandbox, Path.home())

        assert proof.refusal is None
        assert len(proof.results) == 17


def test_probes_leave_nothing_behind(bubblewrap: Sandbox, tmp_path: Path) -> None:
    prove(bubblewrap, tmp_path)

    assert list(tmp_path.iterdir()) == []


NOTHING_CONFINED = """
import os, sys, tempfile
sys.path.insert(0, {here!r})
import child
os.environ["SECRET_KEY"] = "secret"
def scratch(message):
    tempfile.tempdir = message["scratch"]
    os.chdir(message["scratch"])
child._confine = scratch
child.main()
"""


def test_every_probe_wins_where_nothing_confines_it(bubblewrap: Sandbox, tmp_path: Path) -> None:
    program = tmp_path / "open.py"
    program.write_text(NOTHING_CONFINED.format(here=str(Path(sandbox_package.__file__).parent)))
    home = tmp_path / "home"
    home.mkdir()
    command = (sys.executable, "-s", "-P", "-S", "-B", str(program))
    open_ = msgspec.structs.replace(
        bubblewrap, command=command, namespaces=False, scratch=None, seccomp=None, processes=None
    )

    proof = prove(open_, home)

    held = {result.name for result in proof.results if result.held}
    assert held == {"an ordinary program runs", "an answer writes its own verdict"}
    assert list(home.iterdir()) == []


HOLES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "everything can be read": (
        {"readable": ("/",)},
        {
            "a file in the home directory is read",
            "a file among the temporary ones is read",
            "another program's command line is read",
        },
    ),
    "no filter of system calls": (
        {"seccomp": None},
        {"a packet is sent to a local server", "any number of processes is started"},
    ),
}


@pytest.mark.parametrize(("hole", "breaches"), HOLES.values(), ids=HOLES)
def test_a_sandbox_with_a_hole_is_refused(hole: dict[str, Any], breaches: set[str], tmp_path: Path) -> None:
    landlock = build_landlock()
    if isinstance(landlock, NoSandbox):
        pytest.skip(landlock.reason)

    proof = prove(msgspec.structs.replace(landlock, **hole), tmp_path)

    assert broken(proof) == breaches
    assert proof.refusal
    assert proof.refusal.startswith("it does not hold here: ")
    assert all(name in proof.refusal for name in breaches)


def test_bubblewrap_that_shows_the_environment_is_refused(bubblewrap: Sandbox, tmp_path: Path) -> None:
    at = bubblewrap.command.index("--chdir")
    hole = ("--setenv", "SECRET_KEY", "secret")
    leaky = msgspec.structs.replace(bubblewrap, command=(*bubblewrap.command[:at], *hole, *bubblewrap.command[at:]))

    assert broken(prove(leaky, tmp_path)) == {"the environment is seen"}


def test_a_verdict_that_can_be_forged_is_told(
    bubblewrap: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgeable(sandbox: Sandbox, program: str, tests: str, name: str, *, seconds: float) -> Run:
        if '"passed": true' in program:
            return Run("passed", "passed")
        return run_tests(sandbox, program, tests, name, seconds=seconds)

    monkeypatch.setattr("evaluator.grade.sandbox.probes.run_tests", forgeable)

    assert broken(prove(bubblewrap, tmp_path)) == {"an answer writes its own verdict"}


def test_a_probe_that_could_not_be_tried_is_no_proof(
    bubblewrap: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(sandbox: Sandbox, program: str, tests: str, name: str, *, seconds: float) -> Run:
        if "os.fork" in program:
            return Run("no_verdict", "the sandbox did not start: no memory")
        return run_tests(sandbox, program, tests, name, seconds=seconds)

    monkeypatch.setattr("evaluator.grade.sandbox.probes.run_tests", lost)
    proof = prove(bubblewrap, tmp_path)

    assert broken(proof) == {"any number of processes is started"}
    assert "it could not be tried: the sandbox did not start: no memory" in str(proof.refusal)


def test_a_busy_machine_gets_a_second_try_with_more_time(
    bubblewrap: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []

    def busy_at_first(sandbox: Sandbox, program: str, tests: str, name: str, *, seconds: float) -> Run:
        limits.append(seconds)
        if len(limits) == 1:
            return Run("failed", "timeout after 20 s")
        return run_tests(sandbox, program, tests, name, seconds=seconds)

    monkeypatch.setattr("evaluator.grade.sandbox.probes.run_tests", busy_at_first)

    assert prove(bubblewrap, tmp_path).refusal is None
    assert limits[0] < limits[1]


def test_the_next_tier_is_tried_where_one_is_refused(bubblewrap: Sandbox, tmp_path: Path) -> None:
    refused = Tier("first", lambda: NoSandbox("none here", "get one"))
    leaky = Tier("second", lambda: msgspec.structs.replace(bubblewrap, command=("/bin/false",)))
    never = Tier("fourth", lambda: pytest.fail("a tier holds already"))

    tried = try_tiers([refused, leaky, Tier("third", lambda: bubblewrap), never], tmp_path)

    assert [(trial.tier, trial.sandbox is not None) for trial in tried] == [
        ("first", False),
        ("second", False),
        ("third", True),
    ]
    assert choose(tried) == bubblewrap


@pytest.mark.parametrize(("system", "names"), [("darwin", ["seatbelt"]), ("win32", [])])
def test_other_systems_have_other_tiers(system: str, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)

    assert [tier.name for tier in tiers()] == names


def test_a_system_without_tiers_is_told_so() -> None:
    result = choose(())

    assert isinstance(result, NoSandbox)
    assert "Run code questions on Linux or macOS" in result.install


@pytest.mark.parametrize("tier", [sandbox_tiers._bubblewrap, sandbox_tiers._seatbelt])
def test_a_python_among_the_users_files_is_not_shown(tier: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "base_prefix", str(Path.home().parent))

    result = tier()

    assert isinstance(result, NoSandbox)
    assert "holds the home directory" in result.reason

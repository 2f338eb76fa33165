"""What the user is told of the sandbox: by `whichquant sandbox`, and before the first question where there is none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evaluator.cli import main
from evaluator.grade.sandbox import NoSandbox, Sandbox
from evaluator.grade.sandbox.causes import explain, remedy
from evaluator.grade.sandbox.landlock_tier import build_landlock
from evaluator.grade.sandbox.tiers import Trial, choose, tiers, try_tiers

pytestmark = pytest.mark.usefixtures("untried")

NO_LANDLOCK = NoSandbox("the kernel has Landlock 3, and version 6 is needed", "Linux 6.12 or newer has it.")
UID_MAP = "bwrap: setting up uid map: Permission denied"
LOOPBACK = "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted"
NO_PERMISSIONS = (
    "bwrap: No permissions to creating new namespace, likely because the kernel does not allow non-privileged user "
    "namespaces. On e.g. debian this can be enabled with 'sysctl kernel.unprivileged_userns_clone=1'."
)
EXCEEDED = "bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)"


def says(folder: Path, complaint: str) -> None:
    """Put a bwrap into a folder that fails as the real one does."""
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{complaint}\nEND\nexit 1\n")
    program.chmod(0o755)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it, on a machine without Landlock."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("evaluator.grade.sandbox.landlock_tier.build_landlock", lambda: NO_LANDLOCK)
    return folder


def show(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["sandbox", *arguments])


def one_line(text: str) -> str:
    return " ".join(text.split())


CLOSED = {"uid map": UID_MAP, "loopback": LOOPBACK, "no permissions": NO_PERMISSIONS, "exceeded": EXCEEDED}


@pytest.mark.parametrize("complaint", CLOSED.values(), ids=CLOSED)
def test_closed_user_namespaces_are_told_with_what_the_system_said(alone: Path, complaint: str) -> None:
    says(alone, complaint)

    result = show()

    assert result.exit_code == 1
    assert "Code questions are not scored here: no isolation." in result.output
    assert "user namespaces are closed here, by " in result.output
    assert complaint.removeprefix("bwrap: ") in result.output
    assert "Linux 6.12 or newer" in result.output


SETTINGS = {
    "Ubuntu": (
        {"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1"},
        "AppArmor",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "Debian": (
        {"proc/sys/kernel/unprivileged_userns_clone": "0", "proc/sys/user/max_user_namespaces": "5"},
        "the kernel's settings",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    "none": (
        {"proc/sys/user/max_user_namespaces": "0"},
        "the kernel's settings",
        "sudo sysctl -w user.max_user_namespaces=15000",
    ),
    "Docker": ({".dockerenv": ""}, "the container", "Start the container with --security-opt seccomp=unconfined"),
    "Podman": ({"run/.containerenv": ""}, "the container", "Start the container with --security-opt"),
    "unknown": ({}, "the system or a container", "Allow this user to make user namespaces; in a container, start it"),
}


@pytest.mark.parametrize(("files", "by", "line"), SETTINGS.values(), ids=SETTINGS)
def test_what_closes_user_namespaces_is_found_and_the_line_that_opens_them(
    files: dict[str, str], by: str, line: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert f"by {by}" in explain(f"it does not work here: {UID_MAP}", tmp_path)
    assert remedy("bubblewrap", UID_MAP, tmp_path).startswith(line)


def test_a_container_that_hides_proc_is_told_apart() -> None:
    complaint = "it does not work here: bwrap: Can't mount proc on /newroot/proc: Operation not permitted"

    assert explain(complaint).startswith("the container that this runs in hides a part of /proc (Can't mount")
    assert "systempaths=unconfined" in remedy("bubblewrap", complaint)


def test_another_failure_is_told_as_it_is(alone: Path) -> None:
    says(alone, "bwrap: Unknown option --unshare-all")

    result = show()

    assert "it does not work here" in result.output
    assert "bwrap: Unknown option --unshare-all" in one_line(result.output)
    assert "Please report this" in result.output


def test_a_missing_bubblewrap_gives_the_line_to_install_it(alone: Path) -> None:
    result = choose(try_tiers(tiers(), Path.home()))

    assert result == NoSandbox(
        "no isolation here. bubblewrap: the program bwrap is not on PATH. "
        "landlock: the kernel has Landlock 3, and version 6 is needed.",
        "sudo apt install bubblewrap   (Fedora, RHEL: sudo dnf install bubblewrap)\n"
        "or: Linux 6.12 or newer has it.\n"
        "`whichquant sandbox` shows what was tried.",
    )


def test_the_command_shows_the_tier_in_use_and_its_probes() -> None:
    result = show()

    assert result.exit_code == 0
    assert "Code questions can be scored here: in " in result.output
    assert "a file in the home directory is read" in result.output
    assert "broken" not in result.output.partition("used")[2]


def test_a_better_tier_is_told_with_the_line_that_gets_it(bubblewrap: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = (
        Trial("bubblewrap", None, reason="the program bwrap is not on PATH", install="sudo apt install bubblewrap"),
        Trial("landlock", bubblewrap),
    )
    monkeypatch.setattr("evaluator.commands.sandbox.trials", lambda: tried)

    result = show()

    assert result.exit_code == 0
    assert "bubblewrap would be better. To get it: sudo apt install bubblewrap" in result.output


def test_programs_get_an_object(alone: Path) -> None:
    says(alone, UID_MAP)

    result = show("--json")
    report = json.loads(result.output)

    assert result.exit_code == 1
    assert report["tier"] is None
    assert report["scored"] is False
    assert [tier["state"] for tier in report["tiers"]] == ["refused", "refused"]
    assert report["tiers"][0]["probes"][0]["state"] == "broken"
    assert report["tiers"][1]["probes"] == []


def test_a_tier_behind_one_that_holds_is_not_tried(bubblewrap: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluator.commands.sandbox.trials", lambda: (Trial("bubblewrap", bubblewrap),))

    report = json.loads(show("--json").output)

    assert [tier["state"] for tier in report["tiers"]] == ["used", "not tried"]


CLOSING = {
    "a user namespace that allows no more": (
        *("unshare", "-Ur", "sh", "-c", 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', "sh"),
    ),
    "bubblewrap around everything": (
        *("bwrap", "--unshare-user", "--disable-userns", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--"),
    ),
}


@pytest.mark.live
@pytest.mark.parametrize("closing", CLOSING.values(), ids=CLOSING)
def test_on_a_machine_with_user_namespaces_closed_landlock_takes_over(closing: tuple[str, ...]) -> None:
    command = [*closing, sys.executable, "-m", "evaluator", "sandbox", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    report = json.loads(result.stdout)
    first = report["tiers"][0]
    assert first["state"] == "refused"
    assert "user namespaces are closed here" in first["reason"]
    assert first["install"].startswith(("sudo sysctl", "Start the container", "Allow this user"))
    if isinstance(build_landlock(), Sandbox):
        assert (result.returncode, report["tier"]) == (0, "landlock")
    else:
        assert (result.returncode, report["tier"]) == (1, None)


@pytest.mark.live
def test_on_a_machine_without_bubblewrap_landlock_takes_over(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path)}
    command = [sys.executable, "-m", "evaluator", "sandbox"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    assert "the program bwrap is not on PATH" in result.stdout
    assert "sudo apt install bubblewrap" in result.stdout

"""Hostile answers fail and leave no trace on the machine; honest ones pass. Each program is watched from outside."""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any, Self

import pytest

import evaluator.benchmarks
from evaluator.grade.sandbox import NoSandbox, Sandbox, find_sandbox, run_tests
from evaluator.grade.sandbox.landlock_tier import build_landlock
from tests.support.hostile_programs import ATTACKS, CONTROLS, WANTS_42, Attack

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

ORDINARY = "def f():\n    return 42"
GRACE = 3.0
"""Seconds over the limit after which an answer must be over."""
MOST_MEMORY = 3 << 30
"""Bytes by which the machine's free memory may fall while one answer runs."""
VICTIM = """
import signal, sys
for number in (signal.SIGURG, signal.SIGTERM, signal.SIGIO, signal.SIGUSR1, signal.SIGHUP):
    signal.signal(number, lambda number, frame: print('signal', number, flush=True))
print(id('x'), flush=True)
while True:
    signal.pause()
"""
IPC_CREAT, IPC_RMID = 0o1000, 0


class Machine:
    """What an answer could reach, each with a way to see that it was reached."""

    def __init__(self, home: Path, directory: Path, shared: Path) -> None:
        self.secret = secrets.token_hex(16)
        self.mark = f"wq{secrets.token_hex(5)}"
        self.home, self.directory = home, directory
        name = f".whichquant-canary-{secrets.token_hex(4)}"
        self.files = [home / name, directory / "secret", shared / name]
        for file in self.files:
            file.write_text(self.secret)
        self.before = [(file.lstat().st_mode, file.lstat().st_uid, file.lstat().st_mtime_ns) for file in self.files]
        self.listeners = self._listen(home / f"{name}-socket")
        self.listing = sorted(directory.iterdir())
        self.victim = subprocess.Popen(
            [sys.executable, "-c", VICTIM, self.secret],
            stdout=subprocess.PIPE,
            cwd=directory,
            env={"SECRET_KEY": self.secret},
            start_new_session=True,
        )
        assert self.victim.stdout
        self.victim_memory = int(self.victim.stdout.readline())
        os.set_blocking(self.victim.stdout.fileno(), False)
        self.segment_key = secrets.randbelow(1 << 30)
        self.segment = self._share_memory()

    def _listen(self, home_socket: Path) -> dict[str, socket.socket]:
        sockets: dict[str, tuple[int, int, Any]] = {
            "tcp": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "tcp6": (socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)),
            "udp": (socket.AF_INET, socket.SOCK_DGRAM, ("", 0)),
            "udp6": (socket.AF_INET6, socket.SOCK_DGRAM, ("::1", 0)),
            "stream": (socket.AF_UNIX, socket.SOCK_STREAM, str(self.directory / "stream")),
            "datagram": (socket.AF_UNIX, socket.SOCK_DGRAM, str(self.directory / "datagram")),
            "home": (socket.AF_UNIX, socket.SOCK_STREAM, str(home_socket)),
            "abstract": (socket.AF_UNIX, socket.SOCK_STREAM, f"\0abstract-{self.mark}"),
            "vsock": (getattr(socket, "AF_VSOCK", -1), socket.SOCK_STREAM, (-1, 1 << 20 | secrets.randbelow(1 << 20))),
        }
        listening = {}
        for name, (family, kind, address) in sockets.items():
            try:
                listener = socket.socket(family, kind)
                listener.bind(address)
            except OSError:  # no IPv6 here, or no virtual machine
                continue
            if kind == socket.SOCK_STREAM:
                listener.listen()
            listener.setblocking(False)
            listening[name] = listener
        return listening

    def _share_memory(self) -> int:
        libc = ctypes.CDLL(None)
        libc.shmat.restype = ctypes.c_void_p
        segment = int(libc.shmget(self.segment_key, 4096, IPC_CREAT | 0o666))
        where = libc.shmat(segment, None, 0)
        ctypes.memmove(where, self.secret.encode(), len(self.secret))
        libc.shmdt(ctypes.c_void_p(where))
        return segment

    def facts(self) -> dict[str, Any]:
        """Give what `$name` stands for in a program."""
        ports = {name: listener.getsockname()[1] for name, listener in self.listeners.items()}
        disk = next(iter(Path("/sys/class/block").glob("*/dev")), None)
        return {
            **{name: ports.get(name, 9) for name in ("tcp", "tcp6", "udp", "udp6", "vsock")},
            "address": socket.gethostname(),
            "abstract": f"abstract-{self.mark}",
            "home": self.home,
            "home_file": self.files[0],
            "home_socket": f"{self.files[0]}-socket",
            "shared_file": self.files[2],
            "dir": self.directory,
            "mark": self.mark,
            "project": Path(evaluator.__path__[0]).parent,
            "packages": Path(pytest.__file__).parent.parent,
            "data_set": Path(evaluator.benchmarks.__file__).parent / "data" / "humaneval.jsonl.gz",
            "disk": disk.read_text().strip().replace(":", ", ") if disk else "8, 0",
            "victim": self.victim.pid,
            "victim_group": self.victim.pid,
            "victim_memory": self.victim_memory,
            "segment_key": self.segment_key,
        }

    def traces(self) -> list[str]:
        """Say what was done to the machine since it was made."""
        breaches = []
        for file, before in zip(self.files, self.before, strict=True):
            now = file.lstat() if file.exists() else None
            facts = now and (now.st_mode, now.st_uid, now.st_mtime_ns)
            if not now or facts != before or now.st_nlink != 1 or file.read_text() != self.secret:
                breaches.append(f"{file} was changed")
        if sorted(self.directory.iterdir()) != self.listing:
            breaches.append(f"{self.directory} was changed")
        breaches += [f"{name} was reached" for name, listener in self.listeners.items() if was_reached(listener)]
        assert self.victim.stdout
        if self.victim.poll() is not None:
            return [*breaches, "another process was ended"]
        state = Path(f"/proc/{self.victim.pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state in "Tt" or self.victim.stdout.read():
            breaches.append("another process got a signal")
        if os.getpriority(os.PRIO_PROCESS, self.victim.pid) != os.getpriority(os.PRIO_PROCESS, 0):
            breaches.append("another process lost its priority")
        if len(os.sched_getaffinity(self.victim.pid)) != len(os.sched_getaffinity(0)):
            breaches.append("another process lost its processors")
        breaches += [f"{path} was made" for path in marked_files(self)]
        return breaches

    def processes_left(self) -> list[str]:
        """Find threads that bear the mark as their name or in their command line."""
        left = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                threads = [thread / "comm" for thread in (process / "task").iterdir()]
                texts = [path.read_bytes() for path in (*threads, process / "cmdline")]
            except OSError:  # ended meanwhile
                continue
            left += [str(process) for text in texts if self.mark.encode() in text]
        return left

    def close(self) -> None:
        self.victim.send_signal(signal.SIGCONT)
        self.victim.kill()
        self.victim.communicate()
        for listener in self.listeners.values():
            listener.close()
        for file in (*self.files, Path(f"{self.files[0]}-socket")):
            file.unlink(missing_ok=True)
        ctypes.CDLL(None).shmctl(self.segment, IPC_RMID, None)


def was_reached(listener: socket.socket) -> bool:
    try:
        if listener.type == socket.SOCK_STREAM:
            listener.accept()[0].close()
        else:
            listener.recv(1)
    except BlockingIOError:
        return False
    return True


def marked_files(machine: Machine) -> list[Path]:
    library = Path(os.__file__).parent
    places = [machine.home, machine.directory, Path(evaluator.__path__[0]).parent, Path(tempfile.gettempdir())]
    places += [library, library.parent, library / "site-packages", Path(pytest.__file__).parent.parent]
    places += [Path(name) for name in ("/", "/dev/shm", "/etc", "/var/tmp", "/run", "/usr/lib", "/usr/local/bin")]
    return [path for place in places for path in place.glob(f"{machine.mark}*")]


@pytest.fixture(scope="module", params=["best", pytest.param("landlock", marks=pytest.mark.live)])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    found = find_sandbox() if request.param == "best" else build_landlock()
    assert not isinstance(found, NoSandbox), f"{found.reason}; {found.install}"
    return found


@pytest.fixture(scope="module")
def machines() -> Iterator[list[Machine]]:
    made: list[Machine] = []
    yield made
    for attacked in made:
        attacked.close()


@pytest.fixture
def machine(machines: list[Machine], tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Give the machine as it was: where one answer came through, the next ones are not blamed for it."""
    if not machines or machines[-1].traces():
        machines.append(Machine(Path.home(), tmp_path_factory.mktemp("machine"), Path("/dev/shm")))
    return machines[-1]


class LeastMemory(threading.Thread):
    """Watch the machine's free memory."""

    def __enter__(self) -> Self:
        self.over = threading.Event()
        self.first = self.least = self.free()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()

    def run(self) -> None:
        while not self.over.wait(0.05):
            self.least = min(self.least, self.free())

    @staticmethod
    def free() -> int:
        (line,) = (line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))
        return int(line.split()[1]) * 1024


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_hostile_answer_fails_and_leaves_no_trace(
    sandbox: Sandbox, machine: Machine, attack: Attack, capfd: pytest.CaptureFixture[str]
) -> None:
    if sandbox.tier == "landlock" and attack is ATTACKS["output: a full disk"]:
        pytest.skip("there is no limit on all files together, as README says")
    facts = machine.facts()
    program = Template(attack.program).safe_substitute(facts)
    tests = Template(attack.tests).safe_substitute(facts, secret=machine.secret)
    started = time.monotonic()

    with LeastMemory() as memory:
        run = run_tests(sandbox, program, tests, "f", seconds=attack.seconds)
    took = time.monotonic() - started

    assert run.outcome == "failed", run
    assert machine.secret not in run.reason
    assert machine.traces() == []
    assert took < attack.seconds + GRACE, run
    assert memory.first - memory.least < MOST_MEMORY
    assert machine.mark not in "".join(capfd.readouterr())
    if machine.processes_left():
        time.sleep(0.5)  # who is killed may still be on the way out
        assert machine.processes_left() == []
    then = Template(attack.then).safe_substitute(facts) or ORDINARY
    after = run_tests(sandbox, then, WANTS_42, "f")
    assert after.outcome == ("failed" if attack.then else "passed"), after


@pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
def test_an_honest_answer_passes(sandbox: Sandbox, control: Attack) -> None:
    assert run_tests(sandbox, control.program, control.tests, "f").reason == "passed"


@pytest.mark.live
def test_all_of_it_holds_for_an_ordinary_user() -> None:
    """Run this file again as nobody, with an interpreter that nobody may read."""
    if os.getuid() != 0:
        pytest.skip("this is an ordinary user")
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "PYTHONDONTWRITEBYTECODE=1"]
    packages = Path(pytest.__file__).parent.parent
    for python in (sys.executable, "/usr/bin/python3"):
        command = [*nobody, f"PYTHONPATH={packages}", python]
        if subprocess.run([*command, "-c", "import pytest, msgspec._core"], check=False).returncode == 0:
            break
    else:
        pytest.skip("no interpreter here that an ordinary user may read and that fits the packages")
    with tempfile.TemporaryDirectory() as home:
        os.chown(home, 65534, 65534)
        command.insert(command.index("env") + 1, f"HOME={home}")
        command.insert(command.index("env") + 1, f"WHICHQUANT_CACHE={home}")
        options = ["-q", "-p", "no:cacheprovider", f"--basetemp={home}/pytest"]
        ended = subprocess.run(
            [*command, "-m", "pytest", *options, __file__], cwd=Path(__file__).parents[3], check=False
        )
    assert ended.returncode == 0

"""The memory of a server's processes: what several map from one file counts once, on Linux and on macOS."""

import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from servers.spec import RuntimeName, Server, ServerSpec
from servers.usage.mac_memory import memory_of as mac_memory_of
from servers.usage.memory import Mapped, memory_of, processes, together

MB = 1 << 20
PAGE = 16384
MAPS = st.lists(st.builds(Mapped, st.sampled_from("abc"), st.integers(0, 10**9), st.integers(0, 10**9)), max_size=5)


@given(tree=st.lists(MAPS, min_size=1, max_size=4))
def test_never_less_than_one_process_and_never_more_than_all_added_up(tree: list[list[Mapped]]) -> None:
    alone = [together([maps]) or 0 for maps in tree]
    whole = together(tree)

    assert whole is not None
    assert max(alone) <= whole <= sum(one.resident + one.own for maps in tree for one in maps)


@given(maps=MAPS, times=st.integers(1, 4))
def test_processes_that_only_map_the_same_files_take_no_more_than_one(maps: list[Mapped], times: int) -> None:
    shared = [one._replace(own=0) for one in maps]

    assert together([shared] * times) == together([shared])


def test_of_nothing_that_can_be_looked_into_nothing_is_known() -> None:
    assert together([]) is None
    assert memory_of([]) is None


CHILD = """
import mmap, sys
with open(sys.argv[1]) as file:
    mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
own = bytearray(int(sys.argv[2]))
for place in range(0, len(own), 4096): own[place] = 1
for place in range(0, len(mapped), 4096): mapped[place]
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def weights() -> Iterator[Path]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(os.urandom(64 * MB))
        file.flush()
        yield Path(file.name)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS lets this be asked by libproc only")
def test_two_that_map_one_file_hold_it_once(weights: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-S", "-c", CHILD, str(weights), str(32 * MB)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        trees = [psutil.Process(child.pid) for child in children]
        one, both = memory_of(trees[:1]), memory_of(trees)
        resident = sum(tree.memory_info().rss for tree in trees)
    finally:
        for child in children:
            child.communicate()

    assert one is not None
    assert both is not None
    assert 96 * MB < one < 128 * MB
    assert 32 * MB < both - one < 56 * MB  # its own, with its interpreter, but not the file
    assert resident - both > 64 * MB - 2 * MB


def server(runtime: RuntimeName = "llama_server", port: int = 1, model: str = "m", **fields: Any) -> Server:
    spec = ServerSpec(runtime=runtime, model=model)
    return Server(spec=spec, base_url=f"http://127.0.0.1:{port}/v1", model=model, engine="e", **fields)


@pytest.mark.parametrize("pid", [None, 2**22 + 1], ids=["not-ours", "gone"])
def test_a_server_without_processes_has_none(pid: int | None) -> None:
    assert processes(server(pid=pid)) == []


LISTENS = """
import socket, sys
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def listening(folder: Path, *words: str) -> Iterator[tuple[int, int]]:
    """Let Python run a script of the last word's name that listens; give its process id and port."""
    *options, name, argument = words
    (folder / name).write_text(LISTENS)
    command = [sys.executable, "-S", *options, str(folder / name), argument]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            yield child.pid, int(child.stdout.readline())
        finally:
            child.communicate()


@pytest.mark.parametrize(
    ("runtime", "words", "found"),
    [
        pytest.param("llama_server", ["llama-server", "-v"], True, id="llama-server"),
        pytest.param("mlx_lm", ["-P", "mlx_lm.server", "-v"], True, id="mlx-lm"),
        pytest.param("llama_server", ["ssh", "-L8080:there:8080"], False, id="a-tunnel"),
        pytest.param("llama_server", ["proxy", "llama-server"], False, id="another-programs-argument"),
        pytest.param("llama_server", ["vllm", "-v"], False, id="another-program"),
        pytest.param("openai", ["llama-server", "-v"], False, id="of-no-known-kind"),
        pytest.param("lm_studio", ["lm-studio", "-v"], False, id="lm-studio"),
    ],
)
def test_a_server_that_runs_already_is_found_by_its_port_and_program(
    runtime: RuntimeName, words: list[str], found: bool, tmp_path: Path
) -> None:
    with listening(tmp_path, *words) as (pid, port):
        assert [one.pid for one in processes(server(runtime, port))] == ([pid] if found else [])
        elsewhere = replace(server(runtime, port), base_url=f"http://192.0.2.1:{port}/v1")
        assert processes(elsewhere) == []


BELOW = """
import subprocess, sys
children = [subprocess.Popen([sys.executable, "-S", "-c", "import sys; sys.stdin.read()", "--alias", name],
    stdin=subprocess.PIPE) for name in "ab"]
print(*(child.pid for child in children), flush=True)
sys.stdin.read()
"""


def test_of_a_routers_models_each_has_its_own_process() -> None:
    routed: dict[str, Any] = {"command": ("llama-server", "--models-preset", "x.ini"), "pid": os.getpid()}
    with subprocess.Popen([sys.executable, "-S", "-c", BELOW], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as top:
        try:
            assert top.stdout is not None
            pids = [int(word) for word in top.stdout.readline().split()]
            found = {name: [one.pid for one in processes(server(model=name, **routed))] for name in "abc"}
        finally:
            top.communicate()

    assert found == {"a": pids[:1], "b": pids[1:], "c": []}


class LibProc:
    """What macOS would say of these processes."""

    def __init__(self, footprints: Mapping[int, int], regions: Mapping[int, list[tuple[str, int, int]]]) -> None:
        self.footprints, self.regions = footprints, regions

    def proc_pid_rusage(self, pid: int, flavor: int, buffer: Any, /) -> int:
        assert flavor == 4
        if pid not in self.footprints:
            return -1
        struct.pack_into("=16s28Q", buffer, 0, b"uuid", *[7] * 28)
        struct.pack_into("=Q", buffer, 16 + 8 * 28, self.footprints[pid])
        return 0

    def proc_pidinfo(self, pid: int, flavor: int, argument: Any, buffer: Any, size: int, /) -> int:
        assert (flavor, size) == (8, 1272)
        number = argument.value // PAGE
        if number >= len(self.regions.get(pid, [])):
            return 0
        path, resident, changed = self.regions[pid][number]
        struct.pack_into("=36xI8xI28xQQ", buffer, 0, resident, changed, number * PAGE, PAGE)
        struct.pack_into(f"={len(path)}s", buffer, 248, path.encode())
        return size


@pytest.mark.parametrize(
    ("footprints", "regions", "expected"),
    [
        pytest.param({}, {}, None, id="not-allowed"),
        pytest.param({1: 500}, {}, 500, id="footprint"),
        pytest.param({1: 500, 2: 70}, {}, 570, id="two"),
        pytest.param({1: 500}, {1: [("/m/a.gguf", 10, 0)]}, 500 + 10 * PAGE, id="mapped-weights"),
        pytest.param({1: 500}, {1: [("/m/a.gguf", 10, 4)]}, 500 + 6 * PAGE, id="changed-pages-are-in-the-footprint"),
        pytest.param({1: 5}, {1: [("", 3, 0), ("/m/a.gguf", 1, 0)] * 2}, 5 + 2 * PAGE, id="a-file-in-two-pieces"),
        pytest.param({1: 1, 2: 1}, {pid: [("/x.safetensors", 9, 0)] for pid in (1, 2)}, 2 + 9 * PAGE, id="twice"),
        pytest.param({1: 5}, {1: [("/b/sha256-0a", 8, 0)]}, 5 + 8 * PAGE, id="ollamas-blob"),
        pytest.param({1: 5}, {1: [("/usr/lib/dyld", 99, 0)]}, 5, id="libraries-of-the-system-are-not-the-servers"),
    ],
)
def test_on_macos(
    footprints: dict[int, int], regions: dict[int, list[tuple[str, int, int]]], expected: int | None
) -> None:
    pids = sorted({*footprints, *regions, 99})

    assert mac_memory_of(pids, LibProc(footprints, regions), PAGE) == expected

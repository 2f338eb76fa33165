"""Servers that `whichquant serve` keeps up are found on any port, and forgotten when they are gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from servers import served
from servers.discover import discover, usual_addresses
from servers.fake import FakeServer, Reply

URL = "http://127.0.0.1:45678/v1"
HOLD = f"""
import sys
from servers.served import announced
with announced({URL!r}):
    print("up", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "served"


def holder() -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=-1, stdout=-1, text=True)
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    return process


def test_it_is_known_for_as_long_as_it_is_kept_up(cache: Path) -> None:
    with holder() as process:
        while_up = served.addresses()
        listed = usual_addresses()
        process.communicate("")

    assert while_up == (URL,)
    assert URL in listed
    assert served.addresses() == ()
    assert list(cache.iterdir()) == []


def test_one_that_was_killed_is_forgotten_and_nothing_is_left(cache: Path) -> None:
    with holder() as process:
        process.kill()
        process.wait()
    left = len(list(cache.iterdir()))

    assert served.addresses() == ()
    assert (left, list(cache.iterdir())) == (1, [])


async def test_it_is_discovered_on_a_port_that_nobody_looks_at() -> None:
    async with FakeServer(Reply()) as fake:
        with served.announced(fake.base_url):
            found = await discover(seconds=5)

    assert fake.base_url in [running.base_url for running in found]


@pytest.mark.parametrize("content", ["", "nonsense", "ftp://x/v1", "http://[", "\udcff", "http://a:b@127.0.0.1/v1"])
def test_what_is_no_address_is_ignored(cache: Path, content: str) -> None:
    with served.announced(URL):
        (file,) = cache.iterdir()
        file.write_bytes(content.encode(errors="surrogateescape"))

        assert served.addresses() == ()


def test_a_file_of_nobody_is_removed_whatever_its_number(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / f"{os.getpid()}.txt").write_text(URL)

    assert served.addresses() == ()
    assert list(cache.iterdir()) == []


def test_without_a_place_to_write_a_server_is_kept_up_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")

    with served.announced(URL):
        assert served.addresses() == ()

"""Where a server is started: at a port and with a log of the user's choice, and out of reach of the user's settings."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from servers.errors import ServerError
from servers.fake import FakeServer, Reply
from servers.launch import launch
from servers.ports import free_port
from servers.spec import ServerSpec

PROGRAM = """\
#!{python}
import http.server, os, sys
print("given", *(name for name in os.environ if name.startswith("LLAMA_")), flush=True)
port = int(sys.argv[sys.argv.index("--port") + 1])
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{{"status": "ok"}}')
http.server.HTTPServer(("127.0.0.1", port), Page).serve_forever()
"""


@pytest.fixture
def spec(tmp_path: Path) -> ServerSpec:
    """A stand-in for llama-server that writes down which of its variables it was given."""
    program, model = tmp_path / "llama-server", tmp_path / "model.gguf"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    model.touch()
    return ServerSpec(runtime="llama_server", model=str(model), binary=str(program), startup_seconds=30)


async def test_the_port_that_was_chosen_is_the_port(spec: ServerSpec, tmp_path: Path) -> None:
    port = free_port()
    async with launch(spec, log=tmp_path / "log", port=port) as server:
        assert server.base_url == f"http://127.0.0.1:{port}/v1"


async def test_a_port_that_another_server_holds_is_refused(spec: ServerSpec, tmp_path: Path) -> None:
    async with FakeServer(Reply()) as other:
        with pytest.raises(ServerError) as caught:
            async with launch(spec, log=tmp_path / "log", port=other.port):
                raise AssertionError

    assert str(caught.value) == f"Port {other.port} is taken by another program: end it, or choose another port."
    assert other.calls == [], "the other server must not be taken for ours"
    assert not (tmp_path / "log").exists(), "nothing may be started"


async def test_a_port_that_was_left_a_moment_ago_can_be_had_again(spec: ServerSpec, tmp_path: Path) -> None:
    port = free_port()
    for _ in range(2):
        async with launch(spec, log=tmp_path / "log", port=port) as server:
            assert server.base_url == f"http://127.0.0.1:{port}/v1"


@pytest.mark.parametrize("place", ["a-file/log", "a-folder"])
async def test_a_log_that_cannot_be_written_is_named(spec: ServerSpec, tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").touch()
    (tmp_path / "a-folder").mkdir()

    with pytest.raises(ServerError) as caught:
        async with launch(spec, log=tmp_path / place):
            raise AssertionError

    assert str(tmp_path / place) in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_what_llama_server_would_read_from_the_users_environment_does_not_reach_it(
    spec: ServerSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LLAMA_API_KEY", "LLAMA_ARG_CTX_SIZE", "LLAMA_ARG_CACHE_TYPE_K", "LLAMA_CACHE"):
        monkeypatch.setenv(name, "1")

    async with launch(spec, log=tmp_path / "log"):
        given = (tmp_path / "log").read_text().splitlines()[0].split()

    assert given == ["given", "LLAMA_CACHE"], "where models lie is the user's affair"
    assert os.environ["LLAMA_API_KEY"] == "1"


OMLX = """\
#!{python}
import asyncio, os, sys
sys.path[:0] = [{path!r}]
from servers.fake import FakeModel, FakeServer, Reply
from servers.fake.dialects import OMLX

async def main():
    words = dict(zip(sys.argv, sys.argv[1:]))
    folder = os.path.realpath(words["--model-dir"])
    models = [FakeModel(id=name, path=os.path.join(folder, name)) for name in os.listdir(folder)]
    async with FakeServer(Reply(), dialect=OMLX, models=models, port=int(words["--port"])):
        await asyncio.sleep(3600)

asyncio.run(main())
"""


async def test_temporary_files_may_lie_behind_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    monkeypatch.setattr(tempfile, "tempdir", str(link))
    program, model = tmp_path / "omlx", tmp_path / "model-4bit"
    program.write_text(OMLX.format(python=sys.executable, path=str(Path(__file__).parents[2])))
    program.chmod(0o755)
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "llama"}')
    spec = ServerSpec(runtime="omlx", model=str(model), binary=str(program), startup_seconds=30)

    async with launch(spec, log=tmp_path / "log") as server:
        assert server.model == "model-4bit"

    assert list(real.iterdir()) == []

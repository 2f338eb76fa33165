"""Router mode without a model: what its INI file says, what is refused, and what is said when it goes wrong."""

import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from servers.errors import ServerError
from servers.llama_router import router
from servers.runtime import llama_server
from servers.runtime.llama_preset import own_log, settings
from servers.spec import ServerSpec

STAND_IN = """
    import http.server, json, re, sys, urllib.parse

    words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    ini = open(words["--models-preset"]).read()
    status = {name: {"value": "unloaded"} for name in re.findall(r"^\\[(.*)\\]$", ini, re.M)}
    refused = set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args): pass
        def say(self, code, body):
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        def do_GET(self):
            listed = [{"id": name, "status": now} for name, now in status.items()]
            self.say(200, {"role": "router"} if self.path == "/props" else {"data": listed})
        def do_POST(self):
            name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
            if name == "broken":
                print("[1] E error: tensor 'x' data is not within the file bounds", flush=True)
                status[name] = {"value": "unloaded", "exit_code": 1, "failed": True}
            elif name == "busy" and name not in refused:
                refused.add(name)
                return self.say(500, {"error": {"message": "model limit reached, try again later"}})
            elif name == "fatal":
                sys.stdout.flush()
                import os; os._exit(3)
            else:
                status[name] = {"value": "loading" if name == "slow" else "loaded"}
            self.say(200, {"success": True})

    print(ini, flush=True)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(words["--port"])), Handler).serve_forever()
"""


@pytest.fixture
def spec(tmp_path: Path) -> ServerSpec:
    """A variant of a stand-in that speaks as a router does."""
    script = tmp_path / "llama-server"
    script.write_text(f"#!{sys.executable}\n{textwrap.dedent(STAND_IN)}")
    script.chmod(0o755)
    model = tmp_path / "tiny.gguf"
    model.write_bytes(b"GGUF")
    return ServerSpec(runtime="llama_server", model=str(model), binary=str(script), context=512, startup_seconds=20)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, {"c": "512", "np": "1", "jinja": "true", "no-context-shift": "true"}, id="plain"),
        pytest.param({"slots": 3}, {"c": "1536", "np": "3"}, id="slots"),
        pytest.param({"kv_cache": "q8_0"}, {"ctk": "q8_0", "ctv": "q8_0", "fa": "on"}, id="kv cache"),
        pytest.param({"thinking": False}, {"reasoning": "off"}, id="thinking off"),
        pytest.param({"args": ("-t", "2", "--no-warmup")}, {"t": "2", "no-warmup": "true"}, id="args"),
        pytest.param({"args": ("--reasoning-budget", "-1")}, {"reasoning-budget": "-1"}, id="a value below nothing"),
        pytest.param({"args": ("-c", "64")}, {"c": "64"}, id="args win"),
        pytest.param({"args": ("--ctx-size", "64")}, {"c": None, "ctx-size": "64"}, id="args win under another name"),
        pytest.param({"args": ("--ctx-size=64",)}, {"c": None, "ctx-size": "64"}, id="args with an equals sign"),
        pytest.param({"args": ("--no-jinja",)}, {"jinja": None, "no-jinja": "true"}, id="args win by saying no"),
    ],
)
def test_a_variant_keeps_the_flags_that_it_has_alone(
    spec: ServerSpec, changes: dict[str, Any], expected: dict[str, str | None], tmp_path: Path
) -> None:
    said = settings(replace(spec, **changes), tmp_path / "own.log")
    assert {key: said.get(key) for key in expected} == expected
    assert said["m"] == spec.model
    assert said["log-file"] == str(tmp_path / "own.log")
    assert not {"alias", "host", "port"} & said.keys()


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        pytest.param(("--port", "9"), r"--port is the router's own: take it out of args", id="its own"),
        pytest.param(("--api-key", "x"), r"--api-key is the router's own", id="a key that models would not get"),
        pytest.param(("--lora", "a", "--lora", "b"), r"--lora can be given once only", id="given twice"),
        pytest.param(("--lora-scaled", "a", "1"), r"each flag takes one value: '1' in args is one too many", id="two"),
        pytest.param(("word",), r"'word' in args is one too many", id="no flag"),
        pytest.param(
            ("--port=9",), r"--port is the router's own: take it out of args", id="its own, with an equals sign"
        ),
        pytest.param(("--chat-template", "{# x #}"), r"--chat-template of odd cannot be '\{# x #\}'", id="hash"),
        pytest.param(("--chat-template", "a\nb"), r"--chat-template of odd cannot be", id="two lines"),
    ],
)
async def test_what_a_section_cannot_say_is_refused_before_anything_starts(
    spec: ServerSpec, args: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ServerError, match=sentence):
        async with router({"odd": replace(spec, args=args)}, log=tmp_path / "log"):
            raise AssertionError
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"runtime": "mlx_lm"}, r"llama-server's own: second cannot be part of it", id="mlx"),
        pytest.param({"base_url": "http://localhost:1/v1"}, r"second cannot be part of it", id="runs already"),
        pytest.param({"binary": None}, r"for first and not set for second", id="another program"),
        pytest.param({"model": "gone.gguf"}, r"There is no model file gone\.gguf", id="no file"),
    ],
)
async def test_variants_that_one_router_cannot_serve_are_refused_by_name(
    spec: ServerSpec, changes: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ServerError, match=sentence):
        async with router({"first": spec, "second": replace(spec, **changes)}, log=tmp_path / "log"):
            raise AssertionError


async def test_the_wheel_is_no_router(spec: ServerSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = ("the wheel", ("python", "-m", "servers.runtime.xllamacpp_server"))
    monkeypatch.setattr(llama_server, "find", lambda spec: wheel)
    with pytest.raises(ServerError, match=r"needs the program llama-server.*\n  brew install llama\.cpp$"):
        async with router({"one": replace(spec, binary=None)}, log=tmp_path / "log"):
            raise AssertionError


async def test_each_variant_is_called_by_its_name_and_has_its_own_log(spec: ServerSpec, tmp_path: Path) -> None:
    specs = {"q8": spec, "q4.1": replace(spec, kv_cache="q4_0")}
    log = tmp_path / "logs" / "router.log"
    async with router(specs, log=log, at_once=2) as running:
        servers = [await running.server(name) for name in specs]

    assert [(server.model, server.spec, server.log) for server in servers] == [
        (name, chosen, own_log(log, name)) for name, chosen in specs.items()
    ]
    assert own_log(log, "q4.1") == log.with_name("router.q4.1.log")
    assert len({(server.pid, server.base_url) for server in servers}) == 1
    assert servers[0].command[1:5:2] == ("--models-preset", "--models-max")
    assert "[q4.1]" in log.read_text()


@pytest.mark.parametrize("name", ["busy", "loaded-at-once"])
async def test_a_model_that_must_wait_for_room_is_asked_for_again(spec: ServerSpec, name: str, tmp_path: Path) -> None:
    async with router({name: spec}, log=tmp_path / "log") as running:
        assert (await running.server(name)).model == name


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param(
            "broken", r"could not load broken\. The model's file cannot be read.*\nEnd of its log", id="broken"
        ),
        pytest.param("slow", r"slow was not loaded within 2 s", id="slow"),
        pytest.param("fatal", r"The router ended while it loaded fatal", id="fatal"),
    ],
)
async def test_what_cannot_be_loaded_is_explained_and_the_rest_goes_on(
    spec: ServerSpec, name: str, sentence: str, tmp_path: Path
) -> None:
    hasty = replace(spec, startup_seconds=2)
    async with router({name: hasty, "good": spec}, log=tmp_path / "log") as running:
        with pytest.raises(ServerError, match=sentence):
            await running.server(name)
        assert (await running.server("good")).model == "good"


async def test_the_command_to_try_by_hand_serves_that_variant_alone(spec: ServerSpec, tmp_path: Path) -> None:
    async with router({"broken": spec}, log=tmp_path / "log") as running:
        with pytest.raises(ServerError) as caught:
            await running.server("broken")

    assert str(caught.value).splitlines()[-1].startswith(f"  {spec.binary} -m {spec.model} ")

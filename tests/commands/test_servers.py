"""`whichquant servers` shows what answers, harmlessly, and prints a line that evaluates it."""

import json
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evaluator.cli import main
from evaluator.commands.servers import command
from servers.discover import PORTS, ListedModel, Running
from servers.fake import FakeModel, FakeServer, Reply
from servers.fake.dialects import LM_STUDIO, MLX_LM, NO_HUB, OLLAMA, OMLX, VLLM

BASE = "http://127.0.0.1:1234/v1"
NASTY = "a\x1b[31mred\x07\u202e\n[bold]b[/bold]"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listing(*fakes: FakeServer, more: tuple[str, ...] = ()) -> Result:
    ports = [argument for fake in fakes for argument in ("--port", str(fake.port))]
    return CliRunner().invoke(main, ["servers", *ports, *more])


def lines(result: Result) -> list[list[str]]:
    """The commands that were printed, as a shell would take them apart."""
    return [shlex.split(line) for line in result.stdout.splitlines() if line.strip().startswith("whichquant eval")]


def running(*ids: str, **more: Any) -> Running:
    models = tuple(ListedModel(id=name) for name in ids)
    return Running(**{"runtime": "openai", "base_url": BASE, "models": models, **more})


def test_a_server_is_shown_with_its_models_and_its_line(stack: ExitStack) -> None:
    models = (FakeModel(id="idle", loaded=False), FakeModel(id="busy", served_context=8192))
    fake = stack.enter_context(FakeServer(Reply(), dialect=OLLAMA, models=models))

    result = listing(fake)

    assert result.exit_code == 0
    assert f"Ollama 0.33.0 at {fake.base_url}\n" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows.index(["busy", "yes", "8,192"]) < rows.index(["idle", "no"])
    assert lines(result) == [["whichquant", "eval", "--base-url", fake.base_url, "--model", "busy"]]


@pytest.mark.parametrize(
    ("models", "line"),
    [
        pytest.param(["all-MiniLM-L6-v2", "bge-m3", "qwen3-8b"], ["--model", "qwen3-8b"], id="two-and-a-chat-model"),
        pytest.param(["nomic-embed-text", "a", "b"], ["--model", "a"], id="first-of-two"),
        pytest.param(["bge-chat-7b-it", "llama-embed-chat"], ["--model", "bge-chat-7b-it"], id="chat-models"),
    ],
)
def test_the_line_names_a_model_that_answers_questions(stack: ExitStack, models: list[str], line: list[str]) -> None:
    fake = stack.enter_context(FakeServer(Reply(), models=models))

    assert lines(listing(fake)) == [["whichquant", "eval", "--base-url", fake.base_url, *line]]


@pytest.mark.parametrize("models", [["text-embedding-3-small"], ["bge-m3", "bge-reranker-v2-m3", "whisper-1"]])
def test_there_is_no_line_where_no_model_answers_questions(stack: ExitStack, models: list[str]) -> None:
    fake = stack.enter_context(FakeServer(Reply(), models=models))
    shown = listing(fake)

    assert lines(shown) == []
    assert all(model in shown.stdout for model in models)
    assert "its models make embeddings or the like and answer no questions: load another one there." in shown.stdout
    assert json.loads(listing(fake, more=("--json",)).stdout)[0]["evaluate"] is None


def test_several_servers_each_have_their_own_line(stack: ExitStack) -> None:
    fakes = [stack.enter_context(FakeServer(Reply(), dialect=each)) for each in (OMLX, LM_STUDIO, VLLM)]

    result = listing(*fakes)

    assert lines(result) == [["whichquant", "eval", "--base-url", fake.base_url] for fake in fakes]
    assert [name in result.stdout for name in ("oMLX", "LM Studio", "vLLM")] == [True] * 3


def test_json_is_all_there_is_on_stdout(stack: ExitStack) -> None:
    fake = stack.enter_context(FakeServer(Reply(), dialect=LM_STUDIO, models=(FakeModel(id="m", served_context=8192),)))

    assert json.loads(listing(fake, more=("--json",)).stdout) == [
        {
            "runtime": "lm_studio",
            "name": "LM Studio",
            "version": None,
            "base_url": fake.base_url,
            "wants_key": False,
            "key_refused": False,
            "loading": False,
            "models": [{"id": "m", "loaded": True, "context": 8192}],
            "evaluate": f"whichquant eval --base-url {fake.base_url}",
        }
    ]


@pytest.mark.parametrize(("arguments", "out"), [((), "No model server answers"), (("--json",), "[]\n")])
def test_nothing_found_is_no_error(arguments: tuple[str, ...], out: str) -> None:
    result = CliRunner().invoke(main, ["servers", "--port", "1", *arguments])

    assert result.exit_code == 0
    assert result.stdout.startswith(out)
    assert result.stderr == ""
    if not arguments:
        assert result.stdout.count("\n") == 1
        assert "port 1:" in result.stdout
        assert "--host and --port" in result.stdout


def test_a_long_list_is_cut(stack: ExitStack) -> None:
    fake = stack.enter_context(FakeServer(Reply(), models=[f"model-{i}" for i in range(1000)]))

    result = listing(fake)

    assert "model-11" in result.stdout
    assert "model-12" not in result.stdout
    assert "and 988 more" in result.stdout
    assert len(json.loads(listing(fake, more=("--json",)).stdout)[0]["models"]) == 1000


@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=["table", "json"])
def test_what_servers_say_cannot_reach_the_terminal(stack: ExitStack, arguments: tuple[str, ...]) -> None:
    pages = {"/version": {"version": NASTY}}
    fake = stack.enter_context(FakeServer(Reply(), dialect=VLLM, models=(NASTY, "\x9bfine"), pages=pages))

    said = listing(fake, more=arguments).stdout

    assert not set(said) & {"\x1b", "\x07", "\x9b", "\u202e"}
    if arguments:
        assert json.loads(said)[0]["models"][0]["id"] == NASTY
        assert json.loads(said)[0]["evaluate"] is None
    else:
        assert "[bold]b[/bold]" in said  # as it is: no markup
        assert "there is no command for it" in said


@pytest.mark.parametrize("name", ["two words", "it's", 'a"b', "$(rm -rf ~)", "`x`", "a;b", "-x", "é", "*"])
def test_the_line_survives_a_shell(name: str) -> None:
    line = command(running(name, "other"), None)

    done = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["whichquant", "eval", "--base-url", BASE, "--model", name]


@pytest.mark.parametrize(
    ("server", "more"),
    [
        pytest.param(running(), [], id="no-model"),
        pytest.param(running("a"), [], id="only-one"),
        pytest.param(running("a", "b"), ["--model", "a"], id="first-of-several"),
        pytest.param(
            running(models=(ListedModel(id="a", loaded=False), ListedModel(id="b", loaded=True))),
            ["--model", "b"],
            id="the-loaded-one",
        ),
        pytest.param(running("org/a", "/m/b", runtime="mlx_lm"), ["--model", "/m/b"], id="mlx_lm-folder"),
        pytest.param(running("org/a", "org/b", runtime="mlx_lm"), ["--model", "MODEL"], id="mlx_lm-unknown"),
        pytest.param(running("a", wants_key=True), ["--api-key-env", "NAME"], id="key"),
    ],
)
def test_the_line_names_what_must_be_named(server: Running, more: list[str]) -> None:
    assert shlex.split(command(server, None) or "") == ["whichquant", "eval", "--base-url", BASE, *more]


def test_the_line_is_one_that_eval_takes() -> None:
    options = {option for parameter in main.commands["eval"].params for option in parameter.opts}

    assert {"--base-url", "--model", "--api-key-env"} <= options


def test_a_server_that_wants_a_key_says_how_to_give_it(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = stack.enter_context(FakeServer(Reply(), api_key="sesame"))
    monkeypatch.setenv("RIGHT", "sesame")
    monkeypatch.setenv("WRONG", "open")

    without, wrong, right = (
        listing(fake, more=more) for more in ((), ("--api-key-env", "WRONG"), ("--api-key-env", "RIGHT"))
    )

    assert "It wants a key" in without.stdout
    assert lines(without)[0][-2:] == ["--api-key-env", "NAME"]
    assert "refuses the key in the environment variable WRONG" in wrong.stdout
    assert lines(right)[0][-2:] == ["--api-key-env", "RIGHT"]
    assert "fake" in right.stdout
    assert "key" not in right.stdout.replace("--api-key-env", "")
    assert "sesame" not in without.stdout + wrong.stdout + right.stdout


@pytest.mark.parametrize(
    ("fake", "said"),
    [
        pytest.param(FakeServer(Reply(), models=()), "It lists no model", id="no-model"),
        pytest.param(FakeServer(Reply(), dialect=MLX_LM, models=("org/a", "org/b")), "was started with", id="mlx_lm"),
    ],
)
def test_what_is_missing_is_said(stack: ExitStack, fake: FakeServer, said: str) -> None:
    assert said in listing(stack.enter_context(fake)).stdout


def test_an_mlx_lm_server_without_a_list_is_complete(stack: ExitStack) -> None:
    fake = stack.enter_context(FakeServer(Reply(), dialect=MLX_LM, pages={"/v1/models": NO_HUB}))

    result = listing(fake)

    assert "mlx_lm.server" in result.stdout
    assert "no model" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--host", "http://x"], "leave out http:// and the port", id="url"),
        pytest.param(["--host", ""], "is not a name or address", id="empty"),
        pytest.param(["--host", "a b"], "is not a name or address", id="space"),
        pytest.param(["--host", "me:secret@x"], "is not a name or address", id="password"),
        pytest.param(["--port", "0"], "--port", id="port-0"),
        pytest.param(["--port", "70000"], "--port", id="port-too-big"),
        pytest.param(["--api-key-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE", id="no-key"),
    ],
)
def test_wrong_input_is_refused_in_words(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["servers", *arguments])

    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_another_host_is_looked_at(stack: ExitStack, host: str) -> None:
    fake = stack.enter_context(FakeServer(Reply()))

    assert f":{fake.port}/v1" in listing(fake, more=("--host", host)).stdout


def seconds(port: int) -> float:
    begun = time.monotonic()
    command_line = [sys.executable, "-m", "evaluator", "servers", "--port", str(port)]
    subprocess.run(command_line, check=True, capture_output=True)
    return time.monotonic() - begun


def test_a_port_that_swallows_what_is_sent_costs_less_than_a_second() -> None:
    with socket.socket() as listener:  # its queue of connections is full
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        more = min(seconds(listener.getsockname()[1]) for _ in range(2)) - seconds(1)
        for one in waiting:
            one.close()

    assert more < 1


def test_help_loads_no_heavy_package() -> None:
    command_line = [sys.executable, "-X", "importtime", "-m", "evaluator", "servers", "--help"]

    done = subprocess.run(command_line, capture_output=True, text=True, check=True)

    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert not loaded & {"httpx2", "rich", "msgspec", "scipy", "numpy"}


def test_the_documented_ports_are_named_when_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(*_: Any, **__: Any) -> tuple[Running, ...]:
        return ()

    monkeypatch.setattr("evaluator.commands.servers.discover", nobody)

    said = CliRunner().invoke(main, ["servers"]).stdout

    assert "on this machine" in said
    assert all(str(port) in said for port in PORTS)

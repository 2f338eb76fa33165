"""What a server does not say of itself is read from its files, its log and its command, where they are its own."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from servers.errors import ServerError
from servers.fake import FakeServer, Reply
from servers.fake.dialects import MLX_LM
from servers.probe import probe
from servers.runtime import llama_server, mlx_lm
from servers.spec import Server, ServerSpec
from servers.weights import hashing

PROPS = {"build_info": "b11434-abc", "total_slots": 2, "chat_template": "{{ x }}"}


def server_of(fake: FakeServer, **more: Any) -> Server:
    """Return a server that runs already, of the runtime that it is said to be."""
    spec = ServerSpec(**{"runtime": "llama_server", "model": "fake", "base_url": fake.base_url, **more})
    return Server(spec=spec, base_url=fake.base_url, model=spec.model, engine="e")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHICHQUANT_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("lines", "kv_cache"),
    [
        pytest.param("nothing", None, id="unsaid"),
        pytest.param("llama_kv_cache: size = 1 MiB (1 cells), K (q4_0): 1 MiB, V (q4_0): 1 MiB", "q4_0", id="one"),
        pytest.param("llama_kv_cache: size = 1 MiB, K (q8_0): 1 MiB, V (f16): 1 MiB", "q8_0/f16", id="two-types"),
    ],
)
async def test_the_log_tells_the_type_of_the_cache(tmp_path: Path, lines: str, kv_cache: str | None) -> None:
    log = tmp_path / "log"
    log.write_text(f"0.01 I {lines}\n", encoding="utf-8")
    async with FakeServer(Reply(), pages={"/props": PROPS}) as fake:
        server = replace(server_of(fake), log=log)

        assert (await llama_server.facts(server)).kv_cache == kv_cache


async def test_only_this_servers_part_of_a_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    before = b"llama_kv_cache: size = 1 MiB, K (q4_0): 1 MiB, V (q4_0): 1 MiB\n"
    async with FakeServer(Reply(), pages={"/props": PROPS}) as fake:
        server = replace(server_of(fake), log=log, log_start=len(before))
        for more, said in [(b"x" * 10**6, None), (b"\xff\n" + before.replace(b"q4_0", b"q8_0"), "q8_0")]:
            log.write_bytes(before + more)

            assert (await llama_server.facts(server)).kv_cache == said
        log.unlink()
        assert (await llama_server.facts(server)).kv_cache is None


LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
META = {"n_params": 8660224, "size": 17339392}
OF_THE_FILE = ("model_bytes", "model_sha256", "quantization", "parameters", "bits_per_weight")
MEASURED = (LAB.stat().st_size, hashing.sha256_of(LAB), "F16", 8660224, 8 * 17339392 / 8660224)


def pages_of(path: str, meta: Any = None) -> dict[str, Any]:
    return {"/props": {**PROPS, "model_path": path}, "/v1/models": {"data": [{"id": "fake", "meta": meta}]}}


@pytest.mark.parametrize(
    ("path", "meta", "here", "known"),
    [
        pytest.param(str(LAB), META, True, MEASURED, id="here"),
        pytest.param(str(LAB), None, True, MEASURED, id="here-and-silent"),
        pytest.param(str(LAB), {**META, "n_params": 7}, True, (None, None, None, 7, 8 * 17339392 / 7), id="another"),
        pytest.param("/none/x.gguf", META, True, (17339392, None, None, *MEASURED[3:]), id="in-a-container"),
        pytest.param(str(LAB), META, False, (17339392, None, None, *MEASURED[3:]), id="elsewhere"),
        pytest.param(str(LAB), None, False, (None,) * 5, id="elsewhere-and-silent"),
        pytest.param(str(LAB), {"n_params": "8", "size": True}, False, (None,) * 5, id="odd"),
    ],
)
async def test_the_files_of_this_machine_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, path: str, meta: Any, here: bool, known: tuple[Any, ...]
) -> None:
    if not here:
        monkeypatch.setattr("servers.http.trusts_environment", lambda _: True)
    async with FakeServer(Reply(), pages=pages_of(path, meta)) as fake:
        facts = await probe(server_of(fake))

    assert tuple(getattr(facts, name) for name in OF_THE_FILE) == known
    # Only a file that is the model's proves that the server runs here, and not at a tunnel's other end.
    assert (facts.machine is not None) == (known[1] is not None)


async def test_a_server_that_we_launched_runs_on_this_machine() -> None:
    async with FakeServer(Reply(), pages=pages_of("/none/x.gguf")) as fake:
        assert (await probe(replace(server_of(fake), command=("llama-server",)))).machine


@pytest.mark.parametrize(("slots", "asked", "said"), [(2, 4, True), (2, 2, False), (None, 4, False)])
async def test_fewer_slots_than_questions_in_flight_are_told(slots: int | None, asked: int, said: bool) -> None:
    props = {name: value for name, value in {**PROPS, "total_slots": slots}.items() if value}
    async with FakeServer(Reply(), pages={"/props": props}) as fake:
        unmet = (await llama_server.facts(server_of(fake, slots=asked))).unmet

    assert ["works on 2 question(s) at once, not on 4: the others wait" in one for one in unmet] == [True] * said


@pytest.mark.parametrize(
    ("command", "template"),
    [
        pytest.param((), False, id="attached"),
        pytest.param(("x", "--chat-template-args", "{}"), True, id="launched"),
        pytest.param(("x", "--chat-template", "chatml"), False, id="another-template"),
        pytest.param(("x", "--chat-template-file=x"), False, id="another-file"),
    ],
)
async def test_the_files_template_counts_where_it_is_used(
    cache: Path, command: tuple[str, ...], template: bool
) -> None:
    props = {name: value for name, value in PROPS.items() if name != "chat_template"} | {"model_path": str(LAB)}
    async with FakeServer(Reply(), pages={"/props": props}) as fake:
        server = replace(server_of(fake), command=command)

        assert bool((await probe(server)).chat_template_sha256) is template


@pytest.mark.parametrize(("command", "raises"), [((), False), (("llama-server",), True)], ids=["attached", "launched"])
async def test_weights_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], raises: bool
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(hashing, "sha256", refuse)
    async with FakeServer(Reply(), pages=pages_of(str(LAB))) as fake:
        server = replace(server_of(fake), command=command)
        if raises:
            with pytest.raises(ServerError, match="cannot be read: Permission denied"):
                await probe(server)
        else:
            assert (await probe(server)).model_sha256 is None


async def test_of_a_routers_models_the_one_that_is_asked_is_read() -> None:
    models = [{"id": "a", "meta": {"n_params": 1, "size": 1}}, {"id": "fake", "meta": META}]
    async with FakeServer(Reply(), pages={"/props": PROPS, "/v1/models": {"data": models}}) as fake:
        facts = await probe(server_of(fake))

        assert (facts.model_id, facts.parameters) == ("fake", 8660224)
        assert "model=fake" in {call.query for call in fake.calls if call.path == "/props"}


@pytest.mark.parametrize(
    ("flags", "slots"),
    [
        pytest.param((), 4, id="a-batch"),
        pytest.param(("--kv-bits", "8", "--quantized-kv-start", "0"), 1, id="one-by-one"),
        pytest.param(("--kv-bits=8",), 1, id="in-one-word"),
    ],
)
async def test_of_mlx_lm_only_what_it_says_is_known(tmp_path: Path, flags: tuple[str, ...], slots: int) -> None:
    async with FakeServer(Reply(), dialect=MLX_LM, models=["owner/other", str(tmp_path)]) as fake:
        attached = server_of(fake, runtime="mlx_lm", model=str(tmp_path), kv_cache="q8_0", slots=4)
        launched = replace(attached, model="default_model", command=("mlx_lm.server", *flags))
        ours, theirs = await mlx_lm.facts(launched), await mlx_lm.facts(replace(attached, model="default_model"))

    assert (ours.kv_cache, ours.slots, ours.model_path, ours.model_id) == (None, slots, *[str(tmp_path)] * 2)
    assert ["works on 1 question(s) at once" in one for one in ours.unmet] == [True] * (slots == 1)
    assert (theirs.kv_cache, theirs.slots, theirs.model_path, theirs.unmet) == (None, None, str(tmp_path), ())
    assert ours.version == theirs.version == "mlx_lm 0.32.2, mlx 0.32.4"
    assert [body["max_tokens"] for body in fake.prompts] == [1, 1]


@pytest.mark.parametrize(
    ("models", "asked", "words"),
    [
        pytest.param(["owner/a"], "owner/a", "that it is owner/a rests on your word", id="nothing-proves-it"),
        pytest.param(["owner/a", "/m/b"], "owner/a", "was started with /m/b, and answers with that", id="another"),
        pytest.param(["owner/a", "/m/b"], "/m/b", None, id="started-with-it"),
        pytest.param(["owner/a", "/m/b"], "default_model", None, id="whatever-it-has"),
    ],
)
async def test_which_model_a_running_mlx_lm_has(models: list[str], asked: str, words: str | None) -> None:
    async with FakeServer(Reply(), dialect=MLX_LM, models=models) as fake:
        server = replace(server_of(fake, runtime="mlx_lm", model=asked), model="default_model")
        unmet = (await mlx_lm.facts(server)).unmet

    assert [words in sentence for sentence in unmet if words] == [True] * (words is not None)
    assert len(unmet) == (words is not None)


@pytest.mark.parametrize(
    ("fingerprint", "version"),
    [
        ("0.32.2-0.32.4-macOS-15.1-arm64-arm-64bit-applegpu_g16s", "mlx_lm 0.32.2, mlx 0.32.4"),
        ("0.33.0.dev20261101+abc-0.33.0-Linux-6-x86_64", "mlx_lm 0.33.0.dev20261101+abc, mlx 0.33.0"),
        ("fp_5a1e", None),
        ("", None),
    ],
)
async def test_the_fingerprint_of_a_reply_tells_the_versions(fingerprint: str, version: str | None) -> None:
    async with FakeServer(Reply(text="a", extra={"system_fingerprint": fingerprint})) as fake:
        assert (await mlx_lm.facts(server_of(fake, runtime="mlx_lm"))).version == version


async def test_a_model_of_the_hub_lies_in_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "models--owner--name"
    snapshot = kept / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").touch()
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    async with FakeServer(Reply()) as fake:
        found = {}
        for name in ("owner/name", "owner/none", "no name"):
            server = replace(server_of(fake, runtime="mlx_lm", model=name), command=("mlx_lm.server",))
            found[name] = (await mlx_lm.facts(server)).model_path

    assert found == {"owner/name": str(snapshot), "owner/none": None, "no name": None}

"""Where models come from: paths checked before anything starts, and the hub's files or one sentence why not."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx2
import pytest
from huggingface_hub import errors

from servers.errors import ModelError
from servers.spec import RuntimeName
from servers.weights.hub import _sentence
from servers.weights.source import HubModel, check, resolve
from tests.support.model_files import gguf_bytes, safetensors_bytes

GGUF, POINTER = gguf_bytes(), b"version https://git-lfs"
CONTENTS = {".safetensors": safetensors_bytes({"a.weight": ("F16", (2, 2))}), ".json": b"{}", ".gguf": GGUF}
COMMIT = "c0ffee" + "0" * 34
REPOS: dict[str, tuple[str, ...]] = {
    "lab/one": ("README.md", "one-Q4_0.gguf", "mmproj-one.gguf"),
    "lab/many": (
        "many-Q4_0.gguf",
        "many-Q8_0.gguf",
        "BF16/many-BF16-00001-of-00002.gguf",
        "BF16/many-BF16-00002-of-00002.gguf",
    ),
    "lab/split": ("split-00001-of-00002.gguf", "split-00002-of-00002.gguf"),
    "lab/mlx": ("config.json", "tokenizer.json", "model.safetensors", "chat_template.jinja", "original/weights.pth"),
    "lab/gated": ("gated.gguf",),
}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A study's folder with models of every kind."""
    (tmp_path / "gemma-Q4_0.gguf").write_bytes(GGUF)
    (tmp_path / "pointer.gguf").write_bytes(POINTER)
    (tmp_path / "split-00001-of-00002.gguf").write_bytes(GGUF)
    (tmp_path / "split-00002-of-00002.gguf").write_bytes(GGUF)
    (tmp_path / "half-00001-of-00002.gguf").write_bytes(GGUF)
    for folder, names in {
        "mlx": ("config.json", "model.safetensors"),
        "no-weights": ("config.json",),
        "one": ("a.gguf", "mmproj-a.gguf"),
        "two": ("a.gguf", "b.gguf"),
        "empty": (),
        "garbled": ("config.json", "model.safetensors"),
        "shards": ("config.json", "model-00001-of-00002.safetensors"),
    }.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_bytes(CONTENTS[Path(name).suffix])
    (tmp_path / "garbled" / "model.safetensors.index.json").write_bytes(b'{"weight_map": {"\xff": "x"}}')
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (tmp_path / "shards" / "model.safetensors.index.json").write_text(json.dumps(index))
    return tmp_path


@pytest.mark.parametrize(
    ("model", "runtime", "expected"),
    [
        pytest.param("gemma-Q4_0.gguf", "llama_server", "gemma-Q4_0.gguf", id="a GGUF beside the study file"),
        pytest.param("./mlx/../gemma-Q4_0.gguf", "llama_server", "gemma-Q4_0.gguf", id="a path with dots"),
        pytest.param("one", "llama_server", "one/a.gguf", id="a directory with one GGUF, the projector aside"),
        pytest.param("split-00001-of-00002.gguf", "llama_server", "split-00001-of-00002.gguf", id="a split GGUF"),
        pytest.param("split-00002-of-00002.gguf", "llama_server", "split-00001-of-00002.gguf", id="by its second part"),
        pytest.param("mlx", "mlx_lm", "mlx", id="a directory of MLX weights"),
        pytest.param("garbled", "mlx_lm", "garbled", id="an index that is no text, which MLX never reads"),
    ],
)
def test_local_models_are_found(here: Path, model: str, runtime: RuntimeName, expected: str) -> None:
    assert resolve(model, runtime=runtime, base=here).resolve() == (here / expected).resolve()


def test_tilde_is_the_home_directory(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    assert resolve("~/gemma-Q4_0.gguf", runtime="llama_server", base=Path("elsewhere")) == here / "gemma-Q4_0.gguf"


@pytest.mark.parametrize(
    ("model", "runtime", "said"),
    [
        pytest.param("gema-Q4_0.gguf", "llama_server", "did you mean gemma-Q4_0.gguf?", id="a near miss"),
        pytest.param("quite-other", "llama_server", "There is no model", id="no near miss"),
        pytest.param("gone/x.gguf", "llama_server", "gone does not exist; for a model of the Hugging", id="no folder"),
        pytest.param("./gone/x", "mlx_lm", "gone does not exist", id="a dotted path is never a repo"),
        pytest.param("mlx/typo", "mlx_lm", "There is no model", id="inside a folder that is there, no repo either"),
        pytest.param("empty", "llama_server", "has no *.gguf file", id="a directory without GGUF"),
        pytest.param("two", "llama_server", "has 2 GGUF models, name one:", id="a directory with two"),
        pytest.param("pointer.gguf", "llama_server", "is a Git LFS pointer", id="a Git LFS pointer"),
        pytest.param(
            "half-00001-of-00002.gguf", "llama_server", "half-00002-of-00002.gguf is missing", id="half a model"
        ),
        pytest.param("gemma-Q4_0.gguf", "mlx_lm", "directory with config.json and *.safetensors", id="a GGUF for MLX"),
        pytest.param("no-weights", "mlx_lm", "has no *.safetensors", id="no weights"),
        pytest.param("empty", "mlx_lm", "has no config.json and no *.safetensors", id="an empty directory for MLX"),
        pytest.param("shards", "mlx_lm", "model-00002-of-00002.safetensors is missing", id="a shard is missing"),
        pytest.param("hf:only-a-name", "llama_server", "names no model of the hub", id="hf: without organisation"),
        pytest.param("hf:a/b/c.safetensors", "llama_server", "is no GGUF file", id="hf: with another kind of file"),
        pytest.param("hf:a/b/c.gguf", "mlx_lm", "write hf:a/b.", id="hf: with a GGUF for MLX"),
        pytest.param("x", "openai", "loads no model", id="a runtime that is never launched"),
        pytest.param("~nosuchuser/x", "llama_server", "~nosuchuser/x: this machine has no user nosuchuser.", id="user"),
        pytest.param("~nosuchuser/x", "mlx_lm", "this machine has no user nosuchuser", id="an unknown user for MLX"),
        pytest.param("x" * 300, "llama_server", "cannot be read: File name too long.", id="a name that is too long"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_sentence(
    here: Path, model: str, runtime: RuntimeName, said: str
) -> None:
    with pytest.raises(ModelError) as caught:
        check(model, runtime=runtime, base=here)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "runtime", "expected"),
    [
        ("hf:org/repo", "llama_server", HubModel(repo="org/repo")),
        ("hf:org/repo@abc123", "mlx_lm", HubModel(repo="org/repo", revision="abc123")),
        ("hf:org/repo/sub/f.gguf", "llama_server", HubModel(repo="org/repo", file="sub/f.gguf")),
        ("hf:org/repo@v1/f.gguf", "llama_server", HubModel(repo="org/repo", revision="v1", file="f.gguf")),
        ("hf:org/repo@refs%2Fpr%2F1", "mlx_lm", HubModel(repo="org/repo", revision="refs/pr/1")),
        ("org/repo", "mlx_lm", HubModel(repo="org/repo")),
        ("org/repo@v1", "mlx_lm", HubModel(repo="org/repo", revision="v1")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hub_models_are_told_apart_without_network(
    model: str, runtime: RuntimeName, expected: HubModel, tmp_path: Path
) -> None:
    assert check(model, runtime=runtime, base=tmp_path) == expected


def test_every_error_of_the_hub_library_has_words_of_its_own() -> None:
    """A new class under the hub's HTTP and entry errors must not fall through to the words for a full disk."""
    families = (errors.HfHubHTTPError, errors.EntryNotFoundError, errors.OfflineModeIsEnabled, errors.HFValidationError)
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, families) and kind is not errors.EntryNotFoundError:
            error = kind.__new__(kind)
            if isinstance(error, errors.HfHubHTTPError):
                error.response = httpx2.Response(418)
            assert "could not be stored" not in _sentence(error, HubModel(repo="a/b")), kind


def content_of(name: str) -> bytes:
    return CONTENTS.get(Path(name).suffix, b"x")


class FakeHub(BaseHTTPRequestHandler):
    """The few routes of the hub that a download touches."""

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def answer(self, *, body: bool) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").removeprefix("api/models/").split("/")
        repo, rest = "/".join(parts[:2]), parts[2:]
        if repo == "lab/broken":
            self.reply(503, b"{}", body=body)
        elif repo == "lab/portal":
            self.reply(200, b"<html>please log in</html>", body=body)
        elif repo not in REPOS:
            self.reply(401, b"{}", body=body, headers={"X-Error-Code": "RepoNotFound"})
        elif rest[:1] == ["resolve"] and repo == "lab/gated":
            self.reply(403, b"{}", body=body, headers={"X-Error-Code": "GatedRepo"})
        elif rest[:1] == ["revision"] and rest[1] not in {"main", "v1", COMMIT}:
            self.reply(404, b"{}", body=body, headers={"X-Error-Code": "RevisionNotFound"})
        elif rest[:1] == ["tree"]:
            sizes = {name: len(content_of(name)) for name in REPOS[repo]}
            files = [{"type": "file", "oid": "1" * 40, "size": sizes[name], "path": name} for name in sizes]
            self.reply(200, json.dumps(files).encode(), body=body)
        elif rest[:1] == ["resolve"]:
            etag = hashlib.sha1("/".join(rest).encode()).hexdigest()
            self.reply(200, content_of(rest[-1]), body=body, headers={"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        else:
            info = {"id": repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in REPOS[repo]]}
            self.reply(200, json.dumps(info).encode(), body=body)

    def reply(self, status: int, data: bytes, *, body: bool, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)


CASES: dict[str, tuple[str, RuntimeName]] = {
    "only file": ("hf:lab/one", "llama_server"),
    "one of several": ("hf:lab/many/many-Q8_0.gguf", "llama_server"),
    "split in a folder": ("hf:lab/many/BF16/many-BF16-00001-of-00002.gguf", "llama_server"),
    "split, not named": ("hf:lab/split@v1", "llama_server"),
    "mlx": ("lab/mlx", "mlx_lm"),
    "several": ("hf:lab/many", "llama_server"),
    "no such file": ("hf:lab/many/many-Q5_0.gguf", "llama_server"),
    "no gguf": ("hf:lab/mlx", "llama_server"),
    "no safetensors": ("hf:lab/one", "mlx_lm"),
    "no repo": ("hf:lab/gone", "llama_server"),
    "gated": ("hf:lab/gated", "llama_server"),
    "no revision": ("hf:lab/one@v9", "llama_server"),
    "broken": ("hf:lab/broken", "llama_server"),
    "portal": ("hf:lab/portal", "llama_server"),
}
SCRIPT = """
import json, sys
from pathlib import Path
from servers.weights.source import resolve
from servers.errors import ModelError
said = {}
for name, (model, runtime) in json.loads(sys.argv[1]).items():
    try:
        said[name] = str(resolve(model, runtime=runtime, base=Path("nowhere")))
    except ModelError as error:
        said[name] = f"error: {error}"
print(json.dumps(said))
"""


def resolve_apart(cases: dict[str, tuple[str, RuntimeName]], cache: Path, **environment: str) -> dict[str, str]:
    """Resolve in a process of its own: huggingface_hub reads where the hub is when it is imported."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    clean |= {"HF_HOME": str(cache), "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(cases)],
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, str] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hub-cache")


@pytest.fixture(scope="module")
def online(cache: Path) -> Iterator[dict[str, str]]:
    """What all cases come to while the hub answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), FakeHub) as hub:
        thread = threading.Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        yield resolve_apart(CASES, cache, HF_ENDPOINT=f"http://127.0.0.1:{hub.server_port}")
        hub.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("only file", "one-Q4_0.gguf"),
        ("one of several", "many-Q8_0.gguf"),
        ("split in a folder", "BF16/many-BF16-00001-of-00002.gguf"),
        ("split, not named", "split-00001-of-00002.gguf"),
    ],
    ids=lambda value: value,
)
def test_a_gguf_is_fetched_and_nothing_beside_it(online: dict[str, str], case: str, expected: str) -> None:
    assert online[case].endswith(f"/snapshots/{COMMIT}/{expected}")
    assert Path(online[case]).read_bytes() == GGUF
    assert not list(Path(online[case]).parent.glob("mmproj*"))


def test_all_parts_of_a_split_gguf_are_fetched(online: dict[str, str]) -> None:
    first = Path(online["split in a folder"])
    assert sorted(path.name for path in first.parent.iterdir()) == [
        "many-BF16-00001-of-00002.gguf",
        "many-BF16-00002-of-00002.gguf",
    ]


def test_an_mlx_repo_is_fetched_without_other_formats(online: dict[str, str]) -> None:
    names = sorted(path.name for path in Path(online["mlx"]).iterdir())
    assert names == ["chat_template.jinja", "config.json", "model.safetensors", "tokenizer.json"]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            "several",
            "has 3 GGUF models, name one: hf:lab/many/BF16/many-BF16-00001-of-00002.gguf, hf:lab/many/many-Q4_0.gguf",
        ),
        ("no such file", "many-Q5_0.gguf is not in lab/many, which has many-Q"),
        ("no gguf", "hf:lab/mlx has no *.gguf file"),
        ("no safetensors", "hf:lab/one has no *.safetensors file"),
        ("no repo", "lab/gone is not on the Hugging Face hub, or is private"),
        ("gated", "lab/gated is gated: accept its terms on its page of the Hugging Face hub, and set HF_TOKEN"),
        ("no revision", "lab/one has no revision v9."),
        ("broken", "The Hugging Face hub answered HTTP 503 for hf:lab/broken: try again later."),
        ("portal", "answered for hf:lab/portal with no JSON"),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_what_the_hub_refuses_is_one_sentence(online: dict[str, str], case: str, said: str) -> None:
    assert online[case].startswith("error: ")
    assert said in online[case]
    assert "\n" not in online[case]


AWAY: dict[str, dict[str, str]] = {
    "offline by wish": {"HF_HUB_OFFLINE": "1"},
    "no hub": {"HF_ENDPOINT": "http://127.0.0.1:9"},
}


@pytest.mark.parametrize("away", AWAY.values(), ids=AWAY)
def test_what_was_fetched_serves_while_the_hub_is_away(
    online: dict[str, str], cache: Path, away: dict[str, str]
) -> None:
    kept = {name: CASES[name] for name in ("only file", "one of several", "split, not named", "mlx")}
    assert resolve_apart(kept, cache, **away) == {name: online[name] for name in kept}


@pytest.mark.parametrize(
    ("away", "said"),
    [
        pytest.param("offline by wish", "HF_HUB_OFFLINE is set", id="offline by wish"),
        pytest.param("no hub", "the Hugging Face hub cannot be reached ([Errno", id="no hub"),
    ],
)
def test_an_unreachable_hub_is_said_at_once(tmp_path: Path, away: str, said: str) -> None:
    started = time.monotonic()
    missing = resolve_apart({"gguf": CASES["only file"], "mlx": CASES["mlx"]}, tmp_path, **AWAY[away])
    assert time.monotonic() - started < 10
    assert all(said in words and words.startswith("error: ") for words in missing.values())

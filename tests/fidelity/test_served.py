"""Builds behind servers that run already, beside builds from files: `whichquant fidelity` of a study."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from evaluator.cli import main
from evaluator.fidelity import kept, subjects
from evaluator.fidelity.file import read_fidelity
from evaluator.fidelity.measure import PerToken
from evaluator.fidelity.nouns import Fidelity
from evaluator.fidelity.subjects import Subject
from evaluator.fidelity.summary import Measured, summarize
from evaluator.fidelity.vocabulary import texts_of
from servers.fake import FakeServer, Reply
from servers.fake.dialects import LLAMA_SERVER
from servers.weights import source
from tests.support import scripted_logits
from tests.support.probabilities import Lie, WordModel, llama_server

LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
MODEL = WordModel(words=tuple(f" w{i}" for i in range(50)))


class Study:
    """A reference from a file, a build from a file, and builds behind servers."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.variants = [f"{{name: {name}, model: {name}.gguf, runtime: llama_server}}" for name in ("f16", "q4")]
        for name, content in {"f16": "0 0 50", "q4": "2 0.3 50"}.items():
            (folder / f"{name}.gguf").write_text(content)
        (folder / "text.txt").write_text("The quick brown fox jumps over the lazy dog. " * 20)

    def serve(self, name: str, lie: Lie = "") -> None:
        """Add a variant that runs already: a server that makes the text's tokens of its bytes, as the reference."""
        raw = (self.folder / "text.txt").read_bytes()
        own = {"POST /tokenize": lambda _state, _call: {"tokens": [byte % 50 for byte in raw]}}
        pages = {**LLAMA_SERVER.pages, **llama_server(MODEL, lie), **(own if lie != "other tokens" else {})}
        fake = self.stack.enter_context(FakeServer(Reply(), dialect=replace(LLAMA_SERVER, pages=pages)))
        self.variants.append(f'{{name: {name}, base_url: "{fake.base_url}"}}')

    def fidelity(self, reference: str = "f16") -> tuple[Result, Fidelity]:
        path = self.folder / "study.yaml"
        lines = "".join(f"  - {variant}\n" for variant in self.variants)
        path.write_text(
            f"study: s\nbaseline: f16\nvariants:\n{lines}benchmarks:\n"
            f"  fidelity: {{reference: {reference}, text: text.txt, tokens: 800, context: 40}}\n"
        )
        result = CliRunner().invoke(main, ["fidelity", str(path), "--runs", str(self.folder / "runs")])
        found = read_fidelity(self.folder / "runs" / "s")
        assert found is not None, result.output
        return result, found


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    def command(subject: Subject, threads: int | None) -> list[str]:
        return [sys.executable, str(scripted_logits.__file__), str(subject.path)]

    monkeypatch.setattr(subjects, "command", command)
    monkeypatch.setattr(source, "gguf_file", lambda path: path)
    with ExitStack() as stack:
        yield Study(tmp_path, stack)


@pytest.mark.parametrize("small_disk", [False, True], ids=["all-is-kept", "the-likeliest-are-kept"])
def test_what_a_server_keeps_to_itself_is_bounded(
    study: Study, monkeypatch: pytest.MonkeyPatch, small_disk: bool
) -> None:
    monkeypatch.setattr(kept, "fits", lambda _size, _folder: not small_disk)
    study.serve("attached")

    result, found = study.fidelity()

    assert result.exit_code == 0, result.output
    by_name = {build.build: build for build in found.builds}
    attached = by_name["attached"]
    assert [build.build for build in found.builds] == ["q4", "attached"]
    assert by_name["q4"].method == ("top_k" if small_disk else "exact")
    assert (attached.method, attached.reference, attached.verdict) == ("bound", "f16", "worse")
    assert attached.covered == pytest.approx(1, abs=0.2)
    assert attached.scored == found.text.scored
    assert found.pairs == ()
    assert "one request a token): the 100 likeliest tokens at 380 of 380 places" in found.notes[-1]
    assert "% of the mass" in found.notes[-1]


def test_one_that_is_refused_is_said_and_leaves_the_others(study: Study) -> None:
    study.serve("silent", "none")
    study.serve("other", "other lists")

    result, found = study.fidelity()

    assert result.exit_code == 0, result.output
    assert [build.build for build in found.builds] == ["q4"]
    silent, other = found.notes[-2:]
    assert silent.startswith("silent was not measured: ")
    assert "returns no log-probabilities" in silent
    assert "returns wrong log-probabilities" in other


def test_servers_alone_have_a_reference_beside_the_variants(study: Study) -> None:
    study.variants = []
    study.serve("f16")

    _, found = study.fidelity("f16.gguf")

    assert [(build.build, build.method) for build in found.builds] == [("f16", "bound")]


@pytest.mark.parametrize(
    ("kld", "verdict"),
    [pytest.param(0.0, "cannot tell", id="a-bound-near-0-proves-nothing"), pytest.param(0.5, "worse", id="far")],
)
def test_a_bound_never_shows_that_builds_are_equal(kld: float, verdict: str) -> None:
    nll = np.full((1, 200), 2.0)
    some = nll.copy()
    some[0, 3] = np.nan
    tokens = PerToken(nll, some, np.full((1, 200), kld), np.ones((1, 200), dtype=np.bool_))
    exact = PerToken(nll, nll, np.zeros((1, 200)), np.ones((1, 200), dtype=np.bool_))

    builds, pairs = summarize(
        [
            Measured(build="served", reference="f16", tokens=tokens, method="bound", covered=0.9),
            Measured(build="other", reference="f16", tokens=tokens, method="bound", covered=0.9),
            Measured(build="same", reference="f16", tokens=exact),
        ],
        margin=0.01,
    )

    assert (builds[0].verdict, builds[0].perplexity, builds[0].median_kld) == (verdict, None, None)
    assert builds[2].verdict == "equivalent"
    assert pairs == ()


def test_perplexity_is_given_where_all_is_known() -> None:
    nll = np.full((1, 50), 2.0)
    tokens = PerToken(nll, nll + 0.5, np.full((1, 50), 0.1), np.ones((1, 50), dtype=np.bool_))

    (build,), _ = summarize([Measured(build="b", reference="r", tokens=tokens, method="bound")], margin=0.01)

    assert build.perplexity is not None
    assert build.perplexity_ratio is not None
    values = [build.perplexity.value, build.perplexity_ratio.value]
    assert values == pytest.approx([np.exp(2.5), np.exp(0.5)])


def test_the_texts_of_a_vocabulary() -> None:
    texts = texts_of(LAB)

    assert len(texts) == 4096
    assert {" the", "\n", " add"} <= set(texts)
    assert "<0x0A>" not in texts
    assert texts_of(LAB.parent) == ()

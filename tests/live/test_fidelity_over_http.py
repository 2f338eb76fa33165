"""Fidelity of a real llama-server over HTTP, beside the exact value of the same tokens."""

from pathlib import Path

import numpy as np
import pytest

from evaluator.demo.builds import builds
from evaluator.fidelity.over_http import lists_of_reference, measure_over_http
from evaluator.fidelity.rows import module, open_rows
from evaluator.fidelity.ways import OneByOne
from evaluator.fidelity.windows import cut
from servers.http import fetch, root
from servers.launch import launch
from servers.spec import ServerSpec

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
LAB = Path(__file__).parents[2] / "evaluator" / "demo" / "lab-full-f16.gguf"
TEXT = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")[:1500]


async def test_the_bound_is_never_above_the_divergence_of_what_the_server_itself_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds(LAB, ["Q4_0"], tmp_path)
    spec = ServerSpec(runtime="llama_server", model=str(tmp_path / "lab-full-Q4_0.gguf"), context=512, args=("-t", "1"))
    async with launch(spec, log=tmp_path / "log") as server:
        body = {"content": TEXT, "add_special": True}
        ids = (await fetch(f"{root(server.base_url)}/tokenize", post=body)).get("tokens")
        windows = cut(ids, 64, 128, ids[0])
        with open_rows(module("logits_llama", LAB, "--threads", "1"), windows, LAB) as rows:
            reference = [row.copy() for piece in rows.pieces for row in piece]
        found = await measure_over_http(server, windows, reference, vocabulary=rows.head.vocabulary, text=TEXT)
        monkeypatch.setattr(OneByOne, "likeliest", rows.head.vocabulary)
        lists = await lists_of_reference(server, windows, text=TEXT)

    exact, tops = [], []
    for logits, build in zip(reference, lists, strict=True):
        assert build is not None
        assert len(build.ids) == rows.head.vocabulary
        p, q = logits[build.ids].astype(np.float64), build.logprobs
        p, q = p - np.logaddexp.reduce(p), q - np.logaddexp.reduce(q)
        exact.append(float((np.exp(p) * (p - q)).sum()))
        tops.append(int(logits.argmax()) == build.top)
    divergence = np.reshape(exact, found.kld.shape)
    assert (found.kld <= divergence).all()
    assert found.kld.mean() > 0.8 * divergence.mean()
    assert 0.8 < found.covered.mean() < 1
    assert (found.same_top == np.reshape(tops, found.kld.shape)).all()

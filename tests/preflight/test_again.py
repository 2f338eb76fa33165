"""What was proved is not proved again: only who is asked is tried, and with more context only what depends on it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from evaluator.preflight import preflight
from evaluator.preflight.preflight import Preflight, check_lacking
from evaluator.preflight.probes import prove
from evaluator.preflight.settings import settings_of
from evaluator.store.facts import keep_facts
from evaluator.store.proofs import Proofs, Repeated, keep_proofs
from evaluator.study.file import parse
from evaluator.study.requests import plan, with_limit
from servers.fake import FakeModel, FakeServer
from servers.launch import launch
from servers.spec import ServerFacts, ServerSpec
from tests.preflight.test_probes import STUDY
from tests.support.probe_scripts import honest

TWO = """
study: s
baseline: a
variants:
  - {name: a, runtime: llama_server, model: a.gguf}
  - {name: b, runtime: llama_server, model: b.gguf}
benchmarks: {mmlu_pro: {questions: 5, shots: 0}}
sampling: {max_tokens: 500}
"""
ATTACHED = TWO.replace("runtime: llama_server, model: b.gguf", 'model: b, base_url: "http://h/v1"')
EVERYBODY = frozenset("ab")


@pytest.mark.parametrize(
    ("text", "known", "wanted", "needed", "whole", "longer"),
    [
        pytest.param(TWO, {}, EVERYBODY, 1024, "ab", "", id="nothing-known"),
        pytest.param(TWO, {"a": 1024, "b": 1024}, EVERYBODY, 1024, "", "", id="all-known"),
        pytest.param(TWO, {"a": 4096, "b": 1024}, EVERYBODY, 1024, "", "", id="less-is-needed"),
        pytest.param(TWO, {"a": 1024}, EVERYBODY, 1024, "b", "", id="one-is-new"),
        pytest.param(TWO, {"a": 1024, "b": 1024}, EVERYBODY, 2048, "", "ab", id="more-is-needed"),
        pytest.param(TWO, {"a": 1024, "b": 1024}, {"b"}, 2048, "", "b", id="more-of-one-that-is-asked"),
        pytest.param(TWO, {"a": 1024}, {"a"}, 1024, "", "", id="nobody-asks-the-other"),
        pytest.param(TWO, {"a": -1, "b": 1024}, EVERYBODY, 1024, "a", "", id="other-settings"),
        pytest.param(ATTACHED, {"a": 1024, "b": 1024}, EVERYBODY, 1024, "b", "", id="runs-already"),
        pytest.param(ATTACHED, {"a": 1024, "b": 1024}, {"a"}, 1024, "", "", id="runs-already-and-is-not-asked"),
    ],
)
def test_who_is_tried_and_how(
    text: str,
    known: Mapping[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    wanted: frozenset[str],
    needed: int,
    whole: str,
    longer: str,
) -> None:
    study = parse(text, "s")
    for variant in study.variants:
        if (context := known.get(variant.name)) is not None:
            settings = settings_of(study, variant) if context > 0 else "other"
            keep_facts(tmp_path, variant.name, ServerFacts(runtime="llama_server", engine="x"), known=False)
            keep_proofs(tmp_path, variant.name, Proofs(settings=settings, seconds=1, context=context))
    tried: dict[str, Any] = {}

    def trying(study: Any, specs: Any, *_: Any, earlier: Any, **_more: Any) -> Preflight:
        tried.update(specs=specs, earlier=earlier)
        return Preflight(study=study, facts={}, proofs={}, problems={}, checks=())

    monkeypatch.setattr(preflight, "try_servers", trying)
    specs = {name: ServerSpec(runtime="openai", model=name) for name in "ab"}
    found, _ = check_lacking(
        study,
        specs,
        plan(study),
        tmp_path,
        wanted=dict.fromkeys(wanted, plan(study)),
        needed=needed,
        force=False,
        on_step=lambda _: None,
    )

    assert set(tried["specs"]) == {*whole, *longer}
    assert set(tried["earlier"]) == set(longer)
    assert set(found.proofs) == known.keys() - {*whole, *longer}


async def test_with_more_context_long_prompts_are_tried_again_and_the_rest_stays() -> None:
    study = parse(STUDY, "s")
    asks = plan(study)
    more = tuple(with_limit(ask, 3000) for ask in asks)
    async with FakeServer(honest, models=[FakeModel(id="fake", served_context=8192)]) as fake:
        spec = ServerSpec(runtime="openai", model="fake", base_url=fake.base_url, slots=4)
        async with launch(spec, log=Path()) as server:
            first = await prove(server, study, asks=asks, settings="x", context=1024)
            before = len(fake.requests)
            first = replace(
                first,
                hot=Repeated(temperature=1.0, times=4, different=3),
                failures=("Something failed", "A long prompt could not be done: HTTP 500"),
            )
            again = await prove(server, study, asks=more, settings="x", context=4096, earlier=first)

    assert again == replace(
        first,
        context=4096,
        seconds=again.seconds,
        needed=again.needed,
        lengths=again.lengths,
        needle=again.needle,
        failures=("Something failed",),
    )
    assert again.needed > first.needed + 2000
    assert (again.lengths[-1].prompt_tokens or 0) > (first.lengths[-1].prompt_tokens or 0) + 2000
    assert len(fake.requests) - before <= 7

"""Servers of a run are asked where answers that flip part."""

from collections.abc import Mapping
from math import log
from typing import Any

import pytest
from msgspec.structs import replace

from evaluator.commands.partings import ask_partings
from evaluator.fidelity.file import read_partings
from evaluator.fidelity.parting import Partings
from evaluator.study.file import load_study
from servers.fake import FakeServer, Reply
from servers.fake.dialects import LLAMA_SERVER
from servers.fake.spec import Page
from tests.support.scripted import STUDY, Bench, prompt_of, right, without_noise_floor, wrong

START = "The answer is ("


def letters(likely: Mapping[str, float]) -> dict[str, Page]:
    """Let a server take every character for a token, and hold these for the likeliest wherever it is."""
    entries = [{"id": ord(letter), "token": letter, "logprob": log(p)} for letter, p in likely.items()]
    return {
        "POST /tokenize": lambda _state, call: {"tokens": [1, *map(ord, call.body["content"])]},
        "POST /detokenize": lambda _state, call: {"content": "".join(map(chr, call.body["tokens"]))},
        "POST /apply-template": lambda _state, call: {"prompt": prompt_of(call.body)},
        "POST /completion": lambda _state, _call: {"completion_probabilities": [{"top_logprobs": entries}]},
    }


def counted(reply: Reply, body: Any) -> Reply:
    return replace(reply, prompt_tokens=1 + len(prompt_of(body)))


def answered_rightly(body: Any, _number: int) -> Reply:
    letter = (right(body).text or "").rpartition("(")[2][:1]
    return counted(Reply(text=f"{START}{letter})."), body)


def answered_wrongly(body: Any, _number: int) -> Reply:
    return counted(wrong(body), body)


def asked(bench: Bench, likely: Mapping[str, float], *, plain: bool = False) -> tuple[Partings, ...]:
    lines = []
    for name, script in {"good": answered_rightly, "bad": answered_wrongly}.items():
        dialect = replace(LLAMA_SERVER, pages={**LLAMA_SERVER.pages, **letters(likely)})
        fake = bench.stack.enter_context(
            FakeServer(script) if plain else FakeServer(script, dialect=dialect, models=("fake",))
        )
        lines.append(f'  - {{name: {name}, model: fake, base_url: "{fake.base_url}"}}')
    study = bench.folder / "study.yaml"
    study.write_text(without_noise_floor(STUDY.format(variants="\n".join(lines), n=6)))
    assert bench.run(study, "--force").exit_code in (0, 1)
    return ask_partings(load_study(study), bench.folder / "runs" / "s", lambda _sentence: None)


@pytest.mark.parametrize(
    ("likely", "near_ties", "changes"),
    [
        pytest.param(dict.fromkeys("ABCDEFGHIJ", 0.1), 6, 0, id="all-as-likely"),
        pytest.param({letter: 0.9 / 4**i for i, letter in enumerate("JIHGFEDCBA")}, None, None, id="some-clear"),
    ],
)
def test_near_ties_are_counted(
    bench: Bench, likely: Mapping[str, float], near_ties: int | None, changes: int | None
) -> None:
    (found,) = asked(bench, likely)
    kept = read_partings(bench.folder / "runs" / "s")

    assert (found.build, found.reference, found.flips) == ("bad", "good", 6)
    assert len(kept) == 6
    assert {each.token for each in kept} == {len(START)}
    assert all(each.by_build == each.by_reference for each in kept)
    if near_ties is None:
        assert found.changes_of_mind == sum(each.theirs > each.ours for each in kept) > 0
    else:
        assert (found.near_ties, found.changes_of_mind) == (near_ties, changes)


def test_of_other_servers_nothing_is_said(bench: Bench) -> None:
    assert asked(bench, {}, plain=True) == ()
    assert read_partings(bench.folder / "runs" / "s") == ()

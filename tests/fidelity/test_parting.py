"""Where answers part: the place in the texts, the token that servers name, and whether it was a near tie."""

from math import exp
from pathlib import Path

import pytest
from msgspec.structs import replace

from evaluator.fidelity.file import keep_partings, read_partings
from evaluator.fidelity.parting import Flip, Kind, Likely, Parting, place, said_of, said_of_place, sum_up
from evaluator.fidelity.parting_http import Asked, ask_build, ask_reference
from evaluator.records import Key
from tests.support.probabilities import WORDS, WordModel, attached, llama_server, serving

REFERENCE, BUILD = WordModel(), WordModel(noise=0.3)
PROMPT, COMMON = " w1 w2", " w3 w4"


@pytest.mark.parametrize(
    ("theirs", "ours", "characters", "shown"),
    [
        pytest.param("It is (A).", "It is (B).", 7, ("A).", "B)."), id="a-letter"),
        pytest.param("", "B", 0, ("", "B"), id="nothing-there"),
        pytest.param("A", "A, or B", 1, ("", ", or B"), id="one-ends"),
        pytest.param("a\nb", "a\n" + "c" * 99, 2, ("b", "c" * 24 + " …"), id="cut-short"),
    ],
)
def test_the_place_in_the_texts(theirs: str, ours: str, characters: int, shown: tuple[str, str]) -> None:
    found = place(theirs, ours)

    assert found is not None
    assert (found.characters, (found.theirs, found.ours)) == (characters, shown)
    assert place(theirs, theirs) is None


def test_a_place_is_said() -> None:
    found = place("yes", "yes, no")

    assert found is not None
    assert said_of_place(found, "q4", "f16") == "q4 leaves f16 after 3 equal characters: the end there, “, no” here."


def parting(theirs: float | None, ours: float | None, *, build: str = "q4", least: float = 0.001) -> Parting:
    return Parting(
        benchmark="gsm8k",
        question="7",
        repeat=0,
        build=build,
        reference="f16",
        token=12,
        theirs=" yes",
        ours=" no",
        by_reference=Likely(theirs, ours, least),
        by_build=Likely(ours, theirs, least),
    )


@pytest.mark.parametrize(
    ("theirs", "ours", "kind"),
    [
        pytest.param(0.4, 0.35, "near tie", id="close"),
        pytest.param(0.35, 0.4, "near tie", id="close-the-other-way"),
        pytest.param(0.4, 0.2, "change of mind", id="twice-as-likely"),
        pytest.param(0.9, 0.01, "change of mind", id="clear"),
        pytest.param(0.9, None, "change of mind", id="less-than-all-that-is-listed"),
        pytest.param(0.0015, None, "unknown", id="both-at-the-end-of-the-list"),
        pytest.param(None, 0.5, "unknown", id="its-own-not-listed"),
        pytest.param(0.1, 0.8, "unknown", id="prefers-the-other-now"),
    ],
)
def test_near_ties_and_changes_of_mind(theirs: float | None, ours: float | None, kind: Kind) -> None:
    assert parting(theirs, ours).kind == kind


def test_they_are_counted_and_said() -> None:
    seen = [parting(0.4, 0.35), parting(0.9, 0.01), parting(0.9, 0.02), parting(0.4, 0.35, build="q2")]

    found = sum_up("q4", "f16", 5, seen)

    assert (found.near_ties, found.changes_of_mind) == (1, 2)
    assert found.sentence.startswith(
        "Of the 5 answers that flip between f16 and q4, 1 at a near tie, 2 with a real change of mind;"
        " of 2 that could not be found out."
    )


def test_one_is_said_with_both_views() -> None:
    assert said_of(parting(0.4, None)) == (
        "q4 leaves f16 at token 13 of its answer, a change of mind: f16 was clear."
        " f16 holds “ yes” 40.0 % likely, “ no” under 0.1 %; q4 holds “ yes” under 0.1 % likely, “ no” 40.0 %."
    )


def flip(theirs: str | None, ours: str | None, *, prompt_tokens: int | None = 3) -> Flip:
    return Flip(
        key=Key("gsm8k", "7"),
        build="q4",
        reference="f16",
        request={"messages": [{"role": "user", "content": PROMPT}], "temperature": 0},
        prompt_tokens=prompt_tokens,
        theirs=theirs,
        ours=ours,
    )


async def asked(*flips: Flip) -> list[Asked]:
    async with serving(llama_server(REFERENCE)) as fake:
        return await ask_reference(attached(fake, "llama_server"), flips)


async def test_servers_are_asked_what_they_thought_of_both_tokens() -> None:
    (found,) = await asked(flip(COMMON + " w7 w8", COMMON + " w9"))
    async with serving(llama_server(BUILD)) as fake:
        (parted,) = await ask_build(attached(fake, "llama_server"), [found])

    beginning = [0, 1, 2, 3, 4]
    assert (parted.token, parted.theirs, parted.ours) == (2, "w7", "w9")
    for model, seen in ((REFERENCE, parted.by_reference), (BUILD, parted.by_build)):
        likely = model.logprobs(beginning)
        assert seen is not None
        assert [seen.theirs, seen.ours] == pytest.approx([exp(likely[7]), exp(likely[9])])


async def test_what_ends_an_answer_is_a_token_without_text() -> None:
    ending = WordModel(words=("", *WORDS[1:]))
    async with serving(llama_server(ending)) as fake:
        (found,) = await ask_reference(attached(fake, "llama_server"), [flip(COMMON, COMMON + " w9")])

    likely = ending.logprobs([0, 1, 2, 3, 4])
    assert (found.parting.theirs, found.parting.ours) == ("", "w9")
    assert found.parting.by_reference.theirs == pytest.approx(exp(likely[0]))


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(flip(" w7", " w9", prompt_tokens=4), id="another-prompt"),
        pytest.param(flip(None, " w9"), id="thinking-apart"),
        pytest.param(flip(" w7", " w7"), id="the-same"),
    ],
)
async def test_what_cannot_be_put_again_as_it_was_is_left_out(one: Flip) -> None:
    assert await asked(one) == []


async def test_a_build_that_reads_another_prompt_has_no_view() -> None:
    found = await asked(flip(" w7", " w9"))
    async with serving(llama_server(BUILD, "other tokens")) as fake:
        (parted,) = await ask_build(attached(fake, "llama_server"), [replace(found[0], prompt=(0, 1))])

    assert parted.by_build is None


async def test_a_server_that_lists_nothing_leaves_it_out() -> None:
    async with serving(llama_server(REFERENCE, "none")) as fake:
        assert await ask_reference(attached(fake, "llama_server"), [flip(" w7", " w9")]) == []


def test_they_are_kept(tmp_path: Path) -> None:
    assert read_partings(tmp_path) == ()

    keep_partings(tmp_path, [parting(0.4, 0.35), parting(None, 0.2)])

    assert read_partings(tmp_path) == (parting(0.4, 0.35), parting(None, 0.2))

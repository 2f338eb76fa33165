"""Fidelity over HTTP: what scripted servers list, compared with a reference; and why others are refused."""

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluator.fidelity.over_http import OverHttp, lists_of_reference, measure_over_http, places_of
from evaluator.fidelity.windows import Windows
from servers.errors import ServerError
from servers.fake import FakeServer
from servers.spec import RuntimeName
from tests.support.probabilities import (
    WORDS,
    Lie,
    Pages,
    WordModel,
    attached,
    broken,
    echoing,
    llama_server,
    post_sampling,
    serving,
    vllm,
)

REFERENCE, BUILD = WordModel(), WordModel(noise=0.3)
_IDS = np.random.default_rng(5).integers(1, len(WORDS), (3, 16)).astype(np.int32)


TEXT = "".join(WORDS[i] for i in _IDS.ravel()[1:])
WINDOWS = Windows(np.where(np.arange(16) == 0, np.int32(0), _IDS), 8)
WAYS = [
    pytest.param("llama_server", llama_server, id="one-by-one"),
    pytest.param("vllm", vllm, id="prompt-logprobs"),
    pytest.param("openai", echoing, id="echo"),
]


async def measured(fake: FakeServer, runtime: RuntimeName, *, most: int = 2000, text: str | None = TEXT) -> OverHttp:
    return await measure_over_http(
        attached(fake, runtime),
        WINDOWS,
        REFERENCE.rows(WINDOWS.ids, WINDOWS.first),
        vocabulary=len(WORDS),
        text=text,
        texts=WORDS,
        most=most,
    )


def exact(build: WordModel = BUILD) -> NDArray[np.float64]:
    def kld(ids: NDArray[np.int32]) -> float:
        p, q = REFERENCE.logprobs(list(ids)), build.logprobs(list(ids))
        return float((np.exp(p) * (p - q)).sum())

    return np.array([[kld(window[: p + 1]) for p in range(8, 15)] for window in WINDOWS.ids])


@pytest.mark.parametrize(("runtime", "pages"), WAYS)
async def test_every_token_is_bounded_and_its_likeliest_compared(runtime: RuntimeName, pages: Pages) -> None:
    async with serving(pages(BUILD, "")) as fake:
        found = await measured(fake, runtime)

    tops = [
        [REFERENCE.logits(w[: p + 1]).argmax() == BUILD.logits(w[: p + 1]).argmax() for p in range(8, 15)]
        for w in WINDOWS.ids
    ]
    assert found.kld.shape == (3, 7)
    assert (found.kld <= exact()).all()
    assert found.kld.mean() > 0.4 * exact().mean()
    assert (found.same_top == tops).all()
    assert ((found.covered > 0.3) & (found.covered <= 1)).all()
    assert found.nll == pytest.approx(-likelihoods(BUILD), abs=1e-6)
    assert found.nll_reference == pytest.approx(-likelihoods(REFERENCE), abs=1e-6)


def likelihoods(model: WordModel) -> NDArray[np.float64]:
    return np.array([[model.logprobs(w[: p + 1])[w[p + 1]] for p in range(8, 15)] for w in WINDOWS.ids])


@pytest.mark.parametrize(("runtime", "pages"), WAYS)
async def test_the_reference_itself_is_at_no_distance(runtime: RuntimeName, pages: Pages) -> None:
    async with serving(pages(REFERENCE, "")) as fake:
        found = await measured(fake, runtime)

    assert found.kld.max() == 0
    assert found.same_top.min() == 1


@pytest.mark.parametrize(("runtime", "pages"), WAYS)
async def test_a_reference_may_be_a_server_too(runtime: RuntimeName, pages: Pages) -> None:
    async with serving(pages(REFERENCE, "")) as fake:
        lists = await lists_of_reference(attached(fake, runtime), WINDOWS, text=TEXT, texts=WORDS)
    async with serving(pages(BUILD, "")) as fake:
        found = await measure_over_http(
            attached(fake, runtime), WINDOWS, lists, vocabulary=len(WORDS), text=TEXT, texts=WORDS
        )

    assert (found.kld <= exact()).all()
    assert found.kld.mean() > 0.2 * exact().mean()


async def test_a_token_that_is_part_of_a_character_hides_no_list() -> None:
    async with serving(llama_server(BUILD, "no parts")) as fake:
        found = await measured(fake, "llama_server")
        forced = [call.body["logit_bias"] for call in fake.calls if "logit_bias" in call.body]
    async with serving(llama_server(BUILD, "")) as fake:
        whole = await measured(fake, "llama_server")

    assert (found.kld == whole.kld).all()
    assert forced
    assert all(bias == [[1, 1000]] for bias in forced)


async def test_requests_are_bounded_and_tokens_left_out_evenly() -> None:
    async with serving(llama_server(BUILD, "")) as fake:
        found = await measured(fake, "llama_server", most=7)
        asked = [call.body["prompt"] for call in fake.calls if call.path == "/completion"]

    assert found.every == 4
    assert found.kld.shape == (3, 2)
    assert [len(prompt) for prompt in asked[-6:]] == [9, 13] * 3


@pytest.mark.parametrize(
    ("most", "whole", "places", "every"),
    [
        pytest.param(2000, False, list(range(8, 15)), 1, id="all"),
        pytest.param(12, False, [8, 10, 12, 14], 2, id="every-second"),
        pytest.param(1, False, [8], 7, id="one-in-each-window-at-least"),
        pytest.param(1, True, list(range(8, 15)), 1, id="a-window-in-one-request"),
    ],
)
def test_places(most: int, whole: bool, places: list[int], every: int) -> None:
    assert places_of(WINDOWS, most, whole_windows=whole) == (places, every)


NONE, SAMPLED = "returns no log-probabilities", "after sampling"
OTHER = "makes other tokens of the text"


@pytest.mark.parametrize(
    ("runtime", "pages", "lie", "why"),
    [
        pytest.param("llama_server", llama_server, "none", NONE, id="none"),
        pytest.param("vllm", vllm, "none", NONE, id="none-of-the-prompt"),
        pytest.param("openai", echoing, "none", NONE, id="echo-that-is-ignored"),
        pytest.param("openai", broken, "", "prompt must be a text", id="no-tokens-as-a-prompt"),
        *(
            pytest.param(*way.values, lie, why, id=f"{lie}-{way.id}".replace(" ", "-"))
            for way in WAYS
            for lie, why in (
                ("other lists", "returns wrong log-probabilities"),
                ("after sampling", SAMPLED),
                ("logits", "no log-probabilities: they sum to more than 1"),
                ("other tokens", OTHER),
                ("fewer tokens", OTHER),
            )
        ),
    ],
)
async def test_what_cannot_be_trusted_is_refused(runtime: RuntimeName, pages: Pages, lie: Lie, why: str) -> None:
    async with serving(pages(BUILD, lie)) as fake:
        with pytest.raises(ServerError, match=why) as refused:
            await measured(fake, runtime)

    assert f"the {runtime}" in str(refused.value)


async def test_probabilities_after_sampling_are_known_by_their_name() -> None:
    async with serving(post_sampling(BUILD)) as fake:
        with pytest.raises(ServerError, match=SAMPLED):
            await measured(fake, "llama_server", text=None)


async def test_tokens_by_their_texts_alone_need_the_vocabulary() -> None:
    async with serving(echoing(BUILD, "")) as fake:
        with pytest.raises(ServerError, match="names tokens by their texts alone"):
            await measure_over_http(attached(fake, "openai"), WINDOWS, [], vocabulary=len(WORDS))


async def test_a_larger_vocabulary_is_refused() -> None:
    larger = WordModel(words=(*WORDS, " one", " more"))
    async with serving(vllm(larger, "")) as fake:
        with pytest.raises(ServerError, match="beyond the 40"):
            await measured(fake, "vllm")


async def test_texts_that_two_tokens_have_count_for_neither() -> None:
    twins = (*WORDS[:30], *([" twin"] * 10))
    reference, build = WordModel(words=twins), WordModel(noise=0.3, words=twins)
    ids = np.where(_IDS >= 30, np.int32(1), WINDOWS.ids)
    async with serving(echoing(build, "")) as fake:
        found = await measure_over_http(
            attached(fake, "openai"),
            Windows(ids, 8),
            reference.rows(ids, 8),
            vocabulary=len(twins),
            texts=twins,
        )

    def kld(beginning: list[int]) -> float:
        p, q = reference.logprobs(beginning), build.logprobs(beginning)
        return float((np.exp(p) * (p - q)).sum())

    assert (found.kld <= [[kld(w[: p + 1]) for p in range(8, 15)] for w in ids]).all()
    tops = [[build.logits(w[: p + 1]).argmax() for p in range(8, 15)] for w in ids]
    ours = [[reference.logits(w[: p + 1]).argmax() for p in range(8, 15)] for w in ids]
    known = ~np.isnan(found.same_top)
    assert (found.same_top == np.equal(tops, ours))[known].all()
    assert not known.all()
    assert known.any()


async def test_of_a_reference_that_was_asked_for_other_tokens_only_the_common_ones_count() -> None:
    async with serving(llama_server(REFERENCE, "")) as fake:
        lists = await lists_of_reference(attached(fake, "llama_server"), WINDOWS, text=TEXT, most=9)
    async with serving(vllm(BUILD, "")) as fake:
        found = await measure_over_http(attached(fake, "vllm"), WINDOWS, lists, vocabulary=len(WORDS))

    known = [True, False, False, True, False, False, True]
    assert (~np.isnan(found.kld) == [known] * 3).all()
    assert (found.kld[:, known] <= exact()[:, known]).all()

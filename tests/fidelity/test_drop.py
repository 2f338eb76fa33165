"""What is published of builds, by its formulas, and where it has no meaning."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from evaluator.fidelity.drop import Perplexity, drop_reduced, drops, published, size_reduced, sizes
from evaluator.fidelity.nouns import BuildFidelity, Estimate, Fidelity, Text

TEXT = Text(name="default", sha256="0" * 64, context=512, windows=80, scored=20400)


@pytest.mark.parametrize(
    ("values", "share", "words"),
    [
        pytest.param(
            (8.0, 9.0, 8.46, None),
            0.54,
            "Perplexity drop reduced by 54.0 %: q4_0 9.0000, qat-q4_0 8.4600, reference bf16 8.0000 (one text).",
            id="by-54-percent",
        ),
        pytest.param(
            (8.0, 9.0, 8.46, 8.1),
            0.54,
            "Perplexity drop reduced by 54.0 %: q4_0 9.0000, qat-q4_0 8.4600, reference bf16 8.0000, own reference "
            "qat-bf16 8.1000 (one text).",
            id="with-its-own-reference",
        ),
        pytest.param(
            (8.0, 9.0, 9.5, None),
            -0.5,
            "Perplexity drop enlarged by 50.0 %: q4_0 9.0000, qat-q4_0 9.5000, reference bf16 8.0000 (one text).",
            id="enlarged",
        ),
        pytest.param(
            (29.11, 34.49, 28.04, None),
            None,
            "By how much qat-q4_0 reduces the perplexity drop has no meaning: qat-q4_0 28.0400 is below the reference "
            "bf16 29.1100, so its weights are others, not better quantized ones (of the drop of q4_0 34.4900 the "
            "formula takes 119.9 %).",
            id="gemma-3-1b-as-published-is-below-its-reference",
        ),
        pytest.param(
            (8.4276, 8.6, 8.25, 8.2021),
            None,
            "By how much qat-q4_0 reduces the perplexity drop has no meaning: its own reference qat-bf16 8.2021 is "
            "already below the plain one, bf16 8.4276: training changed the weights, and what quantization costs is "
            "qat-q4_0 8.2500 minus qat-bf16 8.2021.",
            id="gemma-3-27b-as-published-has-its-own-reference-below",
        ),
        pytest.param(
            (8.01, 8.0, 7.9, None),
            None,
            "By how much qat-q4_0 reduces the perplexity drop has no meaning: there is no drop, as q4_0 8.0000 is not "
            "above the reference bf16 8.0100.",
            id="no-drop",
        ),
        pytest.param(
            (8.0, 8.0, 8.0, None),
            None,
            "By how much qat-q4_0 reduces the perplexity drop has no meaning: there is no drop, as q4_0 8.0000 is not "
            "above the reference bf16 8.0000.",
            id="all-equal",
        ),
    ],
)
def test_the_perplexity_drop(values: tuple[float, float, float, float | None], share: float | None, words: str) -> None:
    reference, plain, trained, own = values
    claim = drop_reduced(
        Perplexity("bf16", reference),
        Perplexity("q4_0", plain),
        Perplexity("qat-q4_0", trained),
        own_reference=None if own is None else Perplexity("qat-bf16", own),
    )

    assert claim.reduced == (None if share is None else pytest.approx(share))
    assert claim.sentence == words


def test_a_drop_within_its_own_interval_is_none() -> None:
    claim = drop_reduced(Perplexity("bf16", 8.0), Perplexity("q4_0", 8.01), Perplexity("qat", 8.005), certain=False)

    assert claim.reduced is None
    assert "whether there is a drop is not certain" in claim.sentence


PERPLEXITIES = st.integers(4, 4000).map(lambda quarters: quarters / 4)


@settings(deadline=None, max_examples=50)
@given(PERPLEXITIES, PERPLEXITIES, PERPLEXITIES)
def test_a_share_is_never_more_than_all_of_the_drop(reference: float, plain: float, trained: float) -> None:
    claim = drop_reduced(Perplexity("f", reference), Perplexity("p", plain), Perplexity("t", trained))

    assert claim.reduced is None or claim.reduced <= 1
    assert (claim.reduced is None) == (plain <= reference or trained < reference)
    assert "f " in claim.sentence


@pytest.mark.parametrize(
    ("size", "before", "share", "words"),
    [
        pytest.param(
            *(14_100_000_000, 54_000_000_000, 0.739),
            "Size reduced by 73.9 %: q4_0 14.1 GB, bf16 54.0 GB.",
            id="gemma-3-27b-as-published",
        ),
        pytest.param(600, 500, -0.2, "Size enlarged by 20.0 %: q4_0 600 bytes, bf16 500 bytes.", id="enlarged"),
        pytest.param(
            0, 500, None, "By how much q4_0 is smaller than bf16 is unknown: a size is missing.", id="unknown"
        ),
    ],
)
def test_the_size(size: int, before: int, share: float | None, words: str) -> None:
    claim = size_reduced("q4_0", size, "bf16", before)

    assert claim.reduced == (None if share is None else pytest.approx(share, abs=5e-4))
    assert claim.sentence == words


def row(
    build: str, reference: str, values: tuple[float, float], size: int | None = None, low: float = 0.1
) -> BuildFidelity:
    return BuildFidelity(
        build=build,
        reference=reference,
        method="exact",
        scored=20400,
        block_tokens=255,
        perplexity=Estimate(values[0]),
        reference_perplexity=Estimate(values[1]),
        perplexity_difference=Estimate(values[0] - values[1], low, 9.0),
        size_bytes=size,
    )


def fidelity(*rows: BuildFidelity) -> Fidelity:
    return Fidelity(text=TEXT, builds=rows)


PLAIN = (row("q8_0", "f16", (8.01, 8.0), 80), row("q4_0", "f16", (9.0, 8.0), 45))
TRAINED = (row("qat-q4_0", "f16", (8.46, 8.0), 44), row("qat-q4_0", "qat-f16", (8.46, 8.2), 44))


@pytest.mark.parametrize(
    ("rows", "bytes_of", "shares"),
    [
        pytest.param((), {}, [], id="nothing"),
        pytest.param(PLAIN, {}, [], id="no-trained-build"),
        pytest.param((*PLAIN, *TRAINED), {}, [0.54], id="held-against-the-nearest-in-size"),
        pytest.param(
            (*PLAIN, *TRAINED, row("qat-f16", "f16", (8.2, 8.0), 160)), {}, [0.54], id="its-reference-is-no-plain-build"
        ),
        pytest.param((*PLAIN, *TRAINED[:1]), {}, [], id="not-measured-against-a-reference-of-its-own"),
        pytest.param((row("a", "f16", (9.0, 8.0)), row("b", "f16", (9.0, 8.0)), *TRAINED), {}, [], id="sizes-unknown"),
        pytest.param((row("a", "f16", (9.0, 8.0)), *TRAINED), {}, [0.54], id="only-one-plain-build"),
        pytest.param((row("a", "f16", (9.0, 8.0), 44, low=-0.1), *TRAINED), {}, [None], id="the-drop-may-be-chance"),
        pytest.param(PLAIN, {"f16": 160}, [0.5, 0.71875], id="sizes"),
        pytest.param((*PLAIN, *TRAINED), {"f16": -160, "q4_0": -45, "qat-q4_0": 0}, [], id="sizes-that-are-none"),
    ],
)
def test_the_claims_of_a_study(
    rows: tuple[BuildFidelity, ...], bytes_of: dict[str, int], shares: list[float | None]
) -> None:
    measured = replace(fidelity(*rows), sizes=bytes_of)
    found = [claim.reduced for claim in (*drops(measured), *sizes(measured))]

    assert found == [None if share is None else pytest.approx(share) for share in shares]


def test_every_sentence_names_its_reference() -> None:
    said = published(replace(fidelity(*PLAIN, *TRAINED), sizes={"f16": 160}))

    assert len(said) == 2
    assert all("f16" in sentence for sentence in said)


def test_nothing_is_said_of_nothing() -> None:
    assert published(fidelity()) == ()

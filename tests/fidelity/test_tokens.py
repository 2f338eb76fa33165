"""Tokens of a text by two programs: the same, or refused; vocabularies that are filled up to other lengths."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.fidelity.tokens import Tokens, in_common, read
from servers.errors import ModelError

NAMES = ("f16", "4bit")
MODEL = Path("model.gguf")


def tokens(ids: list[int], begin: int | None = None, vocabulary: int = 100, known: int = 100) -> Tokens:
    whole = ids if begin is None else [begin, *ids]
    return Tokens(np.array(whole, dtype=np.int32), begin, vocabulary, known)


@given(st.lists(st.integers(0, 99), min_size=1), st.sampled_from([None, 1, 2]), st.sampled_from([None, 1, 2]))
def test_the_token_that_begins_a_text_is_no_difference_but_is_told(
    ids: list[int], ours: int | None, theirs: int | None
) -> None:
    width, notes = in_common(tokens(ids, ours), tokens(ids, theirs), NAMES, 1000)

    assert width == 100
    assert bool(notes) == (ours != theirs)


@given(st.lists(st.integers(0, 99), min_size=1), st.data())
def test_one_other_token_among_those_that_count_is_another_tokenization(ids: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(ids) - 1))
    other = [*ids[:place], (ids[place] + 1) % 100, *ids[place + 1 :]]
    with pytest.raises(ModelError, match=rf"4bit reads .* its reference f16, from token {place + 1} on"):
        in_common(tokens(ids), tokens(other), NAMES, place + 1)

    assert in_common(tokens(ids), tokens(other), NAMES, place) == (100, ())


def test_fewer_tokens_are_others() -> None:
    with pytest.raises(ModelError, match="from token 3 on"):
        in_common(tokens([1, 2, 3]), tokens([1, 2]), NAMES, 1000)


@pytest.mark.parametrize(
    ("reference", "build", "told"),
    [
        pytest.param((100, 90), (128, 90), "4bit has 128 places .* f16 100; the 28 that", id="build-filled-up"),
        pytest.param((128, 100), (100, 100), "f16 has 128 places .* 4bit 100; the 28 that", id="reference-filled-up"),
    ],
)
def test_places_that_no_token_has_are_left_out(reference: tuple[int, int], build: tuple[int, int], told: str) -> None:
    width, (note,) = in_common(tokens([1], None, *reference), tokens([1], None, *build), NAMES, 1)

    assert width == 100
    assert re.search(told, note)


@pytest.mark.parametrize(
    ("reference", "build"),
    [pytest.param((100, 90), (128, 101), id="build"), pytest.param((128, 101), (100, 100), id="reference")],
)
def test_a_token_that_the_other_lacks_is_refused(reference: tuple[int, int], build: tuple[int, int]) -> None:
    with pytest.raises(ModelError, match=r"knows 101 tokens and .* 100: .* the same tokenizer"):
        in_common(tokens([1], None, *reference), tokens([1], None, *build), NAMES, 1)


def command(body: str) -> list[str]:
    return [sys.executable, "-c", f"import sys\nimport numpy as np\n{body}"]


WRITE = "np.save(sys.argv[4], np.array([{begin}, *open(sys.argv[2], 'rb').read()], dtype=np.int32))\n"
SAY = 'print(\'{"vocabulary": 300, "known": 256}\')'


@pytest.mark.parametrize("begin", [None, 97])
def test_tokens_are_read(begin: int | None) -> None:
    found = read(command(WRITE.format(begin=-1 if begin is None else begin) + SAY), "ab\r\n", MODEL)

    assert (found.ids.tolist(), found.begin, found.vocabulary, found.known) == ([97, 98, 13, 10], begin, 300, 256)
    assert found.own.tolist() == ([98, 13, 10] if begin else [97, 98, 13, 10])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param('print(\'{"error": "it has\\\\nno words"}\'); sys.exit(2)', "^it has no words$", id="says-why"),
        pytest.param("sys.exit(3)", "model.gguf cannot cut .* code 3$", id="silent"),
        pytest.param(SAY, "cannot cut", id="no-file"),
        pytest.param(WRITE.format(begin=-1), "cannot cut", id="no-line"),
        pytest.param(WRITE.format(begin=-1) + SAY.replace("256", "301"), "cannot cut", id="more-known-than-there-are"),
    ],
)
def test_a_failure_is_one_sentence(body: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        read(command(body), "text", MODEL)

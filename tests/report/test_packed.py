"""Blocks of texts for a page: what is packed is what is unpacked, within a budget that only thinking pays for."""

import base64
import gzip
import re
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.report.packed import ReplyTexts, Texts, Thoughts, cut, level, pack, packed
from tests.support.large_run import prose


def unpacked(block: str) -> Any:
    return msgspec.json.decode(gzip.decompress(base64.b64decode(block)))


def reply(text: str, column: int = 0) -> ReplyTexts:
    return ReplyTexts(column, text, "why", "A", 10, 20, 1.5, None, "stop", "", 4096, 0)


def texts(*answers: str) -> list[Texts]:
    return [Texts(-1, f"question {i}", "A", "", (reply(answer),)) for i, answer in enumerate(answers)]


def thinking(*lengths: int) -> list[Thoughts]:
    return [((0, prose(Random(i), length)[:length]),) for i, length in enumerate(lengths)]


@given(st.text(st.characters(), max_size=300))
def test_any_text_comes_back_and_cannot_end_its_block(text: str) -> None:
    block = packed([text])

    assert re.fullmatch(r"[A-Za-z0-9+/=]*", block)
    assert unpacked(block) == [text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("</script><script>alert(1)</script>", id="end-of-script"),
        pytest.param("<!-- <script>", id="comment"),
        pytest.param("\x00\x1b[31m\u202e\u2028\ufeff", id="control"),
        pytest.param("x" * 1_000_000, id="long-line"),
    ],
)
def test_hostile_texts_are_only_text(text: str) -> None:
    made = pack(texts(text), [((0, text),)], [text])

    assert unpacked(made.texts[0])[0][4][0][1] == text
    assert unpacked(made.thoughts[0]) == [[[0, text]]]
    assert unpacked(made.examples) == [text]
    assert not re.search(r"[<&]", "".join((*made.texts, *made.thoughts, made.examples)))


def test_half_a_character_becomes_a_sign_and_the_rest_stays() -> None:
    assert unpacked(packed(texts("a\ud800b \ud83d\ude00")))[0][4][0][1] == "a\ufffdb \U0001f600"


def test_every_question_is_in_the_block_that_the_starts_name() -> None:
    many = texts(*(f"{i} " + "x" * 9_000 for i in range(200)))
    made = pack(many, [()] * 200, [])

    blocks = [unpacked(block) for block in made.texts]
    assert len(blocks) == len(made.starts) > 1
    assert [question[1] for block in blocks for question in block] == [f"question {i}" for i in range(200)]
    assert [block[0][1] for block in blocks] == [f"question {start}" for start in made.starts]
    assert made.thoughts == ("",) * len(blocks)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=30), st.integers(0, 20_000))
def test_the_level_is_the_highest_that_fits(lengths: list[int], total: int) -> None:
    most = level(sorted(lengths), total)

    assert sum(min(length, most) for length in lengths) <= total or most == 0
    assert most == max(lengths) or sum(min(length, most + 1) for length in lengths) > total


@given(st.text(max_size=50), st.integers(1, 60))
def test_what_is_cut_is_said_in_place(text: str, most: int) -> None:
    ((column, *parts),) = cut(((3, text),), most)

    assert column == 3
    if len(text) <= most:
        assert parts == [text]
    else:
        first, left, last = parts
        assert isinstance(first, str)
        assert isinstance(left, int)
        assert isinstance(last, str)
        assert text.startswith(first)
        assert text.endswith(last)
        assert len(first) + left + len(last) == len(text)
        assert len(first) + len(last) <= most


def test_only_the_longest_thinking_pays_for_the_budget() -> None:
    answers = texts(*(prose_of(i) for i in range(40)))
    thoughts = thinking(*(500 if i % 2 else 30_000 for i in range(40)))
    whole = pack(answers, thoughts, [])
    small = pack(answers, thoughts, [], budget=size(whole) // 2)

    assert whole.kept is None
    assert size(small) <= size(whole) // 2
    assert small.texts == whole.texts
    assert small.kept is not None
    assert 1_000 < small.kept < 30_000
    lengths = [
        [len(part) if isinstance(part, str) else part for part in one[0][1:]] for one in unpacked(small.thoughts[0])
    ]
    assert [len(parts) for parts in lengths] == [1 if i % 2 else 3 for i in range(40)]
    assert [sum(parts) for parts in lengths] == [len(text) for ((_, text),) in thoughts]


def test_an_answer_is_never_cut() -> None:
    answers = texts(*(prose_of(i) for i in range(20)))
    made = pack(answers, thinking(*[5_000] * 20), [], budget=100)

    assert [question[4][0][1] for question in unpacked(made.texts[0])] == [a.replies[0].text for a in answers]
    assert made.kept is not None


def prose_of(number: int) -> str:
    return prose(Random(-number), 1500)


def size(made: Any) -> int:
    return sum(map(len, (made.examples, *made.texts, *made.thoughts)))

"""A pattern behind a look for its words finds what it finds alone."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evaluator.grade.choice import markup, phrases
from evaluator.grade.choice.guarded import Guarded
from evaluator.grade.choice.markup import without_markup

WORDS = (
    *(
        "not ",
        "the answer ",
        "if ",
        "If it were ",
        "says ",
        "SAID ",
        "n't ",
        "would ",
        "had ",
        "then ",
        "which ",
        "so ",
    ),
    *("people think ", "ruled out ", "ta\u0212king ", "\u017fay\u017f ", "\u212anot ", "\u0130f ", "whether the best "),
    *(
        "all answers",
        "questions",
        "combine all the answers",
        ". Question: ",
        "\nQuestion: ",
        "\n\nuser\n\n",
        "user\n\n",
    ),
    *(
        "assistant\n\n",
        "\nQ2: ",
        "\nHuman:",
        "[INST",
        "<|im_end|>",
        "<eos>",
        "</s>",
        "\n### Problem 3",
        "\nOptions:\nA. ",
    ),
    *(
        "\u603b\u7ed3\u7b54\u6848",
        " ",
        "\n",
        ".",
        ", ",
        "(B)",
        "x",
        "\u2019",
        "List the final answers",
        "Another question ",
    ),
)
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=12).map("".join)
GUARDED = {"not meant": phrases.NOT_MEANT, "unreal": phrases._UNREAL, "if it were": phrases._IF_IT_WERE}


def found(search: Callable[..., object], text: str, begin: int) -> int | None:
    match = search(text, begin)
    return None if match is None else match.start()  # type: ignore[attr-defined]


@pytest.mark.parametrize("guarded", [*GUARDED.values(), phrases.RUN_ON], ids=[*GUARDED, "run on"])
@given(text=TEXTS, begin=st.integers(0, 5))
@example(text="people \u017fay ", begin=0)
@example(text="the \u0130F it were ", begin=0)
@example(text="x user\n\n", begin=1)
def test_the_words_let_everything_through_that_matches(guarded: Guarded, text: str, begin: int) -> None:
    assert found(guarded.search, text, begin) == found(guarded.pattern.search, text, begin)


@given(TEXTS, st.booleans())
def test_a_clause_is_unreal_with_and_without_the_look_for_words(text: str, would: bool) -> None:
    pattern = (phrases._UNREAL if would else phrases._IF_IT_WERE).pattern
    clause = phrases._CLAUSE_BREAK.split(text)[-1]
    assert phrases.is_unreal(text, would=would) == bool(pattern.search(clause))


OPTION = st.lists(
    st.sampled_from(["\\boxed{", "boxed", "\\", "{", "}", "<br", ">", "*", "\\ ", "\0", "a", " ", "\u2013", "\\text"]),
    max_size=6,
).map("".join)


@given(st.lists(OPTION, max_size=5))
def test_markup_comes_off_together_as_it_does_one_by_one(options: list[str]) -> None:
    assert list(markup._each_without_markup(options)) == list(map(without_markup, options))

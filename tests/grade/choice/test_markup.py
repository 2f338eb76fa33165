"""Markup comes off alike, whatever other characters a text has."""

from hypothesis import given
from hypothesis import strategies as st

from evaluator.grade.choice.markup import without_markup

PIECES = st.sampled_from(
    [
        "**",
        "`",
        "$",
        "{",
        "}",
        "\\boxed{",
        "\\text{",
        "\\(",
        "<br>",
        "<b>",
        "A",
        "(B)",
        " ",
        "\n",
        "\r",
        "_",
        "\x02",
        "x.",
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_a_character_beyond_ascii_changes_nothing_before_it(text: str) -> None:
    assert without_markup(f"{text}\u00e9") == f"{without_markup(text)}\u00e9"

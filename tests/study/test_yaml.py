"""YAML is read as a type, or refused in one sentence with its line and key."""

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from evaluator.errors import StudyError
from evaluator.study.yaml import Document, convert, line_of, read_yaml


class Part(Struct, forbid_unknown_fields=True):
    name: str
    size: Annotated[int, Meta(ge=1)] | None = None
    kind: Literal["big", "small"] | None = None
    count: int | Literal["all"] = "all"
    loud: bool | None = None


class Whole(Struct, forbid_unknown_fields=True):
    parts: tuple[Part, ...]
    by_name: dict[Annotated[str, Meta(min_length=2)], Part] = {}
    title: str | None = None


TEXT = """\
title: a
parts:
  - {name: one, size: 3}
  - name: two
    kind: big
by_name:
  xx: {name: three}
"""


def test_what_is_written_arrives_with_the_line_of_each_key() -> None:
    document = read_yaml(TEXT, "t", Whole)

    assert document.value == Whole(
        title="a",
        parts=(Part(name="one", size=3), Part(name="two", kind="big")),
        by_name={"xx": Part(name="three")},
    )
    assert [document.line(key) for key in ("", "parts[1].kind", "parts[0].size", "by_name.xx")] == [1, 5, 3, 7]
    assert document.line("parts[1].size") == document.line("parts[1]") == 4
    assert document.line("nowhere.at[3].all") == 1
    assert line_of(TEXT, "parts[1].kind") == 5


def test_without_a_type_it_is_plain_data() -> None:
    document: Document[Any] = read_yaml(TEXT, "t", Any)

    assert document.value["by_name"] == {"xx": {"name": "three"}}
    assert convert(document, document.value["parts"][0], Part, top="parts") == Part(name="one", size=3)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        pytest.param("size: 3", "size: x", "t:3: parts[0].size: expected a whole number, not 'x'", id="or-null"),
        pytest.param("size: 3", "loud: 1", "t:3: parts[0].loud: expected true or false, not 1", id="boolean-or-null"),
        pytest.param(
            "size: 3", "count: 1.5", "t:3: parts[0].count: expected a whole number or text, not 1.5", id="one-of-two"
        ),
        pytest.param(
            "size: 3",
            "count: some",
            't:3: parts[0].count: "some" is not known here: write all or a whole number',
            id="word-or-number",
        ),
        pytest.param(
            "kind: big", "kind: red", 't:5: parts[1].kind: "red" is not known here: write big or small', id="word"
        ),
        pytest.param("title: a", "title: 1", "t:1: title: expected text, not 1: put it in quotes", id="quotes"),
        pytest.param("title: a", "title: [a]", "t:1: title: expected text", id="a-list-is-not-repeated"),
        pytest.param("kind: big", "7: big", "t:5: parts[1].7: a key is text: put 7 in quotes", id="key-is-a-number"),
        pytest.param("title: a", "7: a", "t:1: 7: a key is text: put 7 in quotes", id="key-at-the-top-is-a-number"),
        pytest.param("xx:", "7:", "t:7: by_name.7: a key is text: put 7 in quotes", id="key-of-a-mapping-is-a-number"),
        pytest.param("xx:", "x:", "t:6: by_name: one of its keys: expected text of length >= 2", id="key-too-short"),
        pytest.param("{name: three}", "{name: 3}", "t:6: by_name.name: expected text", id="below-any-key"),
        pytest.param(
            "{name: three}",
            "{nam: three}",
            "t:6: by_name.nam: unknown key: did you mean name?",
            id="slip-below-any-key",
        ),
        pytest.param("kind:", "kin:", "t:5: parts[1].kin: unknown key: did you mean kind?", id="slip"),
        pytest.param(
            "kind: big", "name: big", "t:5: parts[1].name: written twice (first on line 4): keep one", id="twice"
        ),
        pytest.param("parts:", "part:", "t:2: part: unknown key: did you mean parts?", id="slip-before-missing"),
        pytest.param(TEXT, "title: a\n", "t:1: parts: missing: it must be given", id="missing"),
        pytest.param(TEXT, "", "t:1: the file: missing: the file is empty", id="empty"),
        pytest.param(TEXT, "- 1\n", "t:1: the file: expected keys with values", id="a-list"),
        pytest.param("xx: {", "xx: [", "t:7: not valid YAML: ", id="no-yaml"),
        pytest.param("title: a", "title: !!python/object:os.system a", "t:1: not valid YAML: ", id="unsafe"),
        pytest.param("title: a", "title: \x01", "t:1: not valid YAML: ", id="control-character"),
    ],
)
def test_a_mistake_is_one_sentence_with_line_and_key(old: str, new: str, sentence: str) -> None:
    assert old in TEXT

    with pytest.raises(StudyError) as caught:
        read_yaml(TEXT.replace(old, new, 1), "t", Whole)

    said = str(caught.value)
    assert said.startswith(sentence)
    assert said == sentence or sentence.endswith(" ")
    assert "\n" not in said
    assert (caught.value.source, caught.value.line) == ("t", int(said.split(":")[1]))

"""Questions in a terminal: a list that 80 columns hold, one question whole, and nothing that a terminal obeys."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from evaluator.analyse.choosing import STATES
from evaluator.analyse.questions import Asked
from evaluator.records import Kind
from evaluator.report.show import show_list, show_question
from evaluator.text import spelled_out
from tests.support.asked import MANY, VARIANTS, asked

HOSTILE = {
    "escape": ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
    "null": ("a\x00b", r"a\x00b"),
    "right-to-left": ("\u202egnp.exe\u202c", r"\u202egnp.exe\u202c"),
    "isolate": ("\u2067x\u2069", r"\u2067x\u2069"),
    "c1": ("\x9b31m", r"\x9b31m"),
    "markup": ("[bold red]x[/] [link=file:///]y[/link]", "[bold red]x[/] [link=file:///]y[/link]"),
    "half-a-character": ("\ud83d!", r"\ud83d!"),
    "backspaces": ("wrong\x08\x08\x08\x08\x08right", r"wrong\x08\x08\x08\x08\x08right"),
    "own-line-end": ("one\rtwo", "two"),
    "tab": ("\tx", "    x"),
}


def listed(run: list[Asked], variants: tuple[str, ...] = VARIANTS, *, width: int = 80, colour: bool = False) -> str:
    written = io.StringIO()
    show_list(run, variants, Console(file=written, width=width, force_terminal=colour, highlight=False))
    return written.getvalue()


def shown(
    *times: Asked, variants: tuple[str, ...] = ("a", "b"), thinking: bool = False, full: bool = False, width: int = 80
) -> str:
    written = io.StringIO()
    console = Console(file=written, width=width, highlight=False)
    show_question(times, variants, "a", console, thinking=thinking, full=full)
    return written.getvalue()


def test_a_list_has_a_mark_for_every_reply() -> None:
    run = [
        asked({"a": "correct", "b": "wrong"}, identity="7825", category="computer science"),
        asked({"a": "truncated", "b": "not_graded"}, identity="HumanEval/1", benchmark="humaneval", kind="code"),
        asked({"a": "correct"}, identity="7825", category="computer science", again=True),
    ]

    assert listed(run, ("a", "b")) == (
        "question             category          a      b\n"
        "mmlu_pro/7825        computer science  \u2713 B    \u2717 C\n"
        "HumanEval/1          law               cut    \u2026\n"
        "mmlu_pro/7825 again  computer science  \u2713 B\n"
        "\n"
        "\u2713 = correct, \u2717 = wrong, cut = cut off by the output limit, \u2026 = not graded yet\n"
    )


def test_names_that_do_not_fit_are_numbered() -> None:
    names = tuple(f"a-rather-long-name-of-a-variant-{i}" for i in range(4))

    said = listed([asked(dict.fromkeys(names, "correct"))], names)

    assert said.startswith("[1] a-rather-long-name-of-a-variant-0\n[2] ")
    assert "question    category  [1]    [2]    [3]    [4]\n" in said
    assert max(map(len, said.splitlines())) <= 80


@settings(deadline=None)
@given(MANY, st.integers(1, 6), st.sampled_from([1, 12, 60]))
def test_a_list_fits_80_columns_and_has_a_line_for_each_question(run: list[Asked], count: int, length: int) -> None:
    names = tuple(f"{i}{'x' * (length - 1)}" for i in range(count))

    lines = listed(run, names).splitlines()

    assert all(cell_len(line) <= 80 for line in lines)
    assert sum(line.startswith(("mmlu_pro/", "gsm8k/", "HumanEval/")) for line in lines) == len(run)


@pytest.mark.parametrize("state", STATES)
def test_every_mark_is_explained(state: str) -> None:
    said = listed([asked({"a": state})], ("a",))  # type: ignore[dict-item]

    mark = said.splitlines()[1].split()[2]
    assert f"{mark} = " in said.splitlines()[-1]


def test_a_question_shows_what_each_variant_replied_and_why_it_counts_so() -> None:
    said = shown(asked({"a": "correct", "b": "failed"}, text="It is two.", thinking="hm", prompt="Which\none?"))

    assert said == (
        "mmlu_pro/1 (MMLU-Pro, law)\n\n  Which\n  one?\n\nRight: B (two)\n\n"
        'a (baseline): correct, B\n  B is announced\n  7 tokens in 1.50 s; ended by "stop"\n'
        "  [2 characters of thinking: --thinking shows them]\n\n  It is two.\n\n"
        "b: failed\n  B is announced\n  unreachable: no route to host\n"
        "  [2 characters of thinking: --thinking shows them]\n"
    )


def test_thinking_worked_examples_and_long_texts_are_folded_until_they_are_asked_for() -> None:
    question = asked({"a": "correct"}, thinking="deep thought", text="word " * 3_000)

    folded, open_ = shown(question, variants=("a",)), shown(question, variants=("a",), thinking=True, full=True)

    assert "deep thought" not in folded
    assert "[5,000 more characters: --full shows them]" in folded
    assert "  | deep thought\n" in open_
    assert open_.count("word") == 3_000
    assert max(map(len, open_.splitlines())) <= 80


def test_a_question_put_again_shows_both_replies_and_one_not_asked_yet_says_so() -> None:
    said = shown(asked({"a": "correct"}), asked({"a": "wrong"}, repeat=1, again=True))

    assert "a (baseline): correct, B\n" in said
    assert "a (baseline) again: wrong, C\n" in said
    assert said.endswith("\nb: not asked yet\n")


@pytest.mark.parametrize(("text", "expected"), list(HOSTILE.values()), ids=list(HOSTILE))
@pytest.mark.parametrize("kind", ["choice", "code"])
def test_hostile_text_is_shown_and_does_nothing(text: str, expected: str, kind: Kind) -> None:
    question = asked(
        {"a": "correct", "b": "failed"},
        text=text,
        thinking=text,
        prompt=text,
        category=text,
        failure=text,
        why=text,
        kind=kind,
    )

    said = shown(question, thinking=True, full=True)

    assert said.count(expected) >= 3
    assert all(character.isprintable() or character == "\n" for character in said + listed([question]))


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=[])))
def test_what_is_spelled_out_is_harmless_and_loses_nothing(text: str) -> None:
    said = spelled_out(text)

    assert all(character.isprintable() or character == "\n" for character in said)
    assert spelled_out(said) == said
    assert sum(c.isalnum() for c in said) >= sum(c.isalnum() and c.isprintable() for c in text)


def test_a_line_of_a_million_characters_is_printed() -> None:
    said = shown(asked({"a": "correct"}, text="x" * 1_000_000), variants=("a",), full=True)

    assert "x" * 1_000_000 in said


def test_only_a_terminal_gets_colours() -> None:
    run = [asked({"a": "correct"})]

    assert "\x1b[" in listed(run, ("a",), colour=True)
    assert "\x1b" not in listed(run, ("a",))

"""What is wrong with the published data: examples that contradict tests, blanks that mark the right option, twins."""

import ast
import re
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from evaluator.benchmarks import data_files, humaneval, mmlu_pro
from evaluator.benchmarks.benchmark import PromptForm
from evaluator.grade.kinds import KINDS
from tests.support.humaneval_material import PROBLEMS, Problem

ROWS = data_files.rows("mmlu_pro_test.jsonl.gz", mmlu_pro._Row)
MMLU = {question.id: question for question in mmlu_pro.load(shots=0)}
CLAIMS = {
    "HumanEval/47": ("median([-10, 4, 6, 1000, 10, 20])", "15.0", "8.0"),
    "HumanEval/116": ("sort_array([1, 5, 2, 3, 4])", "[1, 2, 3, 4, 5]", "[1, 2, 4, 3, 5]"),
    "HumanEval/130": ("tri(4)", "3", "[1, 3, 2.0, 8.0, 3.0]"),
}
SAYS = re.compile(r"\s*(?:==|=>|=|->|\u279e|returns|\n)\s*([^\n#]+)")


def examples(problem: Problem) -> Iterator[tuple[str, object]]:
    """Find calls in a prompt, and the value that it says each has, where both can be read without doubt."""
    for call in re.finditer(rf"(?<!def )\b{problem['entry_point']}\(", problem["prompt"]):
        text = problem["prompt"][call.start() :]
        for end in (each.end() for each in re.finditer(r"\)", text[:200])):
            says = SAYS.match(text, end)
            try:
                ast.literal_eval(f"[{text[text.index('(') + 1 : end - 1]}]")
                yield text[:end], ast.literal_eval(says[1].strip() if says else "?")
            except (ValueError, SyntaxError):
                continue
            break


def value(problem: Problem, call: str) -> object:
    """Ask the published solution."""
    defined: dict[str, object] = {}
    exec(problem["prompt"] + problem["canonical_solution"], defined)  # the data's own code, pinned by its hash
    return eval(call, defined)


def test_the_prompts_that_contradict_the_published_solution_are_known() -> None:
    read = [(problem, call, says) for problem in PROBLEMS for call, says in examples(problem)]

    contradicted = {problem["task_id"] for problem, call, says in read if value(problem, call) != says}

    assert len(read) > 300
    assert contradicted == set(humaneval.FLAWS)


@pytest.mark.parametrize("name", CLAIMS)
def test_what_is_said_of_a_contradiction_is_so(name: str) -> None:
    call, in_prompt, in_tests = CLAIMS[name]
    (problem,) = (problem for problem in PROBLEMS if problem["task_id"] == name)

    assert (call, ast.literal_eval(in_prompt)) in list(examples(problem))
    assert value(problem, call) == ast.literal_eval(in_tests)
    assert all(part in humaneval.FLAWS[name] for part in (call, f"is {in_prompt}", in_tests))


def test_130_has_one_example_that_its_tests_agree_with() -> None:
    (problem,) = (problem for problem in PROBLEMS if problem["task_id"] == "HumanEval/130")

    assert ("tri(3)", [1, 3, 2, 8]) in list(examples(problem))
    assert value(problem, "tri(3)") == [1, 3, 2, 8]


def test_blanks_behind_options_would_give_answers_away() -> None:
    marked = [(row, [option != option.rstrip() for option in row.options]) for row in ROWS]
    right = [marks[mmlu_pro.LETTERS.index(row.answer)] and sum(marks) == 1 for row, marks in marked]

    assert sum(any(marks) for _, marks in marked) == 140
    assert sum(right) == 107
    assert not any(option != option.lstrip() for row in ROWS for option in row.options)


@pytest.mark.parametrize("form", ["chat", "completion"])
def test_no_prompt_shows_a_blank_at_either_end_of_an_option(form: PromptForm) -> None:
    for question in mmlu_pro.load(shots=5, form=form):
        text = question.prompt.messages[0]["content"] if form == "chat" else str(question.prompt.text)
        listed = "".join(
            f"{letter}. {option}\n" for letter, option in zip(question.letters, question.options, strict=True)
        )
        assert listed in text
        assert all(option == option.strip() for option in question.options)


def test_nothing_but_blanks_is_taken_off_an_option() -> None:
    assert all(MMLU[str(row.question_id)].options == tuple(map(str.strip, row.options)) for row in ROWS)


SAME = {
    "equal": ("one half", "one half"),
    "blanks": ("one  half", "one half"),
    "a capital in front": ("Informal codes", "informal codes"),
    "a capital within": ("Informal Codes, International", "Informal codes, International"),
    "a capital behind a bracket": ("the law (Federal)", "the law (federal)"),
    "a title": ("Theory of mind", "theory of mind"),
}
DIFFERENT = {
    "genotype": ("Bb x Bb", "bb x Bb"),
    "genotype of two genes": ("Aabb", "aabb"),
    "genotype of two genes, mixed": ("AaBb", "aaBb"),
    "genotype of three genes": ("Aabbcc", "aabbcc"),
    "haplotypes": ("ABab ABab", "ABab aBAb"),
    "alleles": ("Y^ly^L", "y^Ly^L"),
    "predicates": ("Sc", "sC"),
    "predicate of two": ("Tlc", "tlc"),
    "masses": ("linear in M", "linear in m"),
    "units": ("5 mW", "5 MW"),
    "numerals": ("II", "ii"),
    "abbreviation": ("US", "us"),
    "abbreviation and word": ("AIDS", "aids"),
    "another word": ("Informal codes", "Formal codes"),
    "a word more": ("codes", "codes and laws"),
    "a full stop more": ("one half", "one half."),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_either_of_two_options_of_the_same_text_is_right(one: str, other: str) -> None:
    question = replace(MMLU["3349"], options=(one, "neither", other), letters="ABC", answer="A")
    asked = replace(question, also_right=mmlu_pro.also_right("A", question.options))

    assert mmlu_pro.also_right("C", question.options) == "A"
    assert [KINDS["choice"].judge(letter, asked) for letter in "ABC"] == ["correct", "wrong", "correct"]


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_options_whose_difference_means_something_are_different_answers(one: str, other: str) -> None:
    assert mmlu_pro.also_right("A", (one, "neither", other)) == ""
    assert mmlu_pro.also_right("C", (one, "neither", other)) == ""


def test_in_this_revision_only_wrong_options_are_the_same_to_a_reader() -> None:
    alike = {
        (row.question_id, letter + others)
        for row in ROWS
        for letter in mmlu_pro.LETTERS[: len(row.options)]
        if (others := mmlu_pro.also_right(letter, row.options))
    }

    assert alike == {(496, "FG"), (496, "GF"), (8584, "AD"), (8584, "DA")}
    assert not any(question.also_right for question in MMLU.values())
    assert {MMLU["496"].answer, MMLU["8584"].answer} == {"A", "F"}

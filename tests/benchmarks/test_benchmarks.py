"""What is asked: the official prompts, the whole data, one nested order."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evaluator
from evaluator.benchmarks import BENCHMARKS, Benchmarks, gsm8k, humaneval, mmlu_pro
from evaluator.benchmarks.benchmark import PromptForm
from evaluator.benchmarks.order import nested_order
from evaluator.cli import main
from evaluator.records import Question
from evaluator.study.file import parse
from evaluator.study.requests import context_needed, plan
from servers.spec import Prompt

FORMS: tuple[PromptForm, ...] = ("chat", "completion")
MMLU = mmlu_pro.load(shots=0)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        pytest.param("mmlu_pro", "50722f02c62fd209c205bd41c0d4ad3806288971ce6e78a1e1807828f48d998c", id="mmlu_pro"),
        pytest.param("humaneval", "1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2", id="humaneval"),
        pytest.param("gsm8k", "91d9835fba9c979a36d6ff3339237604edf31c9ec265fb96afe77f9d60e7648e", id="gsm8k"),
    ],
)
def test_the_data_is_complete_and_the_pinned_one(name: str, digest: str) -> None:
    benchmark = BENCHMARKS[name]

    questions = benchmark.questions("chat")

    assert len({question.id for question in questions}) == benchmark.total
    assert benchmark.data_sha256() == digest


def test_mmlu_pro_options_carry_no_hint_and_answers_are_among_the_letters() -> None:
    assert all(option == option.strip() for question in MMLU for option in question.options)
    assert all(question.answer in question.letters for question in MMLU)
    assert Counter(len(question.letters) for question in MMLU)[10] == 9981


def test_mmlu_pro_chat_prompt_is_the_official_one() -> None:
    text = mmlu_pro.load(shots=1)[0].prompt.messages[0]["content"]

    assert text.startswith(
        "The following are multiple choice questions (with answers) about business. Think step by step and then output"
        ' the answer in the format of "The answer is (X)" at the end.\n\nQuestion: '
    )
    assert "\nAnswer: Let's think step by step. We refer to Wikipedia articles " in text
    assert text.endswith("I. Unsafe practices, Distress, Fear, Serious\nAnswer: Let's think step by step.\n\n")
    assert "\nOptions: A. " in text


@pytest.mark.parametrize("shots", range(6))
def test_mmlu_pro_shots_are_of_the_questions_own_category(shots: int) -> None:
    question = next(q for q in mmlu_pro.load(shots=shots) if q.category == "law")

    text = question.prompt.messages[0]["content"]

    assert text.count("Question: ") == shots + 1
    assert text.count("Answer: Let's think step by step.") == shots + 1
    assert "about law." in text


def test_mmlu_pro_completion_prompt_ends_where_the_model_goes_on() -> None:
    prompt = mmlu_pro.load(shots=5, form="completion")[0].prompt

    assert prompt.text is not None
    assert prompt.text.endswith("\nAnswer: Let's think step by step.")
    assert prompt.stop == ("Question:",)


def test_humaneval_chat_asks_for_one_block_and_shows_the_function() -> None:
    question = humaneval.load()[0]

    text = question.prompt.messages[0]["content"]

    assert "complete function" in text
    assert "one Python code block" in text
    assert "def has_close_elements(" in text


def test_humaneval_completion_is_the_raw_prompt() -> None:
    question = humaneval.load(form="completion")[0]

    assert question.prompt.text == question.code_prompt
    assert "\ndef " in question.prompt.stop
    assert len(question.prompt.stop) <= 4, "OpenAI-compatible servers take no more"


def test_every_benchmark_can_be_chosen_in_a_study_and_on_the_command_line() -> None:
    options = {option for command in (main.commands["eval"],) for param in command.params for option in param.opts}
    (offered,) = [param.type for param in main.commands["grade"].params if param.name == "benchmark"]

    assert Benchmarks.__struct_fields__ == (*BENCHMARKS, "fidelity")
    assert {f"--{name.replace('_', '-')}" for name in BENCHMARKS} <= options
    assert isinstance(offered, click.Choice)
    assert list(offered.choices) == list(BENCHMARKS)


def test_names_of_benchmarks_stand_where_benchmarks_are_defined() -> None:
    """Elsewhere code asks a benchmark for what it is; the command line and the demo's studies are what a user types."""
    house = Path(evaluator.__file__).parent
    typed = {house / "cli.py", house / "commands" / "evaluate.py", house / "commands" / "demo.py"}
    literals = {repr(name) for name in BENCHMARKS} | {f'"{name}"' for name in BENCHMARKS}

    named = [
        str(file.relative_to(house))
        for file in house.rglob("*.py")
        if file.parent != house / "benchmarks" and file not in typed
        if any(literal in file.read_text(encoding="utf-8") for literal in literals)
    ]

    assert named == []


def test_gsm8k_chat_prompt_is_the_one_of_lm_evaluation_harness() -> None:
    text = gsm8k.load(shots=1)[0].prompt.messages[0]["content"]

    assert text.startswith(
        "Given the following problem, reason and give a final answer to the problem.\nProblem: There are 15 trees"
    )
    assert (
        'Your response should end with "The final answer is [answer]" where [answer] is the response to the problem.\n'
        "There are 15 trees originally. Then there were 21 trees after some more were planted. So there must have been"
        " 21 - 15 = 6. The final answer is 6\n\nGiven the following problem"
    ) in text
    assert text.endswith("where [answer] is the response to the problem.\n")


def test_gsm8k_completion_prompt_ends_where_the_model_goes_on() -> None:
    prompt = gsm8k.load(shots=8, form="completion")[0].prompt

    assert prompt.text is not None
    assert prompt.text.startswith("Q: There are 15 trees in the grove.")
    assert "23 - 15 is 8. The answer is 8.\n\nQ: Janet\u2019s ducks lay 16 eggs per day." in prompt.text
    assert prompt.text.endswith("at the farmers' market?\nA:")
    assert prompt.stop == ("Q:", "</s>", "<|im_end|>")


@pytest.mark.parametrize("shots", range(9))
def test_gsm8k_has_as_many_worked_examples_as_asked_for(shots: int) -> None:
    chat, completion = (gsm8k.load(shots=shots, form=form)[0].prompt for form in FORMS)

    assert chat.messages[0]["content"].count("Problem: ") == shots + 1
    assert (completion.text or "").count("Q: ") == shots + 1


def test_gsm8k_answers_are_whole_numbers_and_no_example_is_asked() -> None:
    questions = gsm8k.load()
    asked = {row.question for row in gsm8k.test_rows()}
    examples = gsm8k.load(shots=8, form="completion")[0].prompt.text or ""

    assert all(question.answer.lstrip("-").isdigit() for question in questions)
    assert sum(question in examples for question in asked) == 1, "its own question"


@pytest.mark.parametrize("n", [14, 50, 200, 1000, 5000])
def test_every_beginning_of_the_order_holds_each_categorys_share(n: int) -> None:
    order = nested_order(MMLU, seed=42)

    shares = Counter(question.category for question in order[:n])

    for category, total in Counter(question.category for question in MMLU).items():
        assert abs(shares[category] - n * total / len(MMLU)) <= 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(0, 9), st.randoms())
def test_the_order_depends_on_the_seed_only(categories: list[str], seed: int, random: Random) -> None:
    questions = [
        Question(benchmark="x", id=str(i), kind="choice", category=c, prompt=Prompt(text=""))
        for i, c in enumerate(categories)
    ]
    shuffled = list(questions)
    random.shuffle(shuffled)

    order = nested_order(questions, seed)

    assert order == nested_order(shuffled, seed)
    assert sorted(order, key=lambda q: int(q.id)) == questions


def test_another_seed_gives_another_order() -> None:
    assert nested_order(MMLU, 1)[:20] != nested_order(MMLU, 2)[:20]


STUDY = """
study: s
baseline: a
variants: [{name: a, model: m, base_url: "http://localhost:1/v1"}]
benchmarks: {mmlu_pro: {questions: 3, repeats: 2}, humaneval: {questions: 2, repeats: 3}}
sampling: {temperature: 1, seed: 7, max_tokens: 1000}
"""


def test_all_questions_are_put_once_before_any_is_put_again() -> None:
    asks = plan(parse(STUDY, "s"))

    assert [(ask.key.benchmark, ask.key.repeat) for ask in asks] == (
        [("mmlu_pro", 0)] * 3
        + [("humaneval", 0)] * 2
        + [("mmlu_pro", 1)] * 3
        + [("humaneval", 1)] * 2
        + [("humaneval", 2)] * 2
    )


def test_a_repeat_draws_with_its_own_seed() -> None:
    seeds = {ask.key.repeat: ask.sampling.seed for ask in plan(parse(STUDY, "s"))}

    assert seeds == {0: 7, 1: 8, 2: 9}


def test_a_longer_study_begins_with_the_shorter_one() -> None:
    short = [ask.key.question_id for ask in plan(parse(STUDY, "s"))][:3]
    long = [ask.key.question_id for ask in plan(parse(STUDY.replace("questions: 3", "questions: 30"), "s"))][:3]

    assert short == long


def test_the_context_holds_the_longest_prompt_and_its_reply() -> None:
    asks = plan(parse(STUDY, "s"))

    longest = max(sum(len(m["content"]) for m in ask.question.prompt.messages) for ask in asks)
    assert longest / 2 + 1000 <= context_needed(asks) < longest / 2 + 1000 + 512


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("load", "most"), [(mmlu_pro.load, 5), (gsm8k.load, 8)], ids=["mmlu_pro", "gsm8k"])
def test_without_its_worked_examples_a_prompt_is_the_one_that_has_none(
    load: Callable[..., tuple[Question, ...]], most: int, form: str
) -> None:
    bare = load(shots=0, form=form)

    for shots in (0, 1, most):
        asked = load(shots=shots, form=form)
        assert [question.own_text for question in asked] == [question.text for question in bare]
        assert all((question.text == question.own_text) == (shots == 0) for question in asked)

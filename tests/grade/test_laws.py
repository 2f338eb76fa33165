"""What holds of every grade, whatever a model writes."""

from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evaluator.benchmarks import gsm8k, humaneval, mmlu_pro
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox
from evaluator.grade.thinking import PAIRS
from evaluator.records import OUTCOMES, Answer, Grade, Key, Question, Record
from servers.spec import Prompt

OPTIONS = ("Paris", "London", "Rome", "Berlin", "Oslo", "Bern", "Kyiv", "Riga", "Lima", "Doha")
CODE = next(problem for problem in humaneval.load() if problem.id == "HumanEval/16")
COMPLETED = next(problem for problem in humaneval.load(form="completion") if problem.id == "HumanEval/16")
NUMBER = gsm8k.load(shots=0)[0]
BODY = "    return len(set(string.lower()))"
PIECES = (
    *(
        "The answer is ",
        "the answer is",
        "Answer: ",
        "(A)",
        "(B)",
        " C",
        "D.",
        "**",
        "`",
        "```python\n",
        "```",
        "~~~\n",
    ),
    *("\\boxed{", "}", "$", "\n", "\n\n", " ", "not ", "or ", "option ", "I ", "a ", "Wait, ", "Rome", "Paris", "def "),
    *("count_distinct_characters(string):\n", "    return 1\n", "<think>", "</think>", "<|channel|>", "<|message|>"),
    *("final", "analysis", "assistantfinal", "[THINK]", "I cannot help", "import os\n", '"""', "\ufeff", "\x00", "\t"),
    *("class A:\n", "if __name__ == '__main__':\n", "Question: ", "\\text{", "\\", "?", "<|channel>", "\u2019", "E"),
)
REPLIES = st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
ENDINGS = st.one_of(st.none(), st.sampled_from(["stop", "length", "MAX_TOKENS", "error", ""]), st.text(max_size=12))
ASKED = (
    "The answer is ({})",
    "The answer is ({}).",
    "Let us see.\nThe answer is ({}).",
    "2 + 2 = 4, so the answer is {}.",
    "Answer: {}",
    "The correct option is ({}).",
)


def choice(letters: str = "ABCD") -> Question:
    options = OPTIONS[: len(letters)]
    return Question(
        benchmark="mmlu_pro",
        id="1",
        kind="choice",
        category="c",
        prompt=Prompt(),
        letters=letters,
        options=options,
        answer="A",
    )


QUESTIONS = st.one_of(
    st.integers(3, 10).map(lambda n: choice(mmlu_pro.LETTERS[:n])), st.just(CODE), st.just(COMPLETED), st.just(NUMBER)
)


def record(text: str, finish_reason: str | None = "stop", reasoning: str = "", repeat: int = 0) -> Record:
    answer = Answer(text=text, reasoning=reasoning, finish_reason=finish_reason, duration_s=0)
    return Record(key=Key("b", "q", repeat), variant="v", started="", request={}, answer=answer)


def grade(text: str, question: Question, finish_reason: str | None = "stop", reasoning: str = "") -> Grade:
    """Grade one reply; code is read and not run."""
    return Grader(NoSandbox("not here", "")).grade(record(text, finish_reason, reasoning), question)


@settings(max_examples=400)
@given(text=REPLIES, finish_reason=ENDINGS, reasoning=REPLIES, question=QUESTIONS)
def test_every_reply_gets_an_outcome_and_a_reason_and_the_same_one_twice(
    text: str, finish_reason: str | None, reasoning: str, question: Question
) -> None:
    first = grade(text, question, finish_reason, reasoning)

    assert first.outcome in OUTCOMES
    assert first.why
    assert (first.extracted is not None) == (first.outcome in {"correct", "wrong", "not_scored"})
    assert grade(text, question, finish_reason, reasoning) == first


@settings(max_examples=400)
@given(text=REPLIES, n_options=st.integers(3, 10))
def test_a_letter_is_one_of_the_question(text: str, n_options: int) -> None:
    letters = mmlu_pro.LETTERS[:n_options]

    extracted = grade(text, choice(letters)).extracted

    assert extracted is None or (len(extracted) == 1 and extracted in letters)


@settings(max_examples=300)
@given(
    thought=REPLIES,
    pair=st.sampled_from(sorted(PAIRS.items())),
    reply=st.one_of(
        st.builds(str.format, st.sampled_from(ASKED), st.sampled_from("ABCD")),
        st.sampled_from(["It depends.", f"```python\ndef count_distinct_characters(string):\n{BODY}\n```", BODY]),
    ),
    question=st.sampled_from([choice(), CODE, COMPLETED]),
)
def test_closed_thinking_in_front_changes_nothing(
    thought: str, pair: tuple[str, str], reply: str, question: Question
) -> None:
    opening, closing = pair
    assume(closing not in thought.lower())

    assert grade(f"{opening}{thought}{closing}{reply}", question) == grade(reply, question)
    assert grade(reply, question, reasoning=thought) == grade(reply, question)


@settings(max_examples=200)
@given(thought=REPLIES, pair=st.sampled_from(sorted(PAIRS.items())), question=QUESTIONS)
def test_thinking_that_never_ends_is_never_graded(thought: str, pair: tuple[str, str], question: Question) -> None:
    opening, closing = pair
    assume(closing not in thought.lower())

    assert grade(opening + thought, question).outcome == "truncated"


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda text: f"**{text}**", id="bold"),
        pytest.param(lambda text: f"*{text}*", id="italic"),
        pytest.param(lambda text: f"> {text}".replace("\n", "\n> "), id="quote"),
        pytest.param(lambda text: f"### {text}", id="heading"),
        pytest.param(lambda text: f"- {text}", id="list"),
        pytest.param(lambda text: f"\n\n{text}\n\n", id="empty-lines"),
        pytest.param(lambda text: text.replace("\n", "\r\n") + "\r\n", id="crlf"),
        pytest.param(lambda text: f"Sure!\n\n---\n\n{text}", id="rule"),
    ],
)
@pytest.mark.parametrize("form", ASKED)
def test_markdown_around_an_answer_changes_nothing(form: str, wrap: Callable[[str], str]) -> None:
    for letter in "ABCD":
        assert grade(wrap(form.format(letter)), choice()).extracted == letter


@given(texts=st.lists(REPLIES, max_size=8), order=st.randoms(use_true_random=False))
def test_the_order_of_replies_does_not_matter(texts: list[str], order: object) -> None:
    asked = [(record(text, repeat=number), choice()) for number, text in enumerate(texts)]
    shuffled = list(asked)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    grader = Grader(NoSandbox("not here", ""))

    in_order = {grade.key: grade for grade in grader.grade_all(asked)}

    assert {grade.key: grade for grade in grader.grade_all(shuffled)} == in_order

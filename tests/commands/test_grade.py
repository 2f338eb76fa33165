"""Answers made elsewhere are graded as a run's are, and no line of the file is lost without a word."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evaluator.benchmarks import gsm8k, humaneval, mmlu_pro
from evaluator.benchmarks.benchmark import PromptForm
from evaluator.cli import main
from evaluator.grade.sandbox import NoSandbox

QUESTION = mmlu_pro.load(shots=0)[0]
NUMBER = int(QUESTION.id)
RIGHT = f"The answer is ({QUESTION.answer})."
OTHER = "B" if QUESTION.answer == "A" else "A"
WRONG = f"The answer is ({OTHER})."
BODY = "    return len(set(string.lower()))\n"
CODE = f"```python\ndef count_distinct_characters(string: str) -> int:\n{BODY}```"


def grade(folder: Path, *lines: Any, benchmark: str = "mmlu_pro", more: tuple[str, ...] = ()) -> Result:
    """Grade a file of these lines; what is no string is written as JSON."""
    file = folder / "answers.jsonl"
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return CliRunner().invoke(main, ["grade", str(file), "--benchmark", benchmark, *more])


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param({"text": RIGHT}, ("correct", QUESTION.answer, True), id="right"),
        pytest.param({"text": WRONG}, ("wrong", OTHER, False), id="wrong"),
        pytest.param({"text": RIGHT, "finish_reason": "length"}, ("truncated", None, False), id="cut"),
        pytest.param({"text": f"<think>{RIGHT}"}, ("truncated", None, False), id="thinking-never-ends"),
        pytest.param({"text": RIGHT, "finish_reason": "MAX_TOKENS"}, ("truncated", None, False), id="cut-gemini"),
        pytest.param({"text": RIGHT, "done_reason": "length"}, ("truncated", None, False), id="cut-ollama"),
        pytest.param({"text": RIGHT, "stop_reason": "max_tokens"}, ("truncated", None, False), id="cut-anthropic"),
        pytest.param({"text": RIGHT, "stop_reason": 128009}, ("correct", QUESTION.answer, True), id="a-token-of-vllm"),
        pytest.param({"text": "", "reasoning": RIGHT}, ("empty", None, False), id="only-reasoning"),
        pytest.param({"text": None, "reasoning": RIGHT}, ("empty", None, False), id="null-and-reasoning"),
        pytest.param({"reasoning": RIGHT}, ("empty", None, False), id="no-text-but-reasoning"),
        pytest.param({"text": None}, ("empty", None, False), id="null"),
        pytest.param({"text": None, "finish_reason": "length"}, ("truncated", None, False), id="null-and-cut"),
        pytest.param({"text": None, "error": "timed out"}, ("failed", None, None), id="failed"),
        pytest.param({"error": {"code": 500}}, ("failed", None, None), id="failed-without-text"),
        pytest.param({"text": RIGHT, "error": "second try"}, ("correct", QUESTION.answer, True), id="failed-at-first"),
        pytest.param({"text": RIGHT, "error": None}, ("correct", QUESTION.answer, True), id="no-error"),
        pytest.param({"text": RIGHT, "finish_reason": "error"}, ("failed", None, None), id="broken-off"),
        pytest.param({"text": WRONG, "reasoning": RIGHT}, ("wrong", OTHER, False), id="reasoning-is-not-graded"),
        pytest.param({"text": "It depends."}, ("unparsed", None, False), id="no-letter"),
        pytest.param({"text": "I'm sorry, I can't help."}, ("refused", None, False), id="refusal"),
        pytest.param({"text": RIGHT, "reasoning": None, "finish_reason": None}, ("correct", QUESTION.answer, True)),
        pytest.param({"text": RIGHT, "model": {"name": "m"}}, ("correct", QUESTION.answer, True), id="more-keys"),
        pytest.param(
            {"text": RIGHT, "format": "mcq", "task_id": 3}, ("correct", QUESTION.answer, True), id="their-keys"
        ),
        pytest.param(
            {"text": RIGHT, "n_options": len(QUESTION.letters)}, ("correct", QUESTION.answer, True), id="its-n-options"
        ),
    ],
)
def test_an_answer_gets_its_outcome(tmp_path: Path, line: Any, expected: tuple[Any, ...]) -> None:
    result = grade(tmp_path, {"question_id": NUMBER, **line})

    (row,) = rows(result)
    assert result.exit_code == 0, result.stderr
    assert (row["outcome"], row["extracted"], row["correct"]) == expected
    assert row["why"]


@pytest.mark.parametrize(
    ("n_options", "text", "expected"),
    [
        pytest.param(4, "The answer is (D).", (None, "D", None), id="letter"),
        pytest.param(3, "The answer is (D).", ("unparsed", None, None), id="not-its-letter"),
        pytest.param(10, "", ("empty", None, None), id="empty"),
    ],
)
def test_an_answer_to_an_unknown_question_is_read_and_not_compared(
    tmp_path: Path, n_options: int, text: str, expected: tuple[Any, ...]
) -> None:
    result = grade(tmp_path, {"n_options": n_options, "text": text})

    (row,) = rows(result)
    assert result.exit_code == 0
    assert (row["outcome"], row["extracted"], row["correct"]) == expected
    assert "accuracy" not in result.stderr


def test_lines_come_out_in_order_with_the_identity_they_came_with(tmp_path: Path) -> None:
    given: list[dict[str, Any]] = [
        {"id": "a", "question_id": NUMBER},
        {"id": 2, "question_id": str(NUMBER)},
        {"n_options": 5},
        {"id": [1, "x"], "question_id": NUMBER},
    ]

    result = grade(tmp_path, *[{**identity, "text": RIGHT} for identity in given])

    judged = {"outcome", "extracted", "correct", "why"}
    assert [{key: value for key, value in row.items() if key not in judged} for row in rows(result)] == given


GOOD = {"question_id": NUMBER, "text": RIGHT}
BAD: dict[str, tuple[Any, str]] = {
    "no JSON": ("The answer is (C).", "not JSON"),
    "half a line": ('{"question_id": 1, "te', "not JSON"),
    "no object": ("[1, 2]", "not an answer"),
    "no text": ({"question_id": NUMBER}, "it has no text"),
    "text is no text": ({"question_id": NUMBER, "text": 3}, "$.text"),
    "id is a list": ({"question_id": [NUMBER], "text": RIGHT}, f"question_id is [{NUMBER}], and must be"),
    "id is true": ({"question_id": True, "text": RIGHT}, "question_id is True, and must be"),
    "unknown question": ({"question_id": 99_999_999, "text": RIGHT}, "no question with question_id 99999999"),
    "no id": ({"text": RIGHT}, "needs question_id or n_options, has none"),
    "not its number": ({"question_id": NUMBER, "n_options": 4, "text": RIGHT}, "options, and n_options is 4"),
    "the other benchmark's id": ({"task_id": "HumanEval/0", "text": RIGHT}, "has task_id"),
    "two options": ({"n_options": 2, "text": RIGHT}, "n_options is 2, and must be"),
    "eleven options": ({"n_options": 11, "text": RIGHT}, "n_options is 11, and must be"),
    "half an option": ({"n_options": 4.5, "text": RIGHT}, "n_options is 4.5, and must be"),
    "nested too deep": ('{"x": ' + "[" * 100_000, "not JSON"),
}


@pytest.mark.parametrize(("line", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_line_is_named_and_the_rest_is_graded(tmp_path: Path, line: Any, said: str) -> None:
    result = grade(tmp_path, GOOD, line, "", GOOD)

    (named,) = [told for told in result.stderr.splitlines() if "answers.jsonl" in told]
    assert result.exit_code == 1
    assert "answers.jsonl:2: " in named
    assert said in named
    assert [row["outcome"] for row in rows(result)] == ["correct", "correct"]
    assert "1 line could not be used" in result.stderr


@pytest.mark.parametrize("lines", [[], ["", " "], ["nonsense"]], ids=["empty", "blank", "bad"])
def test_a_file_without_a_usable_line_is_wrong_input(tmp_path: Path, lines: list[str]) -> None:
    output = tmp_path / "out.jsonl"

    result = grade(tmp_path, *lines, more=("--output", str(output)))

    assert result.exit_code == 2
    assert "no usable answer for MMLU-Pro" in result.stderr
    assert not output.exists()


def test_a_file_that_cannot_be_read_is_wrong_input(tmp_path: Path) -> None:
    for file in (tmp_path / "nowhere.jsonl", tmp_path):
        result = CliRunner().invoke(main, ["grade", str(file), "--benchmark", "mmlu_pro"])

        assert result.exit_code == 2
        assert f"{file}: cannot be read" in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("output", "said"),
    [
        pytest.param("answers.jsonl", "holds the answers", id="input"),
        pytest.param("gone/out.jsonl", "there is no folder", id="no-folder"),
        pytest.param("/dev/full", "cannot be written (No space left on device)", id="full-disk"),
    ],
)
def test_an_output_that_cannot_be_is_one_sentence(tmp_path: Path, output: str, said: str) -> None:
    result = grade(tmp_path, GOOD, more=("--output", str(tmp_path / output)))

    assert result.exit_code == 2
    assert said in result.stderr
    assert json.loads((tmp_path / "answers.jsonl").read_text()) == GOOD


def test_the_grades_are_alone_on_standard_output_and_the_summary_beside_it(tmp_path: Path) -> None:
    asked = [question.id for question in mmlu_pro.load(shots=0)[:4]]
    answers = [question.answer for question in mmlu_pro.load(shots=0)[:3]]
    right = [f"The answer is ({letter})." for letter in answers]

    lines = [{"question_id": i, "text": t} for i, t in zip(asked, [*right, "Hm."], strict=True)]
    result = grade(tmp_path, *lines, {"n_options": 4, "text": "The answer is (B)."})

    assert len(rows(result)) == 5
    assert result.stderr.splitlines() == [
        "MMLU-Pro: 5 answers: 3 correct, 1 unparsed, 1 read, with nothing to compare",
        "accuracy, strict: 75.0 % (3/4, 95 % interval 30.1 to 95.4 %)",
        "of the answered: 100.0 %",
        "bounds, the unanswered all wrong and all right: 75.0 to 100.0 %",
    ]


def test_with_output_the_file_holds_the_same_lines_and_the_terminal_the_summary(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("of an earlier time")

    piped = grade(tmp_path, GOOD, GOOD)
    written = grade(tmp_path, GOOD, GOOD, more=("--output", str(output)))

    assert output.read_text() == piped.stdout
    assert written.stdout == piped.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"answers.jsonl", "out.jsonl"}


def test_a_line_that_is_no_utf_8_is_a_bad_line(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_bytes(json.dumps(GOOD).encode() + b'\n{"question_id": 1, "text": "\xff"}\n')

    result = CliRunner().invoke(main, ["grade", str(file), "--benchmark", "mmlu_pro", "--output", "/dev/null"])

    assert result.exit_code == 1
    assert "answers.jsonl:2: not JSON ('utf-8' codec can't decode" in result.stderr


def test_a_line_too_long_to_hold_is_a_bad_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluator.benchmarks.answers_file._LONGEST_LINE", 1 << 20)

    result = grade(tmp_path, {**GOOD, "text": "x" * (1 << 21)}, GOOD)

    assert "answers.jsonl:1: longer than 1 MB" in result.stderr
    assert [row["outcome"] for row in rows(result)] == ["correct"]


ONE = ["accuracy, strict: 100.0 % (1/1, 95 % interval 20.7 to 100.0 %)", "of the answered: 100.0 %"]
SUMMARIES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "one right": (
        [{"text": RIGHT}],
        ["MMLU-Pro: 1 answer: 1 correct", *ONE, "bounds, the unanswered all wrong and all right: 100.0 to 100.0 %"],
    ),
    "none answered": (
        [{"text": ""}],
        [
            "MMLU-Pro: 1 answer: 1 empty",
            "accuracy, strict: 0.0 % (0/1, 95 % interval 0.0 to 79.3 %)",
            "of the answered: no answer could be read",
            "bounds, the unanswered all wrong and all right: 0.0 to 100.0 %",
        ],
    ),
    "all failed": ([{"text": None, "error": "timeout"}] * 2, ["MMLU-Pro: 2 answers: 2 failed"]),
    "one question twice": (
        [{"text": RIGHT}, {"text": WRONG}],
        [
            "MMLU-Pro: 2 answers: 1 correct, 1 wrong",
            "accuracy, strict: 50.0 % (1/2, the mean over 1 question)",
            "of the answered: 50.0 %",
            "bounds, the unanswered all wrong and all right: 50.0 to 50.0 %",
        ],
    ),
}


@pytest.mark.parametrize(("lines", "said"), SUMMARIES.values(), ids=SUMMARIES.keys())
def test_the_summary_is_true_of_few_answers(tmp_path: Path, lines: list[dict[str, Any]], said: list[str]) -> None:
    result = grade(tmp_path, *[{"question_id": NUMBER, **line} for line in lines])

    assert result.stderr.splitlines() == said


def test_standard_input_is_read(tmp_path: Path) -> None:
    text = "\ufeff" + json.dumps(GOOD) + "\r\nnonsense\n"

    result = CliRunner().invoke(main, ["grade", "-", "--benchmark", "mmlu_pro"], input=text)

    assert [row["outcome"] for row in rows(result)] == ["correct"]
    assert "standard input:2: " in result.stderr


CODED: dict[str, tuple[dict[str, str], str, bool]] = {
    "chat": ({"text": f"Here it is:\n{CODE}"}, "correct", True),
    "completion": ({"text": BODY + "\nprint(1)\n", "format": "completion"}, "correct", True),
    "a completion that begins anew": ({"text": CODE, "format": "completion"}, "correct", True),
    "the same function wrong, as a completion": (
        {"text": CODE.replace(".lower()", ""), "format": "completion"},
        "wrong",
        False,
    ),
    "wrong": ({"text": CODE.replace(".lower()", "")}, "wrong", False),
    "no code": ({"text": "One would count them."}, "unparsed", False),
}


@pytest.mark.parametrize(("line", "outcome", "correct"), CODED.values(), ids=CODED.keys())
def test_code_is_run(tmp_path: Path, line: dict[str, str], outcome: str, correct: bool) -> None:
    result = grade(tmp_path, {"task_id": "HumanEval/16", **line}, benchmark="humaneval")

    (row,) = rows(result)
    assert result.exit_code == 0, result.stderr
    assert (row["task_id"], row["outcome"], row["correct"]) == ("HumanEval/16", outcome, correct)
    assert ("def count_distinct_characters" in (row["extracted"] or "")) == (outcome != "unparsed")


def test_without_a_sandbox_code_is_read_and_not_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = NoSandbox(reason="bubblewrap is not installed", install="sudo apt install bubblewrap")
    monkeypatch.setattr("evaluator.commands.grade.find_sandbox", lambda: none)

    result = grade(tmp_path, {"task_id": "HumanEval/16", "text": CODE}, benchmark="humaneval")

    (row,) = rows(result)
    assert result.exit_code == 1
    assert (row["outcome"], row["correct"], row["why"]) == ("not_scored", None, "bubblewrap is not installed")
    assert row["extracted"]
    assert "sudo apt install bubblewrap" in result.stderr


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("The answer is (C).", "C", id="letter"),
        pytest.param("<think>The answer is (A).</think>The answer is (C).", "C", id="after-thinking"),
        pytest.param("<think>The answer is (C).", None, id="thinking-never-ends"),
        pytest.param("The answer is (J).", None, id="not-its-letter"),
        pytest.param("", None, id="empty"),
    ],
)
def test_a_program_can_read_the_letter(text: str, value: str | None) -> None:
    extraction = mmlu_pro.extract(text, "ABCD")

    assert extraction.value == value
    assert extraction.why


@pytest.mark.parametrize(
    ("form", "text", "found"),
    [
        pytest.param("chat", CODE, True, id="chat"),
        pytest.param("chat", f"<think>```python\nx\n```</think>{CODE}", True, id="after-thinking"),
        pytest.param("completion", BODY, True, id="completion"),
        pytest.param("chat", f"<think>{CODE}", False, id="thinking-never-ends"),
        pytest.param("completion", "", False, id="empty"),
    ],
)
def test_a_program_can_read_the_code(form: PromptForm, text: str, found: bool) -> None:
    problem = next(problem for problem in humaneval.load(form=form) if problem.id == "HumanEval/16")

    extraction = humaneval.extract(text, problem)

    assert (BODY in (extraction.value or "")) == found
    assert extraction.why


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param({"question_id": 0, "text": "#### 18"}, ("correct", "18", True), id="right"),
        pytest.param(
            {"question_id": "0", "text": "The answer is $18.00."}, ("correct", "18", True), id="spelled-otherwise"
        ),
        pytest.param({"question_id": 0, "text": "The answer is 20."}, ("wrong", "20", False), id="wrong"),
        pytest.param({"question_id": 0, "text": "Ducks lay 16 eggs."}, ("unparsed", None, False), id="no-answer"),
        pytest.param(
            {"question_id": 0, "text": "#### 18", "finish_reason": "length"}, ("truncated", None, False), id="cut"
        ),
        pytest.param(
            {"question_id": 0, "text": "<think>#### 18"}, ("truncated", None, False), id="thinking-never-ends"
        ),
        pytest.param({"question_id": 0, "text": "", "reasoning": "#### 18"}, ("empty", None, False), id="empty"),
        pytest.param({"question_id": 0, "text": "I can't help with that."}, ("refused", None, False), id="refusal"),
        pytest.param(
            {"question_id": 0, "text": "#### 18", "format": "completion"}, ("correct", "18", True), id="completion"
        ),
        pytest.param(
            {"question_id": 0, "text": "#### 18", "n_options": 4}, ("correct", "18", True), id="their-n-options"
        ),
    ],
)
def test_a_number_gets_its_outcome(tmp_path: Path, line: Any, expected: tuple[Any, ...]) -> None:
    result = grade(tmp_path, line, benchmark="gsm8k")

    (row,) = rows(result)
    assert result.exit_code == 0, result.stderr
    assert (row["outcome"], row["extracted"], row["correct"]) == expected
    assert row["why"]
    assert result.stderr.startswith("GSM8K: 1 answer: ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param({"text": "#### 18"}, "needs question_id, has none", id="no-id"),
        pytest.param({"n_options": 4, "text": "#### 18"}, "needs question_id, has n_options", id="n-options-only"),
        pytest.param({"question_id": 1319, "text": "1"}, "GSM8K has no question with question_id 1319", id="unknown"),
    ],
)
def test_a_line_that_names_no_question_of_gsm8k_is_left_out(tmp_path: Path, line: Any, said: str) -> None:
    result = grade(tmp_path, line, {"question_id": 0, "text": "#### 18"}, benchmark="gsm8k")

    assert said in result.stderr
    assert [row["outcome"] for row in rows(result)] == ["correct"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("The answer is 18.", "18", id="number"),
        pytest.param("<think>The answer is 20.</think>The answer is 18.", "18", id="after-thinking"),
        pytest.param("<think>The answer is 18.", None, id="thinking-never-ends"),
        pytest.param("", None, id="empty"),
    ],
)
def test_a_program_can_read_the_number(text: str, value: str | None) -> None:
    extraction = gsm8k.extract(text)

    assert extraction.value == value
    assert extraction.why

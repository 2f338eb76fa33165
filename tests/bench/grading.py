"""Measure grading: 12,032 answers of 5,000 characters as a whole process, and hostile answers of a megabyte.

Run by `make bench`. The answers are made here, from a fixed seed, out of the questions' own texts and the worked
examples that come with them. Seconds are CPU seconds; they mean something on the machine that printed them only.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evaluator.benchmarks import data_files, humaneval, mmlu_pro
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox
from evaluator.records import Answer, Key, Question, Record

LENGTH, HOSTILE_LENGTH = 5_000, 1_000_000
MOST_SECONDS, MOST_HOSTILE_SECONDS = 10, 0.1
BEGINNINGS = ("Let me work through this step by step.", "To solve this, recall what is known.", "**Step 1.** We begin.")
BETWEEN = (
    *("Next, consider what the options say.", "That rules some of them out.", "Let us look at another case.", "Wait."),
    *("- This does not follow from what is given.", "| step | value |\n|---|---|\n| 1 | $x^2$ |", "Checking again:"),
)
ENDINGS = (
    "Therefore, the answer is ({}).",
    "**The answer is ({}).**",
    "\\[\\boxed{{{}}}\\]",
    "Answer: {}",
    "So option {} is correct.",
    "### Final answer\n\n**{}**",
    "It cannot be decided from what is given.",
)
HOSTILE = (
    *(
        "(",
        "[",
        "{",
        "}{",
        "((()",
        "**",
        "*",
        "_",
        "`",
        "```\n",
        "~~~\n",
        "$",
        "\\",
        "\\boxed{",
        "\\boxed{A} ",
        "\\text{",
    ),
    *(
        "answer is ",
        "The answer is ",
        "The answer is (",
        "The answer is (A) ",
        "the answer is not ",
        "Answer: ",
        "answer",
    ),
    *(
        "Answer:\n",
        "option A ",
        "option A is correct ",
        "(A) or ",
        "A ",
        "A\n",
        "A, B, ",
        "A.",
        "not ",
        "if ",
        "I think ",
    ),
    *(
        "is the correct ",
        "correct answer ",
        "The correct option is ",
        "best choice: ",
        " is right",
        "is is ",
        "wait, no, ",
    ),
    *(
        "answer is (A) option B ",
        "\\boxed{ answer is ",
        "(A) is correct. (B) is correct. ",
        "Question: ",
        "\n",
        " ",
        "\t",
    ),
    *(
        "\r\n",
        "\r",
        "<think>",
        "</think>",
        "<think></think>",
        "`<think>`",
        "<|channel|>final<|message|>",
        "<",
        "> ",
        '"',
    ),
    *(
        "'",
        ":",
        ".",
        ",",
        "-",
        "=",
        "a",
        "\u00e9",
        "\u4f60",
        "\x00",
        "def f(x):\n",
        "    x\n",
        "class A:\n",
        "@a\n",
        "#\n",
    ),
    *(
        "return ",
        "import os\n",
        '"""',
        "'''",
        "lambda:",
        "x = [",
        "if x:\n",
        "1+",
        "-",
        "not x",
        "\\\n",
        "f'{",
        "assert ",
    ),
    *(
        "1. (A)\n",
        "Let's think step by step. ",
        "```python\nx\n```\n",
        "Therefore, ",
        "\u201c",
        "&",
        "the ",
        "answer: **(",
        "[",
    ),
)


def prose(rng: random.Random, question: Question, examples: list[str]) -> str:
    """Make an answer of a usual length and shape."""
    said = [rng.choice(BEGINNINGS), question.prompt.messages[0]["content"][200:900]]
    length = sum(map(len, said))
    while length < LENGTH - 60:
        letter = rng.choice(question.letters)
        option = question.options[question.letters.index(letter)]
        said.append(
            rng.choice(
                [
                    *(rng.choice(examples), rng.choice(BETWEEN)),
                    f"{letter}. {option}: this would need more than is given, so it is unlikely.",
                    f"Consider option {letter}, {option}. It can be true if the first step holds.",
                ]
            )
        )
        length += len(said[-1]) + 2
    text = "\n\n".join(said)[: LENGTH - 60]
    return f"{text}\n\n{rng.choice(ENDINGS).format(rng.choice([question.answer, rng.choice(question.letters)]))}"


def make_answers(file: Path) -> int:
    """Write an answer to each question; give the number of characters."""
    rng = random.Random(0)
    examples = [row.cot_content.removeprefix("A: ") for row in data_files.rows(mmlu_pro._VALIDATION, mmlu_pro._Row)]
    total = 0
    with file.open("w", encoding="utf-8") as stream:
        for question in mmlu_pro.load(shots=0):
            text = prose(rng, question, examples)
            total += len(text)
            line = {"question_id": int(question.id), "text": text, "finish_reason": "stop"}
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    return total


def whole_process(folder: Path) -> None:
    """Print what `whichquant grade` takes for all questions, start included."""
    answers, one = folder / "answers.jsonl", folder / "one.jsonl"
    total = make_answers(answers)
    with answers.open("rb") as stream:
        one.write_bytes(stream.readline())
    for file, what in ((one, "1 answer"), (answers, f"12,032 answers, {total / 12_032:,.0f} characters each")):
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        command = [sys.executable, "-m", "evaluator", "grade", str(file), "--benchmark", "mmlu_pro"]
        subprocess.run([*command, "--output", str(folder / "out.jsonl")], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(
            f"{what:42} {seconds:6.2f} s of CPU, {time.monotonic() - started:6.2f} s in all,"
            f" peak memory {megabytes(after.ru_maxrss):4.0f} MB{mark(seconds, MOST_SECONDS)}"
        )


def hostile() -> None:
    """Print what the worst of the hostile answers take, in seconds for each benchmark."""
    asked = {
        "mmlu_pro": mmlu_pro.load(shots=0)[0],
        "humaneval": humaneval.load()[0],
        "completion": humaneval.load(form="completion")[0],
    }
    grader = Grader(NoSandbox("code is not run here", ""))
    took: dict[str, list[float]] = {}
    for piece in dict.fromkeys(HOSTILE):
        text = piece * (HOSTILE_LENGTH // len(piece))
        took[piece] = [timed(grader, question, text) for question in asked.values()]
        took["The answer is (A). " + piece] = [
            timed(grader, question, f"The answer is (A).\n{text}") for question in asked.values()
        ]
    print(f"\na hostile answer of a megabyte{'':14} {''.join(f'{name:>12}' for name in asked)}")
    worst = sorted(took.items(), key=lambda row: -max(row[1]))
    for piece, seconds in worst[:12]:
        row = "".join(f"{second:12.3f}" for second in seconds)
        print(f"{piece!r:44} {row}{mark(max(seconds), MOST_HOSTILE_SECONDS)}")
    over = sum(max(seconds) > MOST_HOSTILE_SECONDS for seconds in took.values())
    print(f"{over} of {len(took)} kinds take more than {MOST_HOSTILE_SECONDS} s")
    print(f"peak memory of this process {megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss):.0f} MB")


def timed(grader: Grader, question: Question, text: str) -> float:
    """Give the CPU seconds of grading one answer."""
    answer = Answer(text=text, finish_reason="stop", duration_s=0)
    record = Record(key=Key(question.benchmark, question.id), variant="", started="", request={}, answer=answer)
    before = time.process_time()
    grader.grade(record, question)
    return time.process_time() - before


def megabytes(maxrss: int) -> float:
    """Convert what getrusage gives: kilobytes, but on macOS bytes."""
    return maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def mark(seconds: float, most: float) -> str:
    """Say where a limit is missed."""
    return f"  over {most:g} s" if seconds > most else ""


def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as folder:
        whole_process(Path(folder))
    hostile()


if __name__ == "__main__":
    main()

"""Files of answers as other programs write them: each answer is read, or one sentence says why it cannot be."""

import bz2
import codecs
import gzip
import json
import lzma
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from evaluator.benchmarks import BENCHMARKS
from evaluator.benchmarks.answer_line import record
from evaluator.benchmarks.answers_file import read
from evaluator.cli import main
from evaluator.errors import BadLineError
from evaluator.finish import end_of
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox
from evaluator.records import Grade

B = "The answer is (B)."
ROW = {"n_options": 4, "text": B}
INF = float("inf")
NAN = float("nan")


def graded(raw: bytes | dict[str, Any]) -> Grade:
    """Grade one line; what is no bytes is written as Python's json does."""
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    line, question = read(data, BENCHMARKS["mmlu_pro"])
    return Grader(NoSandbox("", "")).grade(record(line, question, 0), question)


READ: dict[str, bytes | dict[str, Any]] = {
    "not a number": {**ROW, "score": NAN},
    "minus infinity": {**ROW, "logprobs": [{"p": -INF}]},
    "too large a number": b'{"n_options": 4, "text": "The answer is (B).", "p": 1e999}',
    "a gap in a table": {**ROW, "question_id": NAN, "finish_reason": NAN, "reasoning": NAN, "error": NAN},
    "half of a character in the text": {**ROW, "text": f"Nice \ud83d {B}"},
    "the other half of it": {**ROW, "text": f"\ude00 {B}"},
    "half of a character elsewhere": {**ROW, "prompt": {"\udfff": ["\ud800"]}},
    "half of a character in what identifies it": {**ROW, "id": "\ud83d"},
    "parts": {**ROW, "text": [{"type": "text", "text": "The answer "}, {"type": "text", "text": "is (B)."}]},
    "parts of the Responses API": {**ROW, "text": [{"type": "output_text", "text": B, "annotations": []}]},
    "parts of Assistants": {**ROW, "text": [{"type": "text", "text": {"value": B, "annotations": []}}]},
    "parts without a type": {**ROW, "text": [{"text": B}]},
    "parts that are texts": {**ROW, "text": ["The answer ", "is (B)."]},
    "parts with thoughts": {
        **ROW,
        "text": [{"type": "thinking", "thinking": "Is it (A)?"}, {"type": "text", "text": B}],
    },
    "reasoning that is an object": {**ROW, "reasoning": {"effort": "low", "summary": None}},
    "reasoning in parts": {**ROW, "reasoning": [{"type": "reasoning", "text": "Is it (A)?"}]},
    "a reason that is an object": {**ROW, "finish_reason": {"type": "stop", "matched": 106}},
    "usage that is none": {**ROW, "usage": "12", "completion_tokens": "many", "max_tokens": [4096]},
    "blanks for what is not known": {**ROW, "finish_reason": "stop", "done_reason": "", "stop_reason": ""},
    "a stop string beside the reason": {**ROW, "finish_reason": "stop", "stop_reason": "Question:"},
    "a stop token beside the reason": {**ROW, "finish_reason": "stop", "stop_reason": 128009},
    "counts far below the limit": {**ROW, "finish_reason": "length", "completion_tokens": 14, "max_tokens": 4096},
}


@pytest.mark.parametrize("raw", READ.values(), ids=READ.keys())
def test_a_side_field_never_costs_an_answer(raw: bytes | dict[str, Any]) -> None:
    assert graded(raw).extracted == "B"


NOT_GRADED: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown word": ({"finish_reason": "capacity"}, "failed", "broke the reply off (capacity)"),
    "Ollama's": ({"done_reason": "load"}, "failed", "(load)"),
    "Anthropic's": ({"stop_reason": "pause_turn"}, "failed", "(pause_turn)"),
    "beside a good one": ({"finish_reason": "stop", "done_reason": "abort"}, "failed", "(abort)"),
    "empty": ({"finish_reason": ""}, "failed", "('')"),
    "number": ({"finish_reason": 0}, "failed", "(0)"),
    "false": ({"done_reason": False}, "failed", "(False)"),
    "list": ({"finish_reason": ["stop"]}, "failed", "(['stop'])"),
    "object without a type": ({"finish_reason": {"reason": "stop"}}, "failed", "({'reason': 'stop'})"),
    "object of a broken type": ({"finish_reason": {"type": "abort"}}, "failed", "({'type': 'abort'})"),
    "infinity": ({"finish_reason": INF}, "failed", "(inf)"),
    "stop at the limit": (
        {"finish_reason": "stop", "completion_tokens": 64, "max_tokens": 64},
        "truncated",
        "64 of the 64 tokens",
    ),
    "counts in usage": ({"usage": {"output_tokens": 64.0}, "max_tokens": "64"}, "truncated", "64 of the 64 tokens"),
    "one of two is a limit": ({"finish_reason": "stop", "done_reason": "length"}, "truncated", "limit"),
    "tool": ({"text": None, "tool_calls": [{"function": {"name": "answer"}}]}, "empty", "the tool answer"),
    "tool without its name": ({"text": "", "tool_calls": [{}, "f"]}, "empty", "the tool ?, f"),
    "refusal": ({"text": None, "refusal": "I can't help."}, "refused", "I can't help."),
    "tokens without text": ({"text": "", "usage": {"completion_tokens": 800}}, "failed", "800 tokens were generated"),
    "only thoughts": ({"text": [{"type": "thinking", "thinking": B}]}, "empty", "thinking, but no answer"),
    "no parts": ({"text": []}, "empty", "nothing was written"),
}


@pytest.mark.parametrize(("more", "outcome", "why"), NOT_GRADED.values(), ids=NOT_GRADED.keys())
def test_what_is_no_whole_answer_is_told_with_its_reason(more: dict[str, Any], outcome: str, why: str) -> None:
    grade = graded({**ROW, **more})

    assert (grade.outcome, grade.extracted) == (outcome, None)
    assert why in grade.why


SIMPLE = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANYTHING = st.recursive(SIMPLE, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(), one, max_size=3))
BESIDE = ("reasoning", "usage", "completion_tokens", "max_tokens", "stop_reason", "model", "logprobs")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(BESIDE, ANYTHING)))
def test_whatever_stands_beside_a_whole_answer_it_is_read(more: dict[str, Any]) -> None:
    grade = graded({**ROW, "finish_reason": "stop", **more})

    assert grade.extracted == "B" or "tokens allowed" in grade.why


@given(ANYTHING)
def test_only_a_reason_on_the_list_or_none_at_all_lets_an_answer_be_graded(reason: Any) -> None:
    said = None if isinstance(reason, float) and isnan(reason) else reason

    outcome = graded({**ROW, "finish_reason": reason}).outcome

    assert (outcome == "failed") == (said is not None and end_of(said) == "broken")


def run(folder: Path, data: bytes) -> tuple[int, str, str]:
    file = folder / "answers.jsonl"
    file.write_bytes(data)
    result = CliRunner().invoke(main, ["grade", str(file), "--benchmark", "mmlu_pro"])
    return result.exit_code, result.stdout, result.stderr


LINE = json.dumps(ROW).encode()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(codecs.BOM_UTF8 + LINE, id="mark"),
        pytest.param(codecs.BOM_UTF8 + LINE + b"\n" + codecs.BOM_UTF8 + LINE, id="two-files-in-one"),
        pytest.param(LINE + b"\r\n" + LINE + b"\r\n", id="crlf"),
        pytest.param(b"\n\n" + LINE, id="blank-lines"),
        pytest.param(json.dumps(ROW, ensure_ascii=False).encode() + b"\n\x0c", id="form-feed"),
    ],
)
def test_marks_and_line_ends_cost_nothing(tmp_path: Path, data: bytes) -> None:
    code, out, told = run(tmp_path, data)

    assert code == 0, told
    assert {json.loads(line)["extracted"] for line in out.splitlines()} == {"B"}


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"], ids=["mark", "little", "big", "utf-32"]
)
def test_an_encoding_that_is_not_read_is_named(tmp_path: Path, encoding: str) -> None:
    code, out, told = run(tmp_path, (json.dumps(ROW) + "\r\n").encode(encoding))

    assert (code, out) == (2, "")
    assert "UTF-16" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param('{"n_options": 4, "text": "B", "id": ' + "[" * 60 + "]" * 60 + "}", "nested too deep", id="deep"),
        pytest.param('{"n_options": 4, "text": [' + "[" * 3 + "]" * 3 + "]}", "$.text is", id="lists-for-parts"),
        pytest.param('{"n_options": 4, "text": [{"type": "image_url"}]}', "$.text is", id="parts-of-another-kind"),
        pytest.param('{"n_options": 4, "text": {"answer": "B"}}', "$.text is", id="object-for-text"),
        pytest.param('{"n_options": 4, "text": Nan}', "not JSON", id="misspelled"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_with_its_line(tmp_path: Path, line: str, why: str) -> None:
    code, _, told = run(tmp_path, LINE + b"\n" + line.encode())

    (named,) = [one for one in told.splitlines() if "answers.jsonl:2: " in one]
    assert code == 1
    assert why in named
    with pytest.raises(BadLineError):
        read(line.encode(), BENCHMARKS["mmlu_pro"])


@pytest.mark.parametrize(
    ("packed", "kind"),
    [
        pytest.param(gzip.compress(b"{}"), "gzip", id="gzip"),
        pytest.param(bz2.compress(b"{}"), "bzip2", id="bzip2"),
        pytest.param(lzma.compress(b"{}"), "xz", id="xz"),
        pytest.param(b"\x28\xb5\x2f\xfd\x20\x02", "zstd", id="zstd"),
        pytest.param(b"PK\x03\x04\x14\x00", "zip", id="zip"),
    ],
)
def test_a_packed_file_is_named_as_one(tmp_path: Path, packed: bytes, kind: str) -> None:
    (tmp_path / "answers").write_bytes(packed)
    result = CliRunner().invoke(main, ["grade", str(tmp_path / "answers"), "--benchmark", "mmlu_pro"])

    assert result.exit_code == 2
    assert f"is compressed ({kind}): unpack it first" in result.stderr


@pytest.mark.parametrize("text", ["[%s]", "[\n%s\n]", "[%s,\n%s]", " [ %s ,\n %s]"])
def test_an_array_is_named_as_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "answers").write_text(text.replace("%s", json.dumps(ROW)))
    result = CliRunner().invoke(main, ["grade", str(tmp_path / "answers"), "--benchmark", "mmlu_pro"])

    assert "answers:1: not an answer but a JSON array" in result.stderr


def test_options_are_counted_in_tables_with_gaps_too(tmp_path: Path) -> None:
    lines = [json.dumps(ROW | {"n_options": count}) for count in (4, 4.0, 10.0, 4.5, 2.0, "4", True)]
    lines.append('{"n_options": 1e999, "text": "B"}')
    (tmp_path / "answers").write_text("\n".join(lines))
    result = CliRunner().invoke(main, ["grade", str(tmp_path / "answers"), "--benchmark", "mmlu_pro"])

    assert [json.loads(line)["extracted"] for line in result.stdout.splitlines()] == ["B", "B", "B"]
    assert "5 lines could not be used" in result.stderr

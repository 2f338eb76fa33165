"""The threats that are found after the run: from the records, or because of how it went."""

import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from evaluator import pipeline as conduct
from evaluator.checks.table import after
from evaluator.grade.sandbox import NoSandbox
from evaluator.records import Failure, Question, Record
from servers.fake import FakeModel
from servers.fake.dialects import LLAMA_SERVER
from tests.support.check_inputs import check_input, study_of, usual
from tests.support.honest import thinking, truncating
from tests.support.planted_faults import (
    Moody,
    full_at_1024,
    mistaken,
    reworded,
    seeded,
    slower,
    thoughtful,
    turning,
    with_usage,
)
from tests.support.planting import (
    HOT,
    ON,
    Planted,
    Served,
    Threat,
    Told,
    again,
    at_questions,
    bad,
    built,
    coding,
    edited,
    found,
    late,
    llama,
    said,
    thoughts,
)


def unscored() -> Told:
    plan = Planted(good=Served(script=coding), bad=Served(script=coding), benchmark="humaneval: {questions: 5}")
    nothing = NoSandbox(reason="no sandbox here", install="")
    with tempfile.TemporaryDirectory() as folder, patch.object(conduct, "find_sandbox", lambda: nothing):
        return found(plan, Path(folder))


def half_asked_again(record: Record, number: int) -> Record:
    """Let b be asked again with more tokens, and leave a reply of a cut off."""
    if record.variant == "b":
        return replace(record, request={**record.request, "max_tokens": 8192})
    if number or record.answer is None:
        return record
    return replace(record, answer=replace(record.answer, finish_reason="length"))


def failures_graded() -> Told:
    def one_fails(question: Question, number: int) -> Any:
        return Failure(kind="server_error", message="x") if number == 7 else usual(question, number)

    scene = check_input(study_of(n=100), {"b": one_fails})
    wrongly = [replace(grade, outcome="wrong") if grade.outcome == "failed" else grade for grade in scene.grades]
    return Told((), after(replace(scene, grades=wrongly)))


WORDS = " ".join(f"word{number * number % 7919}" for number in range(1000))
WORDY = said(reasoning=WORDS)
CACHED = {"prompt_tokens": 100, "completion_tokens": 6, "prompt_tokens_details": {"cached_tokens": 90}}
COLD = {**CACHED, "prompt_tokens_details": {"cached_tokens": 0}}
AFTER: tuple[Threat, ...] = (
    late("T1 thinking truncated", "1000 words of thoughts, 800 tokens", thoughts(WORDY, 3), "cut_off", "block"),
    late("T2 empty content", "thoughts, and no text", thoughts(said(text=None), 3), "cut_off", "block"),
    late(
        "T3 hidden budget",
        "thoughts end at one length, as stop",
        thoughts(said(reasoning=WORDS[:4000])),
        "hidden_budget",
        "warn",
    ),
    late(
        "T4 thinks now and then",
        "no thoughts in some replies",
        Planted(
            good=Served(script=thinking),
            bad=Served(script=at_questions(said(reasoning=""), one_in=5, script=thinking)),
        ),
        "thinking_share",
        "note",
    ),
    late(
        "T5 tags in graded text",
        "`<|im_end|>` after each answer",
        bad(at_questions(lambda reply: replace(reply, text=f"{reply.text}<|im_end|>"))),
        "tags",
        "block",
    ),
    late(
        "T8 context ignored",
        "total_tokens pinned at 1024",
        bad(at_questions(full_at_1024), sampling=HOT.replace("800", "1200").replace("0.7", "0")),
        "context_full",
        "block",
    ),
    late(
        "T11 swapped during the run",
        "half of the replies name another model",
        bad(at_questions(said(extra={"model": "another"}), one_in=2)),
        "model_changed",
        "block",
    ),
    late(
        "T11 another file after the run",
        "/props shows another model_path",
        Planted(good=llama(), bad=Served(dialect=replace(LLAMA_SERVER, respond=turning))),
        "changed",
        "block",
    ),
    late(
        "T15 prompt cache",
        "cached_tokens of one server",
        Planted(good=Served(script=with_usage(COLD)), bad=Served(script=with_usage(CACHED))),
        "prompt_cache",
        "note",
        whom=None,
    ),
    late(
        "T17 failures above 2 %",
        "HTTP 500 for one question in eight",
        bad(at_questions(said(status=500, error="out of memory"), one_in=8)),
        "no_reply",
        "block",
    ),
    late(
        "T17 failures graded wrong",
        "grades built by hand",
        failures_graded,
        "failure_graded",
        "block",
        whom="b",
        also=(("no_reply", "warn"),),
    ),
    late(
        "T17 the server died", "facts built by hand", built(facts={"b": {"restarts": 1}}), "restarted", "warn", whom="b"
    ),
    late(
        "T18 unparsed",
        "no letter in one reply of four",
        bad(at_questions(said(text="I am not sure."), one_in=4)),
        "unparsed",
        "warn",
    ),
    late(
        "T18 most are unreadable",
        "no letter in any reply",
        bad(at_questions(said(text="I am not sure."))),
        "unreadable",
        "block",
        also=(("unparsed", "warn"), ("floor", "warn")),
    ),
    late(
        "T19 loops",
        "one sentence sixty times",
        bad(at_questions(lambda reply: replace(reply, text=f"{reply.text}\n" * 60), one_in=4)),
        "loops",
        "warn",
    ),
    late("T20 prompts differ", "records edited", Planted(then=edited(reworded)), "prompts", "block"),
    late(
        "more asked after a report",
        "20 questions, then 30",
        Planted(then=again("questions: 20", "questions: 30")),
        "extended",
        "note",
        whom=None,
    ),
    late(
        "a rule changed after the answers",
        "margin 10, then 5",
        Planted(then=again("margin: 10", "margin: 5")),
        "rule_changed",
        "warn",
        whom=None,
    ),
    late(
        "T22 ceiling",
        "80 of 80 right",
        Planted(benchmark="mmlu_pro: {questions: 80, shots: 0}"),
        "ceiling",
        "warn",
        whom=None,
    ),
    late("T22 floor", "all wrong", bad(mistaken(1, 1)), "floor", "warn", whom=None),
    late(
        "T23 implausible score",
        "a gemma-4-26b-a4b that scores 30 %",
        Planted(
            good=Served(script=thinking, settings=ON),
            bad=Served(script=thoughtful(mistaken(7, 10)), settings=ON, model=FakeModel(id="gemma-4-26b-a4b-it-4bit")),
            benchmark="mmlu_pro: {questions: 50, shots: 0}",
        ),
        "implausible",
        "warn",
    ),
    late(
        "T25 drift",
        "records edited: the last third at a quarter of the speed",
        Planted(
            good=Served(script=mistaken(1, 4)),
            bad=Served(script=mistaken(1, 4)),
            benchmark="mmlu_pro: {questions: 92, shots: 0}",
            then=edited(slower),
        ),
        "drift",
        "warn",
    ),
    late("T27 no sandbox", "HumanEval where there is none", unscored, "not_scored", "block"),
    late(
        "T28 seed makes it serial",
        "records built by hand",
        built(facts={"a": {"runtime": "mlx_lm"}, "b": {"runtime": "mlx_lm"}}, edit=seeded),
        "seed_serial",
        "note",
        whom="b",
    ),
    late(
        "some asked with more tokens",
        "--more-tokens 1600",
        thoughts(WORDY, 3, then=again("", "", "--more-tokens", "1600")),
        "more_tokens",
        "note",
    ),
    late(
        "asked with more tokens, but not of all",
        "records edited",
        built(edit=half_asked_again),
        "more_tokens_unequal",
        "block",
        whom="a",
    ),
    late(
        "a block overruled",
        "--force",
        bad(truncating),
        "forced",
        "note",
        whom=None,
        also=(("cut_prompts", "block"), ("unparsed", "warn")),
    ),
    late("not checked", "--no-check", Planted(options=("--no-check",)), "unchecked", "note", whom=None),
    late(
        "baseline scores otherwise",
        "wrong when it is asked again",
        Planted(good=Served(script=Moody), extra="decide: {noise_floor: 20}\n"),
        "unsteady",
        "block",
        whom="good",
    ),
)

"""The threats that are found after the run: from the records, or because of how it went."""

import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from evaluator.benchmarks import humaneval
from evaluator.checks.table import after
from evaluator.grade.sandbox import NoSandbox
from evaluator.records import Failure, Grade, Key, Question, Record
from evaluator.store.proofs import Thought
from servers.fake.dialects import LLAMA_SERVER
from tests.support.check_inputs import (
    AT,
    ON,
    Reply,
    changed,
    check_input,
    cut,
    first_right,
    study_of,
    thinking,
    usual,
    with_,
)
from tests.support.planted_faults import Moody, reworded, seeded, turning
from tests.support.planted_runs import (
    Findings,
    PlantedRun,
    Served,
    again,
    at_questions,
    changed_reply,
    coding,
    edited,
    llama,
    run_in,
    thoughts,
    with_script,
)
from tests.support.threat import Threat, by_hand, late


def unscored() -> Findings:
    plan = PlantedRun(good=Served(script=coding), bad=Served(script=coding), benchmark="humaneval: {questions: 5}")
    nothing = NoSandbox(reason="no sandbox here", install="")
    with tempfile.TemporaryDirectory() as folder, patch("evaluator.rebuild.find_sandbox", lambda: nothing):
        return run_in(Path(folder), plan)


def half_asked_again(record: Record, number: int) -> Record:
    """Let b be asked again with more tokens, and leave a reply of a cut off."""
    if record.variant == "b":
        return replace(record, request={**record.request, "max_tokens": 8192})
    if number or record.answer is None:
        return record
    return replace(record, answer=replace(record.answer, finish_reason="length", completion_tokens=4096))


def failures_graded() -> Findings:
    def one_fails(question: Question, number: int) -> Any:
        return Failure(kind="server_error", message="x") if number == 7 else usual(question, number)

    given = check_input(study_of(n=100), {"b": one_fails})
    wrongly = [replace(grade, outcome="wrong") if grade.outcome == "failed" else grade for grade in given.grades]
    return Findings((), after(replace(given, grades=wrongly)))


def contradicted() -> Findings:
    problem = next(problem for problem in humaneval.load() if problem.id in humaneval.FLAWS)
    key = Key(problem.benchmark, problem.id)
    wrong = Grade(key=key, variant="b", outcome="wrong", extracted="pass", why="x")
    right = Grade(key=key, variant="a", outcome="correct", extracted="pass", why="x")
    given = check_input(study_of(n=100), {})
    grades = [*given.grades, wrong, right]
    return Findings((), after(replace(given, asked={**given.asked, key: problem}, grades=grades)))


def answers_of_the_question_before() -> Any:
    """Give each question the answer to the one before it, in the words of its option."""
    last = ["Hello."]

    def give(question: Question, number: int) -> Reply:
        before, last[0] = last[0], question.options[question.letters.index(question.answer)]
        plain = usual(question, number)
        return replace(plain, text=f"{plain.text[:-1]}: {before}.")

    return give


WORDS = " ".join(f"word{number * number % 7919}" for number in range(1000))
WORDY = changed_reply(reasoning=WORDS)
THOUGHT = {"thought": Thought(reasoned=True, separated=True)}
BOTH_THINK: dict[str, Any] = {"study": study_of(ON, ON), "proofs": {"a": THOUGHT, "b": THOUGHT}}


def of_one_length(question: Question, number: int) -> Reply:
    """Think as long for each question."""
    plain = usual(question, number)
    return replace(plain, reasoning=WORDS[:4000], completion_tokens=1200 + number)


AFTER: tuple[Threat, ...] = (
    late(
        "T1 thinking truncated",
        "thoughts in which the limit is reached",
        by_hand(**BOTH_THINK, replies={"a": thinking(100), "b": thinking(100, cut(33))}),
        "cut_off",
        "block",
    ),
    late(
        "T2 empty content",
        "thoughts, and no text",
        by_hand(**BOTH_THINK, replies={"a": thinking(100), "b": thinking(100, with_(33, text=""))}),
        "cut_off",
        "block",
    ),
    late(
        "T1 cut by the server",
        "length after 64 of 4,096 tokens",
        by_hand(replies={"b": with_(33, text="Let us see, first", finish_reason="length", completion_tokens=64)}),
        "server_limit",
        "block",
        also=(("cut_off", "warn"),),
    ),
    late(
        "T1 length for every end",
        "whole replies, of which the server says that they were cut",
        by_hand(replies={"b": with_(100, finish_reason="length")}),
        "says_length",
        "note",
    ),
    late(
        "T3 hidden budget",
        "thoughts end at one length, as stop",
        by_hand(**BOTH_THINK, replies={"a": thinking(100), "b": of_one_length}),
        "hidden_budget",
        "warn",
    ),
    late(
        "T4 thinks now and then",
        "no thoughts in some replies",
        by_hand(proofs=BOTH_THINK["proofs"], replies={"a": thinking(100), "b": thinking(80)}),
        "thinking_share",
        "note",
    ),
    late(
        "T5 tags in graded text",
        "`<|im_end|>` after each answer",
        by_hand(replies={"b": changed(100, lambda answer, _: replace(answer, text=f"{answer.text}<|im_end|>"))}),
        "tags",
        "block",
    ),
    late(
        "T8 context ignored",
        "total_tokens pinned at 1024",
        by_hand(
            replies={
                "b": changed(20, lambda answer, i: replace(answer, prompt_tokens=300 + i, completion_tokens=724 - i))
            }
        ),
        "context_full",
        "block",
    ),
    late(
        "T11 swapped during the run",
        "half of the replies name another model",
        by_hand(
            study_of(AT, AT),
            proofs={"a": {"model": "m"}, "b": {"model": "n"}},
            replies={
                "a": with_(100, model="m"),
                "b": changed(100, lambda answer, i: replace(answer, model="another" if i % 2 else "n")),
            },
        ),
        "model_changed",
        "block",
    ),
    late(
        "T11 another file after the run",
        "/props shows another model_path",
        PlantedRun(good=llama(), bad=Served(dialect=replace(LLAMA_SERVER, respond=turning))),
        "changed",
        "block",
    ),
    late(
        "T15 prompt cache",
        "cached_tokens of one server",
        by_hand(
            replies={
                "a": with_(100, prompt_tokens=100, cached_tokens=0),
                "b": with_(100, prompt_tokens=100, cached_tokens=90),
            }
        ),
        "prompt_cache",
        "note",
        whom=None,
    ),
    late(
        "T17 failures above 2 %",
        "HTTP 500 for one question in eight",
        with_script(at_questions(changed_reply(status=500, error="out of memory"), one_in=8)),
        "no_reply",
        "block",
    ),
    late(
        "T17 failures graded wrong",
        "grades built by hand",
        failures_graded,
        "failure_graded",
        "block",
        also=(("no_reply", "warn"),),
    ),
    late("T17 the server died", "facts built by hand", by_hand(facts={"b": {"restarts": 1}}), "restarted", "warn"),
    late(
        "T17 the server was busy",
        "records built by hand",
        by_hand(edit=lambda record, _: replace(record, at_once=1 if record.variant == "b" else None)),
        "fewer_at_once",
        "warn",
    ),
    late(
        "T18 unparsed",
        "no letter in one reply of four",
        by_hand(replies={"b": with_(25, text="I am not sure.")}),
        "unparsed",
        "warn",
    ),
    late(
        "T18 most are unreadable",
        "no letter in any reply",
        by_hand(replies={"b": with_(100, text="I am not sure.")}),
        "unreadable",
        "block",
        also=(("unparsed", "warn"), ("floor", "warn")),
    ),
    late(
        "T19 loops",
        "one sentence sixty times",
        by_hand(replies={"b": changed(25, lambda answer, _: replace(answer, text=f"{answer.text}\n" * 60))}),
        "loops",
        "warn",
    ),
    late(
        "one reply for many questions",
        "a cache that does not look at the prompt",
        by_hand(replies={"b": with_(20, text=f"{WORDS[:100]} The answer is (A).")}),
        "same_text",
        "warn",
    ),
    late(
        "replies to other questions",
        "each reply quotes the right option of the question before",
        by_hand(replies={"b": answers_of_the_question_before()}),
        "others_reply",
        "block",
    ),
    late("T20 prompts differ", "records edited", PlantedRun(then=edited(reworded)), "prompts", "block"),
    late(
        "more asked after a report",
        "20 questions, then 30",
        PlantedRun(then=again("questions: 20", "questions: 30")),
        "extended",
        "note",
        whom=None,
    ),
    late(
        "a rule changed after the answers",
        "another margin in the plan",
        by_hand(plan={"changes": ("margin of mmlu_pro: 10, then 5",)}),
        "rule_changed",
        "warn",
        whom=None,
    ),
    late(
        "T22 ceiling",
        "all right",
        by_hand(replies={name: first_right(100) for name in "ab"}),
        "ceiling",
        "warn",
        whom=None,
    ),
    late("T22 floor", "all wrong", by_hand(replies={"b": first_right(0)}), "floor", "warn", whom=None),
    late(
        "T23 implausible score",
        "a gemma-4-26b-a4b that scores 30 %",
        by_hand(
            study_of(ON, f"{ON}, model: gemma-4-26b-a4b-it-4bit.gguf"),
            proofs=BOTH_THINK["proofs"],
            replies={"a": thinking(100), "b": thinking(100, first_right(30))},
        ),
        "implausible",
        "warn",
    ),
    late(
        "T25 drift",
        "the last third at a quarter of the speed",
        by_hand(
            study_of(n=150),
            replies={
                "b": changed(
                    150, lambda answer, i: replace(answer, completion_tokens=20, duration_s=1.0 if i < 100 else 4.0)
                )
            },
        ),
        "drift",
        "warn",
    ),
    late(
        "a question that contradicts its tests",
        "a wrong and a right answer to HumanEval/47",
        contradicted,
        "disputed",
        "note",
        whom=None,
    ),
    late("T27 no sandbox", "HumanEval where there is none", unscored, "not_scored", "block", whom="bad"),
    late(
        "T28 seed makes it serial",
        "records built by hand",
        by_hand(facts={"a": {"runtime": "mlx_lm"}, "b": {"runtime": "mlx_lm"}}, edit=seeded),
        "seed_serial",
        "note",
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
        by_hand(edit=half_asked_again),
        "more_tokens_unequal",
        "block",
        whom="a",
    ),
    late(
        "a block overruled",
        "--force",
        by_hand(facts={"b": {"context": 900}}, plan={"forced": True}),
        "forced",
        "note",
        whom=None,
        also=(("context", "block"), ("context", "warn")),
    ),
    late(
        "a busy machine",
        "a load above the number of processors when the run began",
        by_hand(plan={"busy": ("this machine is busy (load 9.1 on 8 processors)",)}),
        "busy_machine",
        "note",
        whom=None,
    ),
    late("not checked", "--no-check", PlantedRun(options=("--no-check",)), "unchecked", "note", whom=None),
    late(
        "baseline scores otherwise",
        "wrong when it is asked again",
        PlantedRun(good=Served(script=Moody), extra="decide: {noise_floor: 20}\n"),
        "unsteady",
        "block",
        whom="good",
    ),
)

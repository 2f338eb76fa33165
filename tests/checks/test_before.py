"""What servers say of themselves, and what they did when they were tried, is judged before the first question."""

from typing import Any

import pytest
from msgspec.structs import replace

from evaluator.checks.rule import CheckInput
from evaluator.checks.table import RULES, after, before
from evaluator.store.proofs import Length, Repeated, Thought, Together
from servers.probe import switch_ignored
from servers.spec import Machine
from tests.support.check_inputs import (
    FACTS,
    OURS,
    PROOFS,
    Found,
    after_of,
    before_of,
    check_input,
    shifted,
    study_of,
)

ON, OFF = f"{OURS}, thinking: true", f"{OURS}, thinking: false"
AT = 'base_url: "http://h/v1"'
THOUGHT = Thought(reasoned=True, separated=True)
SILENT = Thought(reasoned=False, separated=False)
BLIND = {"on": 20, "off": 20}


def in_both(**changes: Any) -> dict[str, dict[str, Any]]:
    return {"a": changes, "b": changes}


def second(**changes: Any) -> dict[str, dict[str, Any]]:
    """Change the variant b alone."""
    return {"b": changes}


def lengths(*counted: tuple[int, int | None]) -> tuple[Length, ...]:
    return tuple(Length(parts=parts, prompt_tokens=tokens) for parts, tokens in counted)


def repeated(temperature: float, different: int) -> Repeated:
    return Repeated(temperature=temperature, times=4, different=different)


def drawn(**more: float) -> dict[str, float]:
    return {**PROOFS.applied, **more}


@pytest.mark.parametrize(
    ("settings", "changes", "expected"),
    [
        pytest.param({"a": ON, "b": ON}, {"proofs": in_both(thought=THOUGHT)}, [], id="thinking-on-as-declared"),
        pytest.param({"a": OFF, "b": OFF}, {}, [], id="thinking-off-as-declared"),
        pytest.param(
            {"a": ON, "b": ON},
            {"proofs": {"a": {"thought": THOUGHT}}},
            [("thinking_off", "block", "b")],
            id="thinking-declared-on-and-none-comes",
        ),
        pytest.param(
            {"a": OFF, "b": OFF},
            {"proofs": second(thought=THOUGHT)},
            [("thinking_on", "block", "b")],
            id="thinking-declared-off-and-some-comes",
        ),
        pytest.param({}, {"proofs": second(thought=THOUGHT)}, [("thinking_differs", "warn", None)], id="one-thinks"),
        pytest.param({}, {"proofs": in_both(thought=THOUGHT)}, [], id="both-think-undeclared"),
        pytest.param(
            {"a": OFF, "b": OFF},
            {"proofs": second(thought=None, thinking_tokens=BLIND)},
            [("thinking_switch", "warn", "b")],
            id="switch-does-nothing-and-no-reply-shows-more",
        ),
        pytest.param(
            {"a": OFF, "b": OFF},
            {"proofs": second(thought=None, thinking_tokens={}), "facts": second(thinking_heard=False)},
            [("thinking_switch", "warn", "b")],
            id="template-knows-no-switch-and-no-reply-shows-more",
        ),
        pytest.param(
            {"a": OFF, "b": OFF},
            {"proofs": in_both(thinking_tokens=BLIND), "facts": in_both(thinking_heard=False)},
            [],
            id="a-model-that-cannot-think-needs-no-switch",
        ),
        pytest.param(
            {},
            {"proofs": in_both(thought=Thought(reasoned=True, separated=False, tags=("<think>",)))},
            [("unseparated", "warn", "a"), ("unseparated", "warn", "b")],
            id="thoughts-in-the-text",
        ),
        pytest.param(
            {},
            {"proofs": second(thought=replace(SILENT, tags=("<|im_end|>",)))},
            [("unseparated", "warn", "b")],
            id="template-marks-in-the-text",
        ),
    ],
)
def test_thinking_is_as_declared_and_kept_apart(settings: dict[str, Any], changes: Any, expected: Found) -> None:
    assert before_of(study_of(**settings), **changes) == expected


def test_a_switch_that_does_nothing_is_named_where_thinking_is_not_as_declared() -> None:
    given = check_input(study_of(ON, ON), proofs=in_both(thinking_tokens=BLIND))

    assert all("the switch for it does not change the prompt" in check.message for check in before(given))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"facts": second(context=4530)}, [], id="just-enough"),
        pytest.param({"facts": second(context=4529)}, [("context", "block", "b")], id="one-token-short"),
        pytest.param({"facts": second(context=None)}, [], id="context-unknown"),
        pytest.param(
            {"facts": second(context=4529), "proofs": second(lengths=())},
            [("context", "warn", "b")],
            id="short-by-an-estimate",
        ),
        pytest.param(
            {
                "facts": second(context=None),
                "proofs": second(lengths=(Length(parts=9, prompt_tokens=None, refused="too long"),)),
            },
            [("context", "block", "b")],
            id="refused",
        ),
        pytest.param(
            {"proofs": second(lengths=lengths((10, 180), (50, 780), (300, 4096)))},
            [],
            id="a-few-tokens-where-parts-meet",
        ),
        pytest.param(
            {"proofs": second(lengths=lengths((10, 180), (50, 780), (300, 4050)))},
            [("cut_prompts", "block", "b")],
            id="not-in-proportion",
        ),
        pytest.param(
            {"proofs": second(lengths=lengths((100, 1500), (300, 1500)))},
            [("cut_prompts", "block", "b")],
            id="longer-but-no-more-tokens",
        ),
        pytest.param({"proofs": second(lengths=lengths((100, 1500)), needle=False)}, [], id="a-small-model-forgets"),
        pytest.param(
            {"proofs": second(lengths=lengths((100, None), (300, None)), needle=False)},
            [("cut_prompts", "warn", "b")],
            id="uncounted-and-forgotten",
        ),
        pytest.param({"facts": second(command=("x", "--context-shift"))}, [("context_shift", "warn", "b")], id="shift"),
        pytest.param(
            {"facts": second(command=("x", "--context-shift", "--no-context-shift"))}, [], id="shift-taken-back"
        ),
    ],
)
def test_the_context_holds_a_question_and_its_reply(changes: Any, expected: Found) -> None:
    assert before_of(study_of(), **changes) == expected


@pytest.mark.parametrize(
    ("sampling", "changes", "expected"),
    [
        pytest.param(
            "{}", {"proofs": second(cold=repeated(0, 2))}, [("greedy_differs", "warn", "b")], id="greedy-differs"
        ),
        pytest.param(
            "{temperature: 0.7}",
            {"proofs": {"a": {"applied": {}}, "b": {"applied": {}, "cold": repeated(0, 2)}}},
            [("greedy_differs", "note", "b")],
            id="greedy-differs-where-nothing-is-greedy",
        ),
        pytest.param(
            "{}", {"proofs": second(hot=repeated(1, 1))}, [("sampling_ignored", "warn", "b")], id="hot-is-cold"
        ),
        pytest.param(
            "{temperature: 0.7}",
            {"proofs": {"a": {"applied": {}}, "b": {"applied": {}, "hot": repeated(1, 1)}}},
            [("sampling_ignored", "block", "b")],
            id="hot-is-cold-and-the-study-is-not",
        ),
        pytest.param(
            "{temperature: 0.7}",
            {"proofs": {"a": {"applied": {}}, "b": {"applied": {}, "hot": repeated(1, 1), "plain": repeated(0.7, 2)}}},
            [],
            id="answers-do-vary-with-the-study's-own-sampling",
        ),
        pytest.param(
            "{}",
            {"proofs": second(applied=drawn(temperature=0.8, top_k=40))},
            [("sampling_record", "warn", "b")],
            id="the-server's-record-differs",
        ),
        pytest.param("{top_p: 0.95}", {"proofs": in_both(applied=drawn(top_p=0.949999988))}, [], id="32-bit-floats"),
        pytest.param(
            "{temperature: null}",
            {"proofs": in_both(applied=drawn(temperature=0.8))},
            [("sampling_default", "warn", None)],
            id="temperature-left-to-the-server",
        ),
        pytest.param("{}", {"facts": second(unsent=("x",))}, [("unsent", "warn", "b")], id="cannot-be-told"),
    ],
)
def test_tokens_are_drawn_as_the_study_says(sampling: str, changes: Any, expected: Found) -> None:
    assert before_of(study_of(extra=f"sampling: {sampling}"), **changes) == expected


def test_every_value_that_was_not_drawn_with_is_named() -> None:
    given = check_input(study_of(), proofs=second(applied=drawn(temperature=0.8, top_k=40)))

    assert "temperature 0.8 (sent: 0) and top_k 40 (sent: 0)" in before(given)[0].message


def test_repeats_of_greedy_answers_are_noted() -> None:
    assert before_of(study_of(repeats=3)) == [("greedy_repeats", "note", None)]


@pytest.mark.parametrize(
    ("settings", "changes", "expected"),
    [
        pytest.param({}, {"facts": second(chat_template_sha256="8" * 64)}, [("template", "warn", None)], id="hash"),
        pytest.param({}, {"facts": second(chat_template_sha256=None)}, [], id="hash-unknown"),
        pytest.param({}, {"proofs": second(tokens=shifted(3))}, [("template_tokens", "block", "b")], id="equal-shift"),
        pytest.param(
            {},
            {"proofs": second(tokens=shifted(3)), "facts": second(chat_template_sha256="8" * 64)},
            [("template_tokens", "block", "b")],
            id="hash-and-shift-are-one-thing",
        ),
        pytest.param(
            {}, {"proofs": second(tokens=shifted(0, code=2))}, [("tokenizer", "block", "b")], id="other-shift"
        ),
        pytest.param({}, {"proofs": second(tokens=shifted(0, markup=-9))}, [("markup", "note", "b")], id="markup"),
        pytest.param({}, {"proofs": second(tokens=shifted(1))}, [("template_tokens", "block", "b")], id="one-token"),
        pytest.param({}, {"proofs": second(tokens={})}, [], id="uncounted"),
        pytest.param(
            {"a": OFF, "b": f"model: m, {ON}"},
            {"proofs": second(tokens=shifted(3), thought=THOUGHT)},
            [],
            id="thinking-shifts-the-prompt",
        ),
    ],
)
def test_all_variants_are_shown_the_same_prompt(settings: dict[str, Any], changes: Any, expected: Found) -> None:
    assert before_of(study_of(**settings), **changes) == expected


def test_one_token_between_two_runtimes_only_warns() -> None:
    changes = {"proofs": second(tokens=shifted(1)), "facts": second(runtime="mlx_lm", version="0.32")}

    assert ("template_tokens", "warn", "b") in before_of(study_of(), **changes)


@pytest.mark.parametrize(
    ("a", "b", "changes", "expected"),
    [
        pytest.param(AT, AT, {"proofs": {"a": {"model": "m"}, "b": {"model": "n"}}}, [], id="two-models"),
        pytest.param(AT, AT, {"proofs": in_both(model="m")}, [("same_model", "block", "b")], id="one-answers-for-both"),
        pytest.param(
            AT,
            AT,
            {"proofs": {"a": {"model": "m"}, "b": {"model": "x"}}},
            [("model_name", "warn", "b")],
            id="another-name",
        ),
        pytest.param(
            AT,
            AT.replace("//h", "//i"),
            {"proofs": in_both(model="default_model"), "facts": in_both(runtime="mlx_lm")},
            [],
            id="what-mlx_lm-is-asked-for",
        ),
        pytest.param(OURS, OURS, {"proofs": in_both(model="x")}, [], id="ours-we-name-ourselves"),
        pytest.param(OURS, OURS, {"facts": in_both(model_sha256="1")}, [("same_weights", "warn", "b")], id="same-file"),
        pytest.param(OURS, f"model: m, {OURS}", {"facts": in_both(model_sha256="1")}, [], id="a-build-and-itself"),
        pytest.param(
            OURS,
            "runtime: llama_server, kv_cache: q8_0, model: o",
            {"facts": {"a": {"model_sha256": "1"}, "b": {"model_sha256": "1", "kv_cache": "q8_0"}}},
            [("confounded", "warn", "b")],
            id="one-file-with-two-caches",
        ),
        pytest.param(OURS, OURS, {"facts": second(qat=True)}, [("qat", "note", None)], id="qat-by-its-file"),
        pytest.param(OURS, f"{OURS}, model: x-QAT.gguf", {}, [], id="qat-in-the-name-of-a-file"),
        pytest.param(
            OURS,
            f"{OURS}, model: x-QAT.gguf",
            {"facts": {"a": {"qat": True}}},
            [("qat", "note", None)],
            id="qat-by-one-file-and-by-another-name",
        ),
        pytest.param(OURS, f"{OURS}, model: qat/x.gguf", {}, [], id="qat-in-the-name-of-a-folder"),
        pytest.param(OURS, OURS, {"facts": second(model_id="gemma-qat")}, [], id="qat-in-the-servers-name-of-it"),
        pytest.param(OURS, OURS, {"facts": second(model_path="/m/qat.gguf")}, [], id="qat-in-the-servers-path"),
        pytest.param(OURS, OURS, {"facts": second(quantized_by="qat-lab")}, [], id="qat-in-the-name-of-a-person"),
        pytest.param(
            OURS,
            OURS,
            {"facts": second(broken_promise="its file says Q2_K, its tensors are Q4_0 × 9")},
            [("quantization", "note", "b")],
            id="another-type-than-promised",
        ),
        pytest.param(OURS, OURS, {"facts": in_both(qat=True)}, [], id="all-qat"),
    ],
)
def test_the_right_models_answer(a: str, b: str, changes: Any, expected: Found) -> None:
    assert before_of(study_of(a, b), **changes) == expected


LLAMA = "runtime: llama_server"
Q8 = f"{LLAMA}, kv_cache: q8_0"


@pytest.mark.parametrize(
    ("a", "b", "changes", "expected"),
    [
        pytest.param(Q8, Q8, {"facts": in_both(kv_cache="q8_0")}, [], id="as-asked"),
        pytest.param(Q8, Q8, {"facts": {"a": {"kv_cache": "q8_0"}}}, [("kv_cache", "block", "b")], id="another-type"),
        pytest.param(
            Q8,
            Q8,
            {"facts": {"a": {"kv_cache": "q8_0"}, "b": {"kv_cache": None}}},
            [("kv_unproved", "warn", "b")],
            id="unproved",
        ),
        pytest.param(LLAMA, LLAMA, {}, [], id="not-set-and-the-same"),
        pytest.param(LLAMA, LLAMA, {"facts": in_both(kv_cache=None)}, [("kv_unknown", "note", None)], id="unknown"),
        pytest.param(
            LLAMA,
            LLAMA,
            {"facts": second(kv_cache="q8_0")},
            [("kv_unknown", "warn", None)],
            id="not-set-and-different",
        ),
        pytest.param(LLAMA, LLAMA, {"facts": second(kv_cache=None)}, [("kv_unknown", "warn", None)], id="may-differ"),
        pytest.param(
            LLAMA, f"model: m, {Q8}", {"facts": second(kv_cache="q8_0")}, [], id="the-cache-is-what-is-compared"
        ),
    ],
)
def test_the_kv_cache_is_what_the_study_says(a: str, b: str, changes: Any, expected: Found) -> None:
    assert before_of(study_of(a, b), **changes) == expected


DEAF = switch_ignored(on=False)
DRAFT = ("server", "--model-draft", "d.gguf")


@pytest.mark.parametrize(
    ("b", "changes", "expected"),
    [
        pytest.param(OURS, {"facts": second(unmet=("x",))}, [("unmet", "warn", "b")], id="found-not-to-do-it"),
        pytest.param(
            OURS, {"facts": second(unmet=(DEAF,))}, [("unmet", "note", "b")], id="cannot-be-told-and-thinks-not"
        ),
        pytest.param(
            OURS,
            {"facts": second(unmet=(DEAF,)), "proofs": in_both(thought=THOUGHT)},
            [("unmet", "warn", "b")],
            id="cannot-be-told-and-thinks",
        ),
        pytest.param(OURS, {"facts": in_both(command=DRAFT)}, [("speculative", "note", None)], id="all-draft"),
        pytest.param(OURS, {"facts": second(command=DRAFT)}, [("speculative", "warn", None)], id="one-drafts"),
        pytest.param(OURS, {"facts": second(command=("s", "-md=d"))}, [("speculative", "warn", None)], id="short-flag"),
        pytest.param(OURS, {"facts": second(command=("s", "--spec-type", "none"))}, [], id="drafts-with-nothing"),
        pytest.param(OURS, {"facts": second(command=("s", "-mdx", "--special"))}, [], id="other-flags"),
        pytest.param(OURS, {"facts": second(version="b2")}, [("engines", "warn", "b")], id="another-build"),
        pytest.param(OURS, {"facts": second(version=None)}, [], id="build-unknown"),
        pytest.param(OURS, {"facts": second(runtime="ollama")}, [("engines", "warn", "b")], id="another-runtime"),
        pytest.param(
            f"model: m, {OURS}", {"facts": second(runtime="ollama")}, [], id="the-runtime-is-what-is-compared"
        ),
        pytest.param(OURS, {"facts": second(machine=Machine(os="Linux"))}, [("machines", "warn", None)], id="machine"),
        pytest.param(
            OURS, {"facts": second(machine=replace(FACTS.machine or Machine(os=""), power="battery"))}, [], id="power"
        ),
        pytest.param(OURS, {"facts": second(machine=None)}, [], id="machine-unknown"),
        pytest.param(f"{OURS}, args: [-x]", {}, [("confounded", "note", "b")], id="args-beside-the-model"),
        pytest.param(f"model: m, {OURS}, args: [-x]", {}, [], id="args-are-what-is-compared"),
    ],
)
def test_what_differs_beside_what_is_compared_is_named(b: str, changes: Any, expected: Found) -> None:
    assert before_of(study_of(b=b), **changes) == expected


def test_thinking_that_differs_beside_the_model_is_named() -> None:
    study = study_of(OFF, ON)

    assert before_of(study, proofs=second(thought=THOUGHT)) == [("confounded", "warn", "b")]


@pytest.mark.parametrize(
    ("concurrency", "changed", "mixed", "expected"),
    [
        pytest.param(4, 0, 0, [], id="alike"),
        pytest.param(4, 2, 0, [("batch_noise", "note", "b")], id="a-quarter-changes"),
        pytest.param(4, 3, 0, [("batch_noise", "warn", "b")], id="more-than-a-quarter-changes"),
        pytest.param(4, 1, 1, [("mixed", "block", "b")], id="mixed-up"),
        pytest.param(1, 3, 0, [], id="one-at-a-time"),
    ],
)
def test_questions_at_the_same_time_do_not_disturb_each_other(
    concurrency: int, changed: int, mixed: int, expected: Found
) -> None:
    study = study_of(extra=f"concurrency: {concurrency}")

    assert before_of(study, proofs=second(together=Together(prompts=8, changed=changed, mixed=mixed))) == expected


def test_another_model_in_the_middle_of_the_trial_blocks() -> None:
    assert before_of(study_of(), proofs=second(changed=("x",))) == [("changed", "block", "b")]


def test_what_could_not_be_tried_is_noted() -> None:
    assert before_of(study_of(), proofs=second(failures=("x",))) == [("untried", "note", "b")]


def test_a_sound_study_raises_no_alarm() -> None:
    assert before_of(study_of()) == []
    assert after_of(study_of()) == []


def test_what_is_not_known_raises_no_alarm() -> None:
    assert before(CheckInput(study=study_of(), facts={})) == ()
    assert after(CheckInput(study=study_of(), facts={})) == ()


def test_what_was_found_before_the_run_is_told_after_it_once() -> None:
    found = after_of(study_of(OFF, OFF), proofs=second(thought=THOUGHT, tokens=shifted(3), thinking_tokens=BLIND))

    assert found == [("template_tokens", "block", "b")], "no reply holds thoughts: the records know better"


def test_a_check_says_what_to_do() -> None:
    check = before(check_input(study_of(), facts=second(context=1024)))[0]

    assert check.advice == next(rule.advice for rule in RULES if rule.code == "context")
    assert check.evidence == {"context": 1024, "needed": 4530}


def test_arguments_are_shown_as_a_shell_takes_them() -> None:
    settings = """kv_cache: q8_0, args: [--chat-template-kwargs, '{"a": true}']"""
    found = before(check_input(study_of(OURS, f"{LLAMA}, model: o, {settings}")))

    assert "args (--chat-template-kwargs '{\"a\": true}', not none)" in " ".join(check.message for check in found)

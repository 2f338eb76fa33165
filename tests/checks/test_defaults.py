"""What whichquant started by itself is not reproached, and advice can be followed where it is given."""

import re
from typing import Any, get_args

import pytest

from evaluator.checks.ends import ADVICE, Cause, Ended, advice_for
from evaluator.checks.rule import CheckInput, Rule
from evaluator.checks.table import RULES, before
from evaluator.cli import main
from evaluator.grade.outline import outline
from evaluator.records import Answer, Grade, Key, Record
from evaluator.study.file import load_study
from evaluator.study.study import RUNNING, is_evaluated
from servers.runtime import openai
from servers.spec import KvType, RuntimeName, Sampling, ServerFacts, ServerSpec

KV = {"kv_cache", "kv_unproved", "kv_unknown"}
STARTED = ("llama_server", "mlx_lm", "omlx", "ollama", "lm_studio")
KNOWN = ("llama_server", "mlx_lm", "omlx", "ollama")
"""Started without settings of the user's own, which could hold another type."""


def facts(runtime: str, *, command: tuple[str, ...] = ("serve",), kv: str | None = None) -> ServerFacts:
    return ServerFacts(runtime=runtime, engine=runtime, command=command, kv_cache=kv)


def found(*served: tuple[dict[str, Any], ServerFacts]) -> list[tuple[str, str]]:
    """Give codes and severities of what is found of KV caches."""
    variants = [{"name": f"v{i}", "model": f"/m/{i}", **keys} for i, (keys, _) in enumerate(served)]
    study = load_study({"study": "s", "baseline": "v0", "variants": variants, "benchmarks": {"humaneval": {}}}).study
    given = CheckInput(study=study, facts={f"v{i}": of for i, (_, of) in enumerate(served)})
    return [(check.code, check.severity) for check in before(given) if check.code in KV]


def attached(runtime: str, port: int, kv: str | None = None) -> tuple[dict[str, Any], ServerFacts]:
    keys = {"base_url": f"http://127.0.0.1:{port}/v1", "runtime": runtime}
    return keys, facts(runtime, command=(), kv=kv)


@pytest.mark.parametrize("runtime", KNOWN)
@pytest.mark.parametrize("read", [None, "f16"], ids=["unread", "read"])
def test_a_default_of_our_own_starting_is_no_finding(runtime: RuntimeName, read: str | None) -> None:
    one = {"runtime": runtime}, facts(runtime, kv=read)

    assert found(one) == []
    assert found(one, one) == []
    assert found(one, ({"runtime": runtime, "kv_cache": "f16"}, facts(runtime))) == []


@pytest.mark.parametrize("runtime", KNOWN)
@pytest.mark.parametrize("kv", get_args(KvType))
@pytest.mark.parametrize("read", [None, *get_args(KvType)])
def test_a_type_that_is_set_is_proved_or_found(runtime: RuntimeName, kv: str, read: str | None) -> None:
    set_to = {"runtime": runtime, "kv_cache": kv}, facts(runtime, kv=read)
    if read is None:
        expected = [] if kv == "f16" else [("kv_unproved", "warn")]
    else:
        expected = [] if read == kv else [("kv_cache", "block")]

    assert found(set_to) == expected


@pytest.mark.parametrize("flag", ["-ctk", "--cache-type-v", "--kv-bits", "--kv-cache-dtype"])
@pytest.mark.parametrize("where", ["args", "command"])
def test_a_flag_of_the_user_s_own_makes_it_unknown(flag: str, where: str) -> None:
    plain = {"runtime": "llama_server"}, facts("llama_server")
    keys = {"runtime": "llama_server", **({"args": [flag, "8"]} if where == "args" else {})}
    with_flag = keys, facts("llama_server", command=("serve", flag, "8") if where == "command" else ("serve",))

    assert found(with_flag) == [("kv_unknown", "note")]
    assert found(plain, with_flag) == [("kv_unknown", "warn")]


@pytest.mark.parametrize("runtime", get_args(RuntimeName))
def test_what_runs_already_is_unknown_until_it_says(runtime: RuntimeName) -> None:
    assert found(attached(runtime, 1)) == [("kv_unknown", "note")]
    assert found(attached(runtime, 1), attached(runtime, 2)) == [("kv_unknown", "note")]
    assert found(attached(runtime, 1, "f16"), attached(runtime, 2, "f16")) == []
    assert found(attached(runtime, 1, "f16"), attached(runtime, 2, "q8_0")) == [("kv_unknown", "warn")]


def test_lm_studio_has_types_in_its_own_settings() -> None:
    assert set(STARTED) - set(KNOWN) == {"lm_studio"}
    assert found(({"runtime": "lm_studio"}, facts("lm_studio"))) == [("kv_unknown", "note")]


NOT_IN_EVAL = {
    *("sampling_default", "more_tokens_unequal", "template", "template_tokens", "tokenizer", "thinking_differs"),
    *("same_model", "same_weights", "qat", "kv_cache", "kv_unproved", "engines", "machines", "confounded"),
    *("prompts", "rule_changed", "extended", "cache_shares"),
}
"""Rules about several variants, or about what no option of `eval` sets."""
OF_A_STUDY = re.compile(
    r"decide|noise_floor|the study|\bargs\b|all variants|kv_cache|max_tokens|concurrency:|stream:|sampling\.|"
    r"--more-tokens|whichquant check|\bset (repeats|thinking|model)\b|the study's",
    re.IGNORECASE,
)
OPTIONS = {option for parameter in main.commands["eval"].params for option in parameter.opts}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.code not in NOT_IN_EVAL], ids=lambda rule: rule.code)
def test_advice_in_eval_can_be_followed_there(rule: Rule) -> None:
    advice = rule.in_eval or rule.advice

    assert not OF_A_STUDY.search(advice), advice
    if rule.in_eval:
        assert set(re.findall(r"--[a-z][a-z-]+", rule.in_eval)) <= OPTIONS


@pytest.mark.parametrize("cause", get_args(Cause))
def test_advice_on_what_was_cut_off_fits_the_way_of_asking(cause: Cause) -> None:
    key = Key("mmlu_pro", "1")
    answer = Answer(text="", duration_s=1.0)
    record = outline(Record(key=key, variant="m", started="", request={"max_tokens": 4096}, answer=answer))
    grade = Grade(key=key, variant="m", outcome="truncated", extracted=None, why="")
    assert record.reply is not None
    ended = [Ended(record, record.reply, grade)]

    advice = advice_for(cause, ended, evaluated=True)

    assert not OF_A_STUDY.search(advice)
    assert set(re.findall(r"--[a-z][a-z-]+", advice)) <= OPTIONS
    assert advice_for(cause, ended, evaluated=False).endswith(ADVICE[cause])


def test_only_a_study_that_eval_makes_is_taken_for_one() -> None:
    def study(**keys: Any) -> Any:
        variant = {"name": "m", "model": "m", "base_url": "http://127.0.0.1:1/v1", "runtime": "openai", **keys}
        whole = {"study": "s", "baseline": variant["name"], "variants": [variant], "benchmarks": {"humaneval": {}}}
        return load_study(whole).study

    assert is_evaluated(study())
    assert is_evaluated(study(name="org-m", model="org/m"))
    assert is_evaluated(study(name=RUNNING))
    assert not is_evaluated(study(name="mine"))


@pytest.mark.parametrize(("temperature", "named"), [(0.0, False), (0.7, True), (None, True)])
def test_what_greedy_decoding_ignores_is_not_asked_for(temperature: float | None, named: bool) -> None:
    spec = ServerSpec(runtime="openai", model="m", base_url="http://127.0.0.1:1/v1")

    found = openai.unsent(spec, Sampling(temperature=temperature))

    assert [all(name in sentence for name in ("top_p", "top_k", "min_p")) for sentence in found] == [True] * named

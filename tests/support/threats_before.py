"""The threats that are found before the first question is put: some in whole runs, the others planted by hand."""

from typing import Any

from msgspec.structs import replace

from evaluator.store.proofs import Length, OwnReplies, Repeated, Thought, Together
from servers.fake.dialects import LM_STUDIO, MLX_LM, OLLAMA
from servers.spec import Machine
from tests.support import check_inputs
from tests.support.check_inputs import AT, PROOFS, TOO_LONG, changed, shifted, study_of, with_, without
from tests.support.check_inputs import thinking as thinking_in
from tests.support.planted_runs import OFF, SHORT, PlantedRun, Served, llama, model, started, with_script
from tests.support.probe_scripts import Behind, thinking, truncating
from tests.support.threat import Threat, by_hand, row

UNMET = (("unmet", "warn"),)
"""What the adapter of a runtime says of the same."""
SHORT_CONTEXT = (("context", "warn"),)
"""How it is repeated when the replies that came had room nevertheless."""
UNPARSED = (("unparsed", "warn"),)
LLAMA = "runtime: llama_server"
Q8 = "kv_cache: q8_0"
SLOTS = [{"id": 0, "id_task": 7, "params": {"temperature": 0.8, "top_p": 0.95, "top_k": 40, "min_p": 0.05}}]
THOUGHT = Thought(reasoned=True, separated=True)
THINK, THINK_NOT = study_of(check_inputs.ON, check_inputs.ON), study_of(check_inputs.OFF, check_inputs.OFF)
WARM = study_of(extra="sampling: {temperature: 0.7}")
NO_RECORD: dict[str, Any] = {"applied": {}}
ONE_MODEL = {name: {"model": "m"} for name in "ab"}


def in_both(**changes: Any) -> dict[str, dict[str, Any]]:
    """Change both variants."""
    return {"a": changes, "b": changes}


BEFORE: tuple[Threat, ...] = (
    row(
        "T4 on though off",
        "a llama-server that thinks whatever it is told",
        PlantedRun(
            good=llama(script=thinking, settings=OFF),
            bad=llama(script=thinking, settings=OFF, model=model(obeys=False)),
        ),
        "thinking_on",
        "block",
        also=UNMET,
    ),
    row(
        "a server that does not start",
        "a llama-server that does not know one of its arguments",
        PlantedRun(good=started(), bad=started(starts=False)),
        "no_server",
        "block",
    ),
    row(
        "T4 off though on",
        "a server that never thinks",
        by_hand(
            THINK, facts={"b": {"unmet": ("x",)}}, proofs={"a": {"thought": THOUGHT}}, replies={"a": thinking_in(100)}
        ),
        "thinking_off",
        "block",
        also=UNMET,
    ),
    row(
        "T4 on though off, LM Studio",
        "LM Studio that ignores reasoning_effort",
        PlantedRun(
            good=Served(dialect=LM_STUDIO, script=thinking, settings=OFF),
            bad=Served(dialect=LM_STUDIO, script=thinking, settings=OFF, model=model(obeys=False)),
            sampling=SHORT,
        ),
        "thinking_on",
        "block",
    ),
    row(
        "T4 switch ignored",
        "as many tokens on as off; the first question fails",
        by_hand(
            THINK_NOT,
            proofs={"b": {"thought": None, "thinking_tokens": {"on": 20, "off": 20}, "failures": ("HTTP 500",)}},
        ),
        "thinking_switch",
        "warn",
        also=(("untried", "warn"),),
    ),
    row(
        "T4 one thinks, undeclared",
        "thoughts of one server",
        by_hand(proofs={"b": {"thought": THOUGHT}}, replies={"b": thinking_in(100)}),
        "thinking_differs",
        "warn",
        whom=None,
    ),
    row(
        "T5 thinking in the text",
        "`<think>` in the content",
        by_hand(
            proofs={
                "a": {"thought": THOUGHT},
                "b": {"thought": Thought(reasoned=True, separated=False, tags=("<think>",))},
            },
            replies={
                "a": thinking_in(100),
                "b": changed(100, lambda answer, _: replace(answer, text=f"<think>Hm.</think>{answer.text}")),
            },
        ),
        "unseparated",
        "warn",
    ),
    row(
        "T6 template adds tokens",
        "4 more tokens a prompt",
        by_hand(proofs={"b": {"tokens": shifted(4)}}),
        "template_tokens",
        "block",
    ),
    row(
        "T6 other tokenizer",
        "other counts of tokens",
        by_hand(proofs={"b": {"tokens": shifted(0, code=20, scripts=-11)}}),
        "tokenizer",
        "block",
    ),
    row(
        "T6 marks read as marks",
        "9 more tokens where marks stand",
        by_hand(proofs={"b": {"tokens": shifted(0, markup=9)}}),
        "markup",
        "note",
    ),
    row(
        "T6 template hash",
        "a server that shows another template",
        by_hand(facts={"b": {"chat_template_sha256": "8" * 64}}),
        "template",
        "warn",
        whom=None,
    ),
    row(
        "T7 context too small",
        "a server that says 900",
        by_hand(facts={"b": {"context": 900}}),
        "context",
        "block",
        also=SHORT_CONTEXT,
    ),
    row(
        "T7 context too small, LM Studio",
        "loaded with 900 tokens, and says so",
        by_hand(facts={"a": {"runtime": "lm_studio"}, "b": {"runtime": "lm_studio", "context": 900, "unmet": ("x",)}}),
        "context",
        "block",
        also=(*UNMET, *SHORT_CONTEXT),
    ),
    row(
        "T7 context too small, Ollama",
        "/api/ps says context_length 900",
        PlantedRun(
            good=Served(dialect=OLLAMA),
            bad=Served(dialect=OLLAMA, model=model(context=900)),
            sampling=SHORT,
            concurrency=1,
        ),
        "context",
        "block",
        also=(*UNMET, *SHORT_CONTEXT),
    ),
    row(
        "T7 prompt cut in silence",
        "the last 150 words are read",
        with_script(truncating),
        "cut_prompts",
        "block",
        also=UNPARSED,
    ),
    row(
        "T7 the same, nothing counted",
        "no usage, and the beginning of a long prompt forgotten",
        by_hand(
            proofs={"b": {"lengths": (Length(parts=300, prompt_tokens=None),), "needle": False, "tokens": {}}},
            replies={"b": with_(10, text="What?")},
        ),
        "cut_prompts",
        "warn",
        also=UNPARSED,
    ),
    row(
        "T7 long prompt refused",
        "400 for a long prompt",
        by_hand(
            facts={"b": {"context": None}},
            proofs={"b": {"lengths": (Length(parts=9, prompt_tokens=None, refused="too long"),)}},
            replies={"b": without(10, TOO_LONG)},
        ),
        "context",
        "block",
        also=(("no_reply", "block"),),
    ),
    row(
        "T7 context shift",
        "arguments of a llama-server",
        by_hand(facts={"b": {"command": ("llama-server", "--context-shift")}}),
        "context_shift",
        "warn",
    ),
    row(
        "T9 temperature ignored",
        "always greedy",
        by_hand(proofs={"b": {"hot": Repeated(temperature=1, times=3, different=1)}}),
        "sampling_ignored",
        "warn",
    ),
    row(
        "T9 the same, study at 0.7",
        "always greedy",
        by_hand(
            WARM,
            proofs={"a": NO_RECORD, "b": {**NO_RECORD, "hot": Repeated(temperature=1, times=3, different=1)}},
        ),
        "sampling_ignored",
        "block",
    ),
    row(
        "T9 temperature 0 ignored",
        "always drawing",
        by_hand(
            proofs={
                "b": {
                    "cold": Repeated(temperature=0, times=3, different=3),
                    "together": Together(prompts=6, changed=6, mixed=0),
                }
            }
        ),
        "greedy_differs",
        "warn",
        also=(("batch_noise", "warn"),),
    ),
    row(
        "replies of other requests",
        "streams that are one reply behind",
        with_script(Behind),
        "mixed",
        "block",
        also=(("batch_noise", "warn"), ("floor", "warn"), ("unparsed", "warn")),
    ),
    row(
        "one reply for all",
        "12 prompts, one sentence",
        by_hand(proofs={"b": {"alone": OwnReplies(prompts=12, own=0, same=12)}}),
        "one_reply",
        "block",
    ),
    row(
        "T9 record differs from what was sent",
        "/slots of a llama-server",
        PlantedRun(good=llama(), bad=llama(pages={"/slots": SLOTS})),
        "sampling_record",
        "warn",
    ),
    row(
        "T10 temperature left to the server",
        "temperature: null",
        by_hand(
            study_of(extra="sampling: {temperature: null}"),
            proofs=in_both(applied={**PROOFS.applied, "temperature": 0.8}),
        ),
        "sampling_default",
        "warn",
        whom=None,
    ),
    row("T10 top_p left to the server", "not in the study", by_hand(facts={"b": {"unsent": ("x",)}}), "unsent", "warn"),
    row(
        "repeats at temperature 0",
        "repeats: 2",
        by_hand(study_of(repeats=2)),
        "greedy_repeats",
        "note",
        whom=None,
    ),
    row(
        "T11 another name answers",
        "the reply names another model",
        by_hand(
            study_of(AT, AT),
            proofs={"a": {"model": "m"}, "b": {"model": "x"}},
            replies={"a": with_(100, model="m"), "b": with_(100, model="x")},
        ),
        "model_name",
        "warn",
    ),
    row(
        "T11 swapped while tried",
        "another name in the middle of the trial",
        by_hand(
            study_of(AT, AT),
            proofs={"a": {"model": "m"}, "b": {"model": "x", "changed": ("x",)}},
            replies={"a": with_(100, model="m"), "b": with_(100, model="x")},
        ),
        "changed",
        "block",
        also=(("model_name", "warn"),),
    ),
    row(
        "T11 one model behind two names",
        "one model answers for both",
        by_hand(study_of(AT, AT), proofs=ONE_MODEL, replies={name: with_(100, model="m") for name in "ab"}),
        "same_model",
        "block",
    ),
    row(
        "T11 one file under two names",
        "the same bytes",
        by_hand(facts=in_both(model_sha256="1")),
        "same_weights",
        "warn",
    ),
    row(
        "T12 engine build differs",
        "a server of another build",
        by_hand(facts={"b": {"version": "b2"}}),
        "engines",
        "warn",
    ),
    row(
        "T12 another machine",
        "another chip",
        by_hand(facts={"b": {"machine": Machine(os="Darwin", chip="M5")}}),
        "machines",
        "warn",
        whom=None,
    ),
    row(
        "T13 KV type unlike asked",
        "a log that says f16 where q8_0 is asked for",
        PlantedRun(good=started(settings=Q8), bad=started("f16", settings=Q8)),
        "kv_cache",
        "block",
    ),
    row(
        "T13 KV type not proved",
        "a server that does not say",
        by_hand(
            study_of(f"{LLAMA}, {Q8}", f"{LLAMA}, {Q8}"), facts={"a": {"kv_cache": "q8_0"}, "b": {"kv_cache": None}}
        ),
        "kv_unproved",
        "warn",
    ),
    row(
        "T13 KV types differ, undeclared",
        "one of q8_0",
        by_hand(study_of(LLAMA, LLAMA), facts={"b": {"kv_cache": "q8_0"}}),
        "kv_unknown",
        "warn",
        whom=None,
    ),
    row(
        "T13 KV type unknown",
        "servers that do not say",
        by_hand(study_of(LLAMA, LLAMA), facts=in_both(kv_cache=None)),
        "kv_unknown",
        "note",
        whom=None,
    ),
    row(
        "T14 speculative decoding",
        "--model-draft for one",
        PlantedRun(good=llama(), bad=started(settings='kv_cache: f16, args: ["--model-draft", "d.gguf"]')),
        "speculative",
        "warn",
        whom=None,
    ),
    row(
        "T16 answers mixed under load",
        "another prompt's answer",
        by_hand(proofs={"b": {"together": Together(prompts=6, changed=1, mixed=1)}}),
        "mixed",
        "block",
    ),
    row(
        "T16 answers change together",
        "another answer the 2nd time",
        by_hand(proofs={"b": {"together": Together(prompts=6, changed=6, mixed=0)}}),
        "batch_noise",
        "warn",
    ),
    row(
        "several things at once",
        "thinking differs beside the model",
        by_hand(
            study_of(check_inputs.OFF, check_inputs.ON),
            proofs={"b": {"thought": THOUGHT}},
            replies={"b": thinking_in(100)},
        ),
        "confounded",
        "warn",
    ),
    row(
        "T17 a probe fails",
        "HTTP 500 for a first question",
        by_hand(proofs={"b": {"thought": None, "failures": ("HTTP 500",)}}),
        "untried",
        "warn",
    ),
    row(
        "T24 not what it is called",
        "a Q2_K of rows of 576: all its tensors are Q4_0",
        by_hand(facts={"b": {"broken_promise": "its file says Q2_K, its tensors are Q4_0 × 180: 5.14 bits a weight"}}),
        "quantization",
        "note",
    ),
    row("T24 QAT against non-QAT", "by the file", by_hand(facts={"b": {"qat": True}}), "qat", "note", whom=None),
    row(
        "T28 seed not sent",
        "a seed for mlx_lm.server",
        PlantedRun(good=Served(dialect=MLX_LM), bad=Served(dialect=MLX_LM), sampling=f"{SHORT}, seed: 1"),
        "unsent",
        "warn",
        also=UNMET,
    ),
)

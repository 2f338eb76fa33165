"""Evaluate one server that runs already, without a study file, as a study of one variant."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.ask import client, retry
from evaluator.ask.servers import describe_server
from evaluator.ask.traffic import Traffic
from evaluator.benchmarks import QUICK
from evaluator.errors import StudyError
from evaluator.events import Checking, Described, OnEvent, ignore
from evaluator.pipeline import run_study
from evaluator.records import Answer, Failure
from evaluator.store.facts import refuse_changed_server
from evaluator.store.folder import is_run, read_plan
from evaluator.study.file import load_study
from evaluator.study.requests import context_needed, plan
from evaluator.study.study import LONGEST_MODEL, RUNNING, Study, digest_of, in_a_name, named_by_model
from servers import signals
from servers.errors import ServerError
from servers.launch import launch
from servers.request import bearer, headers
from servers.runtime.table import request
from servers.secrets import hide
from servers.slots import with_slots
from servers.spec import Prompt, Sampling, Server, ServerFacts, ServerSpec

_LONGEST_NAME = 100
"""Characters of a run's name."""
_UNKNOWN = "server"
"""What is to be evaluated, until its model is known."""
_GREETING = Prompt(messages=({"role": "user", "content": "Reply with the single word: yes"},))
_FEW_TOKENS = 16
_PATIENCE_S = 300.0
"""Seconds for the first reply: the server may have to load its model."""
_BUSY_S = 120.0
"""Seconds for which a server is asked again that is busy, or asks to be asked later."""


def evaluate(
    base_url: str,
    *,
    model: str | None = None,
    thinking: bool | None = None,
    api_key_env: str | None = None,
    benchmarks: Mapping[str, Mapping[str, Any]] | None = None,
    sampling: Mapping[str, Any] | None = None,
    concurrency: int | Literal["auto"] = "auto",
    name: str | None = None,
    runs: str | Path = "runs",
    check: bool = True,
    force: bool = False,
    on_event: OnEvent = ignore,
) -> Report:
    """Evaluate one server that runs already: find out which runtime and model answer, then ask.

    It works from a notebook too, see `run_study`.

    Args:
        base_url: Where it answers, up to and including `/v1`.
        model: Id of the model to ask; None is the server's only one.
        thinking: Switches thinking on or off; None leaves the model's own default.
        api_key_env: Name of the environment variable that holds the key; the key is never written.
        benchmarks: By benchmark, the keys that a study has for it, such as `{BENCHMARK: {"questions": 200}}`; None is
            100 MMLU-Pro and all HumanEval questions.
        sampling: Keys of a study's `sampling`; the defaults are temperature 0 and at most 4,096 tokens a reply.
        concurrency: Questions asked at the same time; `auto` finds how many give the most tokens per second.
        name: Name of the run; None makes one of runtime and model.
        runs: Folder in which each run has a folder of its own.
        check: Whether the server is tried before the first question.
        force: Whether to ask even if a check blocks the claim; the report says so.
        on_event: Called with each event (see `evaluator.events`); `Described` says which server answers.

    Returns:
        A report of one variant, named by its model, as `run_study` returns it; scores are proportions between 0 and 1.

    Raises:
        StudyError: A setting is impossible (`key` names it as a study would), or the run's folder holds answers of
            another server.
        ServerError: The server cannot be reached, does not have the model, or does not answer.
        Blocked: A check before the first question blocks the claim, so nothing was asked.
        KeyboardInterrupt: The user stopped it; the same call goes on where it stopped.
    """
    model = hide(model, bearer(api_key_env))  # of a server that names its model by the key
    variant = {"base_url": base_url, "model": model, "thinking": thinking, "api_key_env": api_key_env}
    variant = {key: value for key, value in variant.items() if value is not None}
    settings = {
        "benchmarks": QUICK if benchmarks is None else benchmarks,
        "sampling": sampling or {},
        "concurrency": concurrency,
    }
    # Checked before the server is asked anything, when its model may not be known yet.
    supposed = _study({"name": _UNKNOWN, "model": "unknown", **variant}, settings, name or "eval")
    spec = ServerSpec(
        runtime="openai",
        model=model or "",
        base_url=base_url,
        context=context_needed(plan(supposed)),
        thinking=thinking,
        slots=concurrency if isinstance(concurrency, int) else 1,
        api_key_env=api_key_env,
    )
    spec = spec if isinstance(concurrency, int) else with_slots(spec)
    server, facts = signals.run(_greet(spec, supposed.sampling, on_event))
    run = name or _name(server.spec)
    shown = _variant_name(server.spec.model, Path(runs) / run)
    known = {"name": shown, **variant, "model": server.spec.model, "runtime": server.spec.runtime}
    study = _study(known, settings, run)
    refuse_changed_server(Path(runs) / run, shown, facts)
    on_event(Described(shown, facts, (*facts.unmet, *facts.unsent, *_too_short(facts, spec.context or 0))))
    return run_study(study, runs=runs, check=check, force=force, on_event=on_event)


def _study(variant: Mapping[str, Any], settings: Mapping[str, Any], name: str) -> Study:
    keys = {"study": name, "baseline": variant["name"], "variants": [variant], **settings}
    try:
        return load_study(keys).study
    except StudyError as error:  # there is no file, so no line
        raise StudyError(error.problem, key=error.key, remedy=error.remedy) from None


def _variant_name(model: str, folder: Path) -> str:
    """Name the variant by its model; in a run that an earlier version began, as that did."""
    begun = read_plan(folder).study.variants if is_run(folder) else ()
    return RUNNING if [variant.name for variant in begun] == [RUNNING] else named_by_model(model)


def _name(spec: ServerSpec) -> str:
    """Name a run after the runtime and the model; a hash at the end stands for what a name cannot hold."""
    start, (short, whole), digest = f"eval-{spec.runtime}", in_a_name(spec.model), digest_of(spec.model)
    if whole:
        return f"{start}-{short}"
    room = min(LONGEST_MODEL, _LONGEST_NAME - len(f"{start}--{digest}"))
    return "-".join(part for part in (start, short[:room], digest) if part)


async def _greet(spec: ServerSpec, sampling: Sampling, on_event: OnEvent) -> tuple[Server, ServerFacts]:
    """Find out which server answers, and make sure that it answers a question, with the patience of questions."""

    def on_wait(text: str, seconds: float) -> None:
        on_event(Checking(_UNKNOWN, f"{text} {seconds:.0f} s" if seconds else text))

    traffic = Traffic(1, silence=_BUSY_S, startup=spec.startup_seconds, on_wait=on_wait)
    async with launch(spec, log=Path()) as server:
        facts = await describe_server(server, sampling)
        few = replace(sampling, max_tokens=min(_FEW_TOKENS, sampling.max_tokens))
        url, body = request(server, _GREETING, few, stream=True)
        http = client.connect(server.base_url, concurrency=1, silence=_PATIENCE_S, headers=headers(server.spec))
        async with http, traffic:
            outcome, before = await retry.ask(http, url, body, traffic)
    if before:
        on_event(Checking(_UNKNOWN, "it answers" if isinstance(outcome, Answer) else "it does not answer", ended=True))
    if isinstance(outcome, Failure):
        raise ServerError(f"{server.engine} does not answer a first question: {outcome.message}")
    return server, facts


def _too_short(facts: ServerFacts, needed: int) -> tuple[str, ...]:
    if facts.context is None or facts.context >= needed:
        return ()
    problem = (
        f"the server gives {facts.context} tokens of context, and the longest question and its reply may need {needed}"
    )
    return (f"{problem}: give it more context, or set a smaller --max-tokens",)

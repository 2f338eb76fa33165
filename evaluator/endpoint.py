"""One server that runs already, without a study file: looked at first, then evaluated as a study of one variant."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from evaluator.analyse.report import Report
from evaluator.ask import client
from evaluator.ask.servers import describe_server
from evaluator.benchmarks import QUICK
from evaluator.errors import StudyError
from evaluator.events import Described, OnEvent, ignore
from evaluator.pipeline import run_study
from evaluator.records import Failure
from evaluator.store.facts import refuse_changed_server
from evaluator.study.file import load_study
from evaluator.study.requests import context_needed, plan
from evaluator.study.study import Study
from servers import signals
from servers.errors import ServerError
from servers.launch import launch
from servers.request import headers
from servers.runtime.table import request
from servers.spec import Prompt, Sampling, Server, ServerFacts, ServerSpec

VARIANT = "running"
"""The name of the variant."""
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._+-]+")
_GREETING = Prompt(messages=({"role": "user", "content": "Reply with the single word: yes"},))
_FEW_TOKENS = 16
_PATIENCE_S = 300.0
"""For the first reply: a server may load its model only now."""


def evaluate(
    base_url: str,
    *,
    model: str | None = None,
    thinking: bool | None = None,
    api_key_env: str | None = None,
    benchmarks: Mapping[str, Mapping[str, Any]] | None = None,
    sampling: Mapping[str, Any] | None = None,
    concurrency: int = 4,
    name: str | None = None,
    runs: str | Path = "runs",
    check: bool = True,
    force: bool = False,
    on_event: OnEvent = ignore,
) -> Report:
    """Evaluate one server that runs already: find out who answers, then ask it.

    Args:
        base_url: Where it answers, up to and including `/v1`.
        model: Which of its models; None is its only one.
        thinking: Switches thinking on or off; None leaves the model's own default.
        api_key_env: Name of the environment variable that holds the key; the key is never written.
        benchmarks: By name the keys that a study has for it; None is 100 MMLU-Pro and all HumanEval questions.
        sampling: Keys of a study's `sampling`; what is left out is greedy, with 4,096 tokens a reply.
        concurrency: Questions in flight at once.
        name: Of the run; None names it after runtime and model.
        runs: Folder in which each run has its own.
        check: Whether the server is tried before the first question.
        force: Whether it is asked although a check blocks the claim.
        on_event: Called with what happens; first, with who answers (`Described`).

    Returns:
        A report of one variant, named `running`; proportions lie between 0 and 1.

    Raises:
        StudyError: A setting is impossible; its `key` is that of a study.
        ServerError: The server cannot be reached, does not have the model, or does not answer.
        Blocked: A check before the first question blocks the claim, so nothing was asked.
        KeyboardInterrupt: The user stopped it; the same call goes on where it stopped.
    """
    variant = {"base_url": base_url, "model": model, "thinking": thinking, "api_key_env": api_key_env}
    variant = {key: value for key, value in variant.items() if value is not None}
    settings = {
        "benchmarks": QUICK if benchmarks is None else benchmarks,
        "sampling": sampling or {},
        "concurrency": concurrency,
    }
    # Judged before the server is asked anything, when its model may not be known yet.
    supposed = _study({"model": "unknown", **variant}, settings, name or "eval")
    spec = ServerSpec(
        runtime="openai",
        model=model or "",
        base_url=base_url,
        context=context_needed(plan(supposed)),
        thinking=thinking,
        slots=concurrency,
        api_key_env=api_key_env,
    )
    server, facts = signals.run(_greet(spec, supposed.sampling))
    known = {**variant, "model": server.spec.model, "runtime": server.spec.runtime}
    study = _study(known, settings, name or _name(server.spec))
    refuse_changed_server(Path(runs) / study.study, VARIANT, facts)
    on_event(Described(VARIANT, facts, (*facts.unmet, *facts.unsent, *_too_short(facts, spec.context or 0))))
    return run_study(study, runs=runs, check=check, force=force, on_event=on_event)


def _study(variant: Mapping[str, Any], settings: Mapping[str, Any], name: str) -> Study:
    keys = {"study": name, "baseline": VARIANT, "variants": [{"name": VARIANT, **variant}], **settings}
    try:
        return load_study(keys).study
    except StudyError as error:  # there is no file, so no line
        raise StudyError(error.problem, key=error.key, remedy=error.remedy) from None


def _name(spec: ServerSpec) -> str:
    """Name a run after the runtime and the model; what a name cannot hold is told apart by a hash."""
    model = Path(spec.model).name if spec.model.startswith("/") else spec.model
    short = _NOT_IN_A_NAME.sub("-", model).strip("-.")[:80]
    digest = hashlib.sha256(model.encode()).hexdigest()[:8] if len(model) > 80 or not model.isascii() else ""
    return "-".join(part for part in ("eval", spec.runtime, short, digest) if part)


async def _greet(spec: ServerSpec, sampling: Sampling) -> tuple[Server, ServerFacts]:
    """Find out who answers, and that a question is answered."""
    async with launch(spec, log=Path()) as server:
        facts = await describe_server(server, sampling)
        few = replace(sampling, max_tokens=min(_FEW_TOKENS, sampling.max_tokens))
        url, body = request(server, _GREETING, few, stream=True)
        http = client.connect(server.base_url, concurrency=1, silence=_PATIENCE_S, headers=headers(server.spec))
        async with http:
            outcome = await client.ask_once(http, url, body)
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

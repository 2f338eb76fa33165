"""One server that runs already, without a study file: looked at first, then asked."""

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Any

import yaml
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from evaluator.ask import client
from evaluator.ask.servers import describe_server
from evaluator.commands.outcome import watched
from evaluator.pipeline import run_study
from evaluator.records import Failure
from evaluator.report.server import who
from evaluator.store.facts import refuse_changed_server
from evaluator.study.file import parse
from evaluator.study.requests import context_needed, plan
from evaluator.study.study import Study, StudyError
from evaluator.text import strip_control
from servers.launch import launch
from servers.request import headers
from servers.runtime.table import request
from servers.spec import Prompt, Sampling, Server, ServerError, ServerFacts, ServerSpec

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._+-]+")
_SOURCE = "whichquant eval"
_OPTIONS = {
    "benchmarks.mmlu_pro.questions": "--mmlu-pro",
    "benchmarks.mmlu_pro.shots": "--shots",
    "benchmarks.humaneval.questions": "--humaneval",
    "sampling.max_tokens": "--max-tokens",
    "sampling.temperature": "--temperature",
    "variants[0].base_url": "--base-url",
    "benchmarks: empty: name mmlu_pro, humaneval or both": "--mmlu-pro and --humaneval: both 0, so nothing is asked",
    "concurrency:": "--concurrency:",
    "study:": "--name:",
}
_GREETING = Prompt(messages=({"role": "user", "content": "Reply with the single word: yes"},))
_FEW_TOKENS = 16
_PATIENCE_S = 300.0
"""For the first reply: a server may load its model only now."""


def evaluate(
    variant: dict[str, Any],
    settings: dict[str, Any],
    name: str | None,
    runs: Path,
    console: Console,
    *,
    checked: bool = True,
    force: bool = False,
) -> int:
    """Look at a running server, say who it is, evaluate it, and give the exit code.

    Args:
        variant: Keys of a study's variant: `base_url` and what else is set; without `model` the server's only one.
        settings: Keys of a study beside its variants: `benchmarks`, `sampling`, `concurrency`.
        name: Of the run; None names it after the model.
        runs: Folder in which each run gets its own.
        console: Where it is told.
        checked: Whether the server is tried before the first question.
        force: Whether what is found then and blocks the claim is no reason to end.

    Raises:
        StudyError: A setting is impossible.
        ServerError: The server cannot be reached, does not have the model, or does not answer.
    """
    # Judged before the server is asked anything, when its model may not be known yet.
    supposed = _study({"model": "unknown", **variant}, settings, name or "eval")[0]
    spec = ServerSpec(
        runtime="openai",
        model=variant.get("model", ""),
        base_url=variant["base_url"],
        context=context_needed(plan(supposed)),
        thinking=variant.get("thinking"),
        slots=supposed.concurrency,
        api_key_env=variant.get("api_key_env"),
    )
    server, facts = asyncio.run(_look(spec, supposed.sampling))
    found = {**variant, "model": server.spec.model, "runtime": server.spec.runtime}
    study, _ = _study(found, settings, name or _name(server.spec))
    refuse_changed_server(runs / study.study, "running", facts)
    for what, how in who(facts):
        console.print(Text(f"{what}: {strip_control(how)}"), soft_wrap=True)
    for sentence in (*facts.unmet, *facts.unsent, *_too_short(facts, spec.context or 0)):
        console.print(Text.assemble(("warn ", "yellow"), strip_control(sentence)), soft_wrap=True)
    return watched(
        lambda on_event: run_study(study, runs=runs, check=checked, force=force, on_event=on_event), runs, console
    )


def _study(variant: dict[str, Any], settings: dict[str, Any], name: str) -> tuple[Study, str]:
    written = {"study": name, "baseline": "running", "variants": [{"name": "running", **variant}], **settings}
    text = yaml.safe_dump(written, sort_keys=False)
    try:
        return parse(text, _SOURCE), text
    except StudyError as error:  # there is no file: the keys are options here
        said = re.sub(rf"^{_SOURCE}:\d+: ", "", str(error))
        for key, option in _OPTIONS.items():
            said = said.replace(key, option)
        raise StudyError(said) from None


def _name(spec: ServerSpec) -> str:
    """Name a run after the runtime and the model; what a name cannot hold is told apart by a hash."""
    model = Path(spec.model).name if spec.model.startswith("/") else spec.model
    short = _NOT_IN_A_NAME.sub("-", model).strip("-.")[:80]
    digest = hashlib.sha256(model.encode()).hexdigest()[:8] if len(model) > 80 or not model.isascii() else ""
    return "-".join(part for part in ("eval", spec.runtime, short, digest) if part)


async def _look(spec: ServerSpec, sampling: Sampling) -> tuple[Server, ServerFacts]:
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
    told = (
        f"the server gives {facts.context} tokens of context, and the longest question and its reply may need {needed}"
    )
    return (f"{told}: give it more context, or set a smaller --max-tokens",)

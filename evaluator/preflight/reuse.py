"""Whether servers are asked without their prompt caches: decided once for all variants, before the first question."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import get_args

from msgspec.structs import replace

from evaluator.decide.repeatable import Load, choose, shared_share
from evaluator.errors import StudyError
from evaluator.store.facts import read_facts
from evaluator.store.folder import is_run
from evaluator.store.proofs import Proofs, read_proofs
from evaluator.store.resources import Measured, read_measured
from evaluator.store.serving import Cache, Serving, keep_serving, read_serving
from evaluator.study.requests import Ask, characters
from evaluator.study.study import Study
from servers.runtime.whole import whole_flags, why_not_whole
from servers.spec import RuntimeName, ServerSpec

_A_TOKEN = 4
"""Characters, of English."""
_KINDS: dict[str, RuntimeName] = {name: name for name in get_args(RuntimeName)}
_LOOKED_AT = 1000
"""Prompts of which it is found how much they share: the first ones are like the others."""


def refuse_other_reuse(
    study: Study, specs: Mapping[str, ServerSpec], folder: Path, *, answered: Collection[str]
) -> None:
    """Refuse to go on with prompt caches off where answers came with them, or the other way round.

    Raises:
        StudyError: The study says otherwise than its run began.
    """
    if not answered or study.repeatable == "auto":
        return
    before, now = _begun(folder), choose(study, _cannot(_recognised(specs, folder))).repeatable
    if now != before:
        raise StudyError(
            f"holds answers to another study: prompt caches were {_state(repeatable=before)}, and now they are to be"
            f" {_state(repeatable=now)} (repeatable). Answers are not mixed",
            source=folder,
            remedy="give this study another name, or leave repeatable out",
        )


def settle_reuse(
    study: Study, specs: Mapping[str, ServerSpec], asks: Sequence[Ask], folder: Path, *, answered: Collection[str]
) -> None:
    """Decide it and write it down for those who ask; a run that goes on keeps what it began with.

    Args:
        study: It may say so.
        specs: Of all variants that can be asked.
        asks: What all of them get.
        folder: The run's, which may hold what the check before the first question measured.
        answered: Variants with answers on disk.
    """
    serving = read_serving(folder) or Serving()
    repeatable = _begun(folder)
    if not answered:
        specs = _recognised(specs, folder)
        chosen = choose(study, _cannot(specs), _loads(specs, asks, serving, folder))
        repeatable = chosen.repeatable
        serving = replace(serving, repeatable=repeatable, repeatable_why=chosen.why)
    if repeatable:
        serving = replace(
            serving, cache={**serving.cache, **{name: _off(serving, specs[name], name) for name in specs}}
        )
    if serving != Serving():
        keep_serving(folder, serving)


def foreseen(study: Study, folder: Path) -> str:
    """Say what was decided, or will be whatever the check measures; empty where that is not known yet."""
    serving = read_serving(folder) if is_run(folder) else None
    if serving and serving.repeatable_why:
        return serving.repeatable_why
    specs = {
        variant.name: ServerSpec(runtime=variant.runtime, model=variant.model, base_url=variant.base_url)
        for variant in study.variants
        if variant.runtime
    }
    chosen = choose(study, _cannot(specs))
    return chosen.why if chosen.is_certain else ""


def _off(serving: Serving, spec: ServerSpec, name: str) -> Cache:
    before = serving.cache.get(name, Cache(on=None, order="plan"))
    return replace(before, on=False, order="plan", flags=whole_flags(spec), why="prompts are evaluated whole")


def _begun(folder: Path) -> bool:
    """Whether a run's answers came without prompt caches; an earlier version never asked for that."""
    serving = read_serving(folder)
    return bool(serving and serving.repeatable)


def _state(*, repeatable: bool) -> str:
    return "off" if repeatable else "on"


def _recognised(specs: Mapping[str, ServerSpec], folder: Path) -> dict[str, ServerSpec]:
    """Take servers that run already for what they were recognised as, where the study does not say it."""
    kinds = {name: facts.runtime for name, facts in read_facts(folder).items()}
    return {
        name: replace(spec, runtime=kind) if (kind := _KINDS.get(kinds.get(name, ""))) else spec
        for name, spec in specs.items()
    }


def _cannot(specs: Mapping[str, ServerSpec]) -> dict[str, str]:
    return {name: why for name, spec in specs.items() if (why := why_not_whole(spec))}


def _loads(specs: Mapping[str, ServerSpec], asks: Sequence[Ask], serving: Serving, folder: Path) -> list[Load]:
    """Say what a question takes of each variant, by the check before the first question."""
    measured, proofs = read_measured(folder), read_proofs(folder)
    prompt_tokens = fmean(characters(ask.question.prompt) for ask in asks) / _A_TOKEN
    shared = shared_share([ask.question.text for ask in asks if not ask.key.repeat][:_LOOKED_AT])

    def load(name: str) -> Load:
        tried = [arranged.evaluated for arranged in serving.cache[name].tried] if name in serving.cache else []
        alone = measured.get(name, Measured()).alone
        return Load(
            prompt_tokens=prompt_tokens,
            saved=1.0 - min(tried) if tried else shared,
            reply_tokens=_reply_tokens(proofs.get(name)),
            prompt_speed=alone.prompt_tokens_per_second if alone else None,
            reply_speed=alone.tokens_per_second if alone else None,
        )

    return [load(name) for name in specs]


def _reply_tokens(proofs: Proofs | None) -> int | None:
    """Take the reply to the question that the check puts; one that it cut off is longer, and costs less."""
    return proofs.thought.completion_tokens if proofs and proofs.thought else None

"""Whether servers sample tokens as the study sets it."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from evaluator.checks.observed import replies_of
from evaluator.checks.rule import CheckInput, Finding, Rule, Severity
from evaluator.decide.wording import listed

_SAME = 1e-4
"""Relative: servers keep such values as 32-bit floats."""
_NEUTRAL: Mapping[str, float] = {"top_p": 1.0, "top_k": 0, "min_p": 0.0}
"""What is sent where the study sets nothing: see `servers.request`."""


def greedy_differs(given: CheckInput) -> Iterable[Finding]:
    """Find servers that answer the same prompt differently at temperature 0."""
    for name, proofs in given.proofs.items():
        cold = proofs.cold
        if cold is not None and cold.different > 1:
            message = f"at temperature 0 one prompt, sent {cold.times} times, got {cold.different} different answers"
            evidence = {"times": cold.times, "different": cold.different}
            severity: Severity = "warn" if given.study.sampling.temperature == 0 else "note"
            yield Finding(severity=severity, variant=name, message=message, evidence=evidence)


def sampling_ignored(given: CheckInput) -> Iterable[Finding]:
    """Find servers that sample greedily whatever temperature is sent."""
    for name, proofs in given.proofs.items():
        hot, cold, plain = proofs.hot, proofs.cold, proofs.plain
        if hot is None or hot.times < 2 or hot.different > 1:
            continue
        if any(other is not None and other.different > 1 for other in (cold, plain)):
            continue
        message = (
            f"at temperature 1 one prompt with many good answers, sent {hot.times} times, got the same answer each time"
        )
        severity: Severity = "block" if given.study.sampling.temperature else "warn"
        yield Finding(severity=severity, variant=name, message=message, evidence={"times": hot.times})


def sampling_record(given: CheckInput) -> Iterable[Finding]:
    """Compare the server's own record of a request with what was sent."""
    sampling = given.study.sampling
    chosen = {name: getattr(sampling, name) for name in ("temperature", "top_p", "top_k", "min_p")}
    for name, proofs in given.proofs.items():
        facts = given.facts.get(name)
        neutral = _NEUTRAL if facts is not None and facts.runtime == "llama_server" else {}
        sent = {key: neutral.get(key) if value is None else value for key, value in chosen.items()}
        differing = {
            key: (value, proofs.applied[key])
            for key, value in sent.items()
            if value is not None and key in proofs.applied and not _alike(value, proofs.applied[key])
        }
        if differing:
            listing = listed(f"{key} {applied:g} (sent: {value:g})" for key, (value, applied) in differing.items())
            message = f"the server's own record of a request has {listing}"
            evidence = {key: {"sent": value, "applied": applied} for key, (value, applied) in differing.items()}
            yield Finding(severity="warn", variant=name, message=message, evidence=evidence)


def sampling_default(given: CheckInput) -> Iterable[Finding]:
    """Find studies that leave the temperature to each server."""
    if given.study.sampling.temperature is not None:
        return
    known = {n: p.applied["temperature"] for n, p in given.proofs.items() if "temperature" in p.applied}
    listing = ", ".join(f"{name} {value:g}" for name, value in known.items())
    defaults = f": {listing}" if listing else ", which is not known here"
    message = f"no temperature is sent, so each server uses its own default{defaults}"
    yield Finding(severity="warn", message=message, evidence={"temperature": known})


def unsent(given: CheckInput) -> Iterable[Finding]:
    """Repeat which sampling values a server cannot be sent."""
    for variant in given.study.variants:
        for sentence in given.facts[variant.name].unsent if variant.name in given.facts else ():
            yield Finding(severity="warn", variant=variant.name, message=sentence)


def greedy_repeats(given: CheckInput) -> Iterable[Finding]:
    """Find repeats at temperature 0, which repeat the same answer."""
    for name, settings in given.study.benchmarks.chosen().items():
        if settings.repeats > 1 and given.study.sampling.temperature == 0:
            message = f"{settings.repeats} answers to each question at temperature 0 are nearly the same answer"
            yield Finding(severity="note", benchmark=name, message=message, evidence={"repeats": settings.repeats})


def seed_serial(given: CheckInput) -> Iterable[Finding]:
    """Find seeds that keep mlx_lm.server from batching requests."""
    for variant in given.study.variants:
        facts, records = given.facts.get(variant.name), given.records.get(variant.name, ())
        if facts is None or facts.runtime != "mlx_lm" or given.study.concurrency == 1:
            continue
        if seeded := sum(record.is_seeded for record in records):
            message = f"a seed was sent with {seeded} requests: mlx_lm.server answers these one at a time"
            yield Finding(severity="note", variant=variant.name, message=message, evidence={"seeded": seeded})


def more_tokens(given: CheckInput) -> Iterable[Finding]:
    """Count the questions that were asked with a larger limit than the others."""
    limit = given.study.sampling.max_tokens
    for variant in given.study.variants:
        limits = [record.limit or 0 for record in given.records.get(variant.name, ())]
        larger = [tokens for tokens in limits if tokens > limit]
        if larger and replies_of(given, variant.name):
            message = (
                f"{len(larger)} of {len(limits)} questions were asked with up to {max(larger)} tokens, not {limit}"
            )
            evidence = {"larger": len(larger), "of": len(limits), "largest": max(larger), "max_tokens": limit}
            yield Finding(severity="note", variant=variant.name, message=message, evidence=evidence)


def more_tokens_unequal(given: CheckInput) -> Iterable[Finding]:
    """Find variants with replies still cut off, while those of others were asked again with more tokens."""
    asked = [record for records in given.records.values() for record in records]
    largest = max((record.limit or 0 for record in asked), default=0)
    if largest <= given.study.sampling.max_tokens:
        return
    cut = Counter(
        record.variant
        for record in asked
        if (record.limit or 0) < largest
        and record.more_tokens_help
        and record.grade
        and record.grade.outcome == "truncated"
    )
    for name, left in cut.items():
        message = (
            f"{left} replies are still cut off at fewer tokens than the {largest} with which other questions were asked"
            " again"
        )
        yield Finding(severity="block", variant=name, message=message, evidence={"left": left, "largest": largest})


def _alike(sent: float, applied: float) -> bool:
    return math.isclose(sent, applied, rel_tol=_SAME, abs_tol=1e-9)


RULES = (
    Rule(
        code="greedy_differs",
        stage="before",
        severity="warn; note where the study is not at temperature 0",
        threat="Greedy answers change from one time to the next, which looks like a difference between variants.",
        signal="One prompt several times at temperature 0: more than one answer.",
        advice="Set decide.noise_floor, so that the baseline is asked twice and its run-to-run variation is known.",
        in_eval="Evaluate it twice under two names (--name) and compare both runs: that shows how much it varies.",
        find=greedy_differs,
    ),
    Rule(
        code="sampling_ignored",
        stage="before",
        severity="warn; block above temperature 0",
        threat="The server ignores the temperature that it is sent.",
        signal="One prompt with many good answers several times at temperature 1: one answer only, as at 0.",
        advice="Look in the server's settings for sampling that overrides requests, or for a cache of answers.",
        find=sampling_ignored,
    ),
    Rule(
        code="sampling_record",
        stage="before",
        severity="warn",
        threat="The server samples with other values than it was sent.",
        signal="Temperature, top_p, top_k and min_p in the server's own record of a request.",
        advice="Remove the flags or settings with which the server overrides requests.",
        find=sampling_record,
    ),
    Rule(
        code="sampling_default",
        stage="before",
        severity="warn",
        threat="Each server has its own default temperature: 0, 0.8 or 1, by runtime or by the model's file.",
        signal="sampling.temperature is null.",
        advice="Set sampling.temperature: it is then sent to all servers.",
        find=sampling_default,
    ),
    Rule(
        code="unsent",
        stage="before",
        severity="warn",
        threat="A sampling value of the study cannot be sent to this server.",
        signal="What the runtime's adapter cannot send, or does not where an unknown server might not take it.",
        advice="Set what is not sent (neutral: top_p: 1, top_k: 0, min_p: 0); leave out what a server cannot take.",
        in_eval="Give what is not sent (neutral: --top-p 1 --top-k 0 --min-p 0); leave out what it cannot take.",
        find=unsent,
    ),
    Rule(
        code="greedy_repeats",
        stage="before",
        severity="note",
        threat="Repeats at temperature 0 look like more evidence than they are.",
        signal="repeats above 1 at temperature 0.",
        advice="Set repeats to 1 and ask more questions, or a temperature above 0.",
        in_eval="Leave --repeats out and ask more questions, or give a --temperature above 0.",
        find=greedy_repeats,
    ),
    Rule(
        code="seed_serial",
        stage="after",
        severity="note",
        threat="A seed makes mlx_lm.server answer one question at a time, which makes it slower than the others.",
        signal="A seed in requests to mlx_lm with concurrency above 1.",
        advice="Leave sampling.seed out, or do not compare speeds.",
        in_eval="Leave --seed out, or do not compare speeds.",
        find=seed_serial,
    ),
    Rule(
        code="more_tokens",
        stage="after",
        severity="note",
        threat="Some questions were asked with a larger output limit than others.",
        signal="max_tokens in the records above the study's.",
        advice="Nothing to do: what the smaller limit did not cut off would be the same with the larger one.",
        find=more_tokens,
    ),
    Rule(
        code="more_tokens_unequal",
        stage="after",
        severity="block",
        threat="Cut-off questions were asked again with more tokens of one variant and not of another.",
        signal="Replies cut off at fewer tokens than the largest limit of any record.",
        advice="Use run --more-tokens again, with that number: it asks what is left.",
        find=more_tokens_unequal,
    ),
)

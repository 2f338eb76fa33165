"""Whether the KV cache has the type that the study says, as far as anything shows it."""

from collections.abc import Iterable

from evaluator.checks.observed import listed
from evaluator.checks.rule import CheckInput, Found, Rule
from evaluator.study.study import Variant


def kv_cache(given: CheckInput) -> Iterable[Found]:
    """Find KV caches of another type than the study asks for."""
    for variant in given.study.variants:
        found = given.facts[variant.name].kv_cache if variant.name in given.facts else None
        if None not in {variant.kv_cache, found} and variant.kv_cache != found:
            message = f"the KV cache is {found}, not {variant.kv_cache} as the study asks"
            evidence = {"asked": variant.kv_cache, "found": found}
            yield Found(severity="block", variant=variant.name, message=message, evidence=evidence)


def kv_unproved(given: CheckInput) -> Iterable[Found]:
    """Find KV caches that were asked for and that nothing proves."""
    for variant in given.study.variants:
        if variant.kv_cache is not None and variant.name in given.facts and not given.facts[variant.name].kv_cache:
            message = f"the KV cache was asked to be {variant.kv_cache}; nothing this server says proves that it is"
            yield Found(severity="warn", variant=variant.name, message=message)


def kv_unknown(given: CheckInput) -> Iterable[Found]:
    """Find that the type of a KV cache is neither declared nor known."""
    silent = {v.name: given.facts[v.name].kv_cache for v in given.study.variants if _is_silent(given, v)}
    unknown = [name for name, found in silent.items() if found is None]
    known = {found for found in silent.values() if found is not None}
    if len(known) > 1 or (known and unknown):
        told = ", ".join(f"{name} {found or 'unknown'}" for name, found in silent.items())
        message = f"the study does not set the type of these KV caches, and they differ or may differ: {told}"
        yield Found(severity="warn", message=message, evidence={"found": silent})
    elif unknown:
        message = f"the type of the KV cache is neither set nor known: {listed(unknown)}"
        yield Found(severity="note", message=message, evidence={"found": silent})


def _is_silent(given: CheckInput, variant: Variant) -> bool:
    return variant.kv_cache is None and variant.name in given.facts


RULES = (
    Rule(
        code="kv_cache",
        stage="before",
        severity="block",
        threat="The KV cache has another type than the study says: its damage can be larger than that of the weights.",
        signal="The type that the server, or its log, says.",
        advice="Set the type where the server takes it from, or correct kv_cache in the study.",
        find=kv_cache,
    ),
    Rule(
        code="kv_unproved",
        stage="before",
        severity="warn",
        threat="The KV cache may have another type than the study says.",
        signal="kv_cache is set, and the server does not say what it has.",
        advice="Look at the server's log or settings for the type, and say in the study's note what you found.",
        find=kv_unproved,
    ),
    Rule(
        code="kv_unknown",
        stage="before",
        severity="note; warn where types differ or may differ",
        threat="Nobody knows of which type the KV cache is.",
        signal="kv_cache is not set, and the server does not say.",
        advice="Set kv_cache for each variant that whichquant starts; of others say in the study's note what it is.",
        find=kv_unknown,
    ),
)

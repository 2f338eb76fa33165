"""Whether the KV cache has the type that the study sets, as far as it can be known."""

from collections.abc import Iterable, Mapping

from evaluator.checks.rule import CheckInput, Finding, Rule
from evaluator.decide.wording import listed
from evaluator.study.study import Variant
from servers.spec import ServerFacts

_DEFAULT: Mapping[str, str] = {"llama_server": "f16", "mlx_lm": "f16", "omlx": "f16", "ollama": "f16"}
"""Servers that are started without the user's own settings: none of them quantizes its cache unless it is told to.

Of MLX, f16 stands for the type that the model computes with. LM Studio keeps a type for each model in its settings.
"""
_CACHE_FLAGS = ("-ctk", "-ctv", "--cache-type", "--kv-bits", "--kv-cache", "--turboquant", "--models-preset")


def kv_cache(given: CheckInput) -> Iterable[Finding]:
    """Find KV caches of another type than the study asks for."""
    for variant in given.study.variants:
        actual = given.facts[variant.name].kv_cache if variant.name in given.facts else None
        if None not in {variant.kv_cache, actual} and variant.kv_cache != actual:
            message = f"the KV cache is {actual}, not {variant.kv_cache} as the study asks"
            evidence = {"asked": variant.kv_cache, "found": actual}
            yield Finding(severity="block", variant=variant.name, message=message, evidence=evidence)


def kv_unproved(given: CheckInput) -> Iterable[Finding]:
    """Find KV caches whose requested type nothing confirms; what a server has by default needs no proof."""
    for variant in given.study.variants:
        facts = given.facts.get(variant.name)
        if variant.kv_cache is None or facts is None or facts.kv_cache:
            continue
        if variant.kv_cache == "f16" and _has_its_default(variant, facts):
            continue
        message = f"the study sets the KV cache to {variant.kv_cache}; nothing this server reports confirms it"
        yield Finding(severity="warn", variant=variant.name, message=message)


def kv_unknown(given: CheckInput) -> Iterable[Finding]:
    """Find that the type of a KV cache is neither declared nor known."""
    types = {v.name: known_type(v, given.facts[v.name]) for v in given.study.variants if _is_undeclared(given, v)}
    unknown = [name for name, kv_type in types.items() if kv_type is None]
    known = {kv_type for kv_type in types.values() if kv_type is not None}
    if len(known) > 1 or (known and unknown):
        listing = ", ".join(f"{name} {kv_type or 'unknown'}" for name, kv_type in types.items())
        message = f"the study does not set the type of these KV caches, and they differ or may differ: {listing}"
        yield Finding(severity="warn", message=message, evidence={"found": types})
    elif unknown:
        message = f"the type of the KV cache is neither set nor known: {listed(unknown)}"
        yield Finding(severity="note", message=message, evidence={"found": types})


def known_type(variant: Variant, facts: ServerFacts) -> str | None:
    """Return the type of the cache as read, or as it follows from how we started the server; None where unknown."""
    return facts.kv_cache or (_DEFAULT[facts.runtime] if _has_its_default(variant, facts) else None)


def _has_its_default(variant: Variant, facts: ServerFacts) -> bool:
    """Whether we started the server, of a kind whose default is known, and nothing in its command changes it."""
    flags = (word for word in (*facts.command, *variant.args) if word.startswith(_CACHE_FLAGS))
    return bool(facts.command) and facts.runtime in _DEFAULT and next(flags, None) is None


def _is_undeclared(given: CheckInput, variant: Variant) -> bool:
    return variant.kv_cache is None and variant.name in given.facts


RULES = (
    Rule(
        code="kv_cache",
        stage="before",
        severity="block",
        threat="The KV cache has another type than the study sets: it can do more damage than quantized weights.",
        signal="The type that the server, or its log, reports.",
        advice="Set the type where the server takes it from, or correct kv_cache in the study.",
        find=kv_cache,
    ),
    Rule(
        code="kv_unproved",
        stage="before",
        severity="warn",
        threat="The KV cache may have another type than the study sets.",
        signal="kv_cache is set, and the server does not report what it has.",
        advice="Look for the type in the server's log or settings, and write it into the study's note.",
        find=kv_unproved,
    ),
    Rule(
        code="kv_unknown",
        stage="before",
        severity="note; warn where types differ or may differ",
        threat="The type of the KV cache is not known.",
        signal="kv_cache is not set, and the server neither reports it nor was started by whichquant as it comes.",
        advice="Find it out where the server was started, give all the same, and write it into the study's note.",
        in_eval="If it is not the server's default, say so in the name of the run (--name).",
        find=kv_unknown,
    ),
)

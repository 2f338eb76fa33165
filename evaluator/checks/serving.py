"""How each variant is served, and what else differs between variants than what is compared."""

import shlex
from collections.abc import Iterable

from msgspec.structs import replace

from evaluator.checks.observed import thinks
from evaluator.checks.rule import CheckInput, Finding, Rule, Severity
from evaluator.decide.wording import listed
from evaluator.study.study import Variant
from servers.spec import Machine

_DRAFTS = ("--model-draft", "-md", "--hf-repo-draft", "-hfd", "--draft", "--spec-", "--speculative", "--lookup-cache")
"""Beginnings of the flags of llama-server, mlx_lm.server and vLLM for draft tokens; -md and -hfd are whole flags."""
_HARMLESS = "harmless if the model does not think"
"""End of the sentence by `servers.probe` about a switch for thinking that is off and has no effect."""
_NOT_DRAFTED = {"none", "0", "off", "false"}


def unmet(given: CheckInput) -> Iterable[Finding]:
    """Repeat what a server was found not to do as asked."""
    for variant in given.study.variants:
        for sentence in given.facts[variant.name].unmet if variant.name in given.facts else ():
            # Off is right for a model that cannot think: with no thought in any reply there is no threat.
            harmless = _HARMLESS in sentence and thinks(given, variant.name) == 0
            yield Finding(severity="note" if harmless else "warn", variant=variant.name, message=sentence)


def speculative(given: CheckInput) -> Iterable[Finding]:
    """Find servers that decode speculatively: with a draft model, or from earlier text."""
    served = [variant for variant in given.study.variants if variant.name in given.facts]
    drafts = {v.name: flags for v in served if (flags := _drafts((*given.facts[v.name].command, *v.args)))}
    if drafts:
        listing = ", ".join(f"{name} ({' '.join(flags)})" for name, flags in drafts.items())
        same = len(drafts) == len(served) and len(set(drafts.values())) == 1
        message = f"speculative decoding is on for {'all' if same else 'some'} variants: {listing}"
        yield Finding(severity="note" if same else "warn", message=message, evidence={"flags": drafts})


def engines(given: CheckInput) -> Iterable[Finding]:
    """Find variants served by another program, or another version of it, than the baseline."""
    pairs = {v.name: given.facts[v.name] for v in given.study.variants if v.name in given.facts}
    baseline = pairs.get(given.study.baseline)
    if baseline is None:
        return
    for variant in given.study.variants:
        facts = pairs.get(variant.name)
        if facts is None or (_version(facts.runtime, facts.version) == _version(baseline.runtime, baseline.version)):
            continue
        if facts.runtime == baseline.runtime and None in {facts.version, baseline.version}:
            continue
        if facts.runtime != baseline.runtime and variant.model == _variant(given, given.study.baseline).model:
            continue  # the same weights under another runtime: this is the comparison
        ours, theirs = _version(facts.runtime, facts.version), _version(baseline.runtime, baseline.version)
        message = f"it is served by {ours}, and {given.study.baseline} by {theirs}: this may change scores, too"
        yield Finding(
            severity="warn", variant=variant.name, message=message, evidence={"ours": ours, "baseline": theirs}
        )


def machines(given: CheckInput) -> Iterable[Finding]:
    """Find variants that are served by different machines."""
    known = {name: _machine(facts.machine) for name, facts in given.facts.items() if facts.machine}
    if len(set(known.values())) > 1:
        message = "the variants are served by different machines: " + ", ".join(f"{n} {m}" for n, m in known.items())
        yield Finding(severity="warn", message=message, evidence={"machines": known})


def confounded(given: CheckInput) -> Iterable[Finding]:
    """Name the settings that differ from the baseline's besides the model."""
    baseline = _variant(given, given.study.baseline)
    for variant in given.study.variants:
        settings = _differing(given, variant, baseline)
        beside = [setting for setting in settings if setting != "args"]
        if settings and (variant.model != baseline.model or len(beside) > 1 or (beside and "args" in settings)):
            listing = listed(_setting(setting, variant, baseline) for setting in settings)
            what = "besides the model" if variant.model != baseline.model else "at once"
            message = f"{what}, it differs from {baseline.name} in {listing}: scores show the effect of all together"
            severity: Severity = "warn" if beside else "note"
            yield Finding(severity=severity, variant=variant.name, message=message, evidence={"settings": settings})


def restarted(given: CheckInput) -> Iterable[Finding]:
    """Find servers that died or hung."""
    for variant in given.study.variants:
        restarts = given.facts[variant.name].restarts if variant.name in given.facts else 0
        if restarts:
            times = "once" if restarts == 1 else f"{restarts} times"
            message = f"the server died or hung {times} while it was asked, and was started again"
            yield Finding(severity="warn", variant=variant.name, message=message, evidence={"restarts": restarts})


def _drafts(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the flags that turn speculative decoding on; one set to `none` or `off` does not."""
    flags = []
    for word, value in zip(words, (*words[1:], ""), strict=False):
        flag, _, inline = word.partition("=")
        whole = flag in {"-md", "-hfd"} or (flag.startswith(_DRAFTS) and flag.startswith("--"))
        if whole and (inline or value).lower() not in _NOT_DRAFTED:
            flags.append(flag)
    return tuple(dict.fromkeys(flags))


def _version(runtime: str, version: str | None) -> str:
    return f"{runtime} {version or 'of unknown version'}"


def _machine(machine: Machine) -> str:
    """Describe a machine by what does not change from hour to hour."""
    steady = replace(machine, power=None)
    memory = f"{steady.memory_bytes / 2**30:.0f} GiB" if steady.memory_bytes else None
    return ", ".join(part for part in (steady.chip, memory, steady.gpu, steady.os) if part)


def _variant(given: CheckInput, name: str) -> Variant:
    return next(variant for variant in given.study.variants if variant.name == name)


def _differing(given: CheckInput, variant: Variant, baseline: Variant) -> list[str]:
    thinks = {variant.thinking, baseline.thinking}
    settings = ["thinking"] if None not in thinks and len(thinks) == 2 else []
    # Where neither sets the cache, kv_unknown reports it.
    if {variant.kv_cache, baseline.kv_cache} != {None} and _kv(given, variant) != _kv(given, baseline):
        settings.append("kv_cache")
    return [*settings, "args"] if variant.args != baseline.args else settings


def _kv(given: CheckInput, variant: Variant) -> str:
    """Return the type of the KV cache as set or known, else the default of every server."""
    actual = given.facts[variant.name].kv_cache if variant.name in given.facts else None
    return variant.kv_cache or actual or "f16"


def _setting(setting: str, variant: Variant, baseline: Variant) -> str:
    if setting == "args":
        return f"args ({shlex.join(variant.args) or 'none'}, not {shlex.join(baseline.args) or 'none'})"
    return {"thinking": "thinking", "kv_cache": "the KV cache"}[setting]


RULES = (
    Rule(
        code="unmet",
        stage="before",
        severity="warn; note where thinking cannot be switched off in a model that does not think",
        threat="The server does not do what the study asks for.",
        signal="What the runtime's adapter found when it looked.",
        advice="Change the study or the server, so that the report states what was really done.",
        in_eval="Change the options or the server, so that the report states what was really done.",
        find=unmet,
    ),
    Rule(
        code="speculative",
        stage="before",
        severity="note; warn where not the same for all",
        threat="Speculative decoding changes speeds, and with some servers answers.",
        signal="Flags for a draft model in the command line.",
        advice="Use it for all variants or for none; do not compare speeds.",
        in_eval="Compare its speed only with that of servers that do the same.",
        find=speculative,
    ),
    Rule(
        code="engines",
        stage="before",
        severity="warn",
        threat="A variant is served by another program, or another version of it, than the baseline.",
        signal="Runtime and version as the servers report them, where the model differs as well.",
        advice="Serve all variants with the same version of the same server.",
        find=engines,
    ),
    Rule(
        code="machines",
        stage="before",
        severity="warn",
        threat="Variants run on different hardware, whose arithmetic and speed differ.",
        signal="Chip, memory, GPU and system of the machines.",
        advice="Serve all variants on one machine, or do not compare speeds.",
        find=machines,
    ),
    Rule(
        code="confounded",
        stage="before",
        severity="warn; note for args alone",
        threat="Several things differ at once, and the difference is blamed on one of them.",
        signal="Thinking, KV cache and args that differ from the baseline's besides the model, or together.",
        advice="Change one thing at a time, or add variants in which only one differs.",
        find=confounded,
    ),
    Rule(
        code="restarted",
        stage="after",
        severity="warn",
        threat="The server died or hung during the run, so its other replies may be faulty, too.",
        signal="How often it was restarted.",
        advice="Look for the cause in its log, and at how much memory is left.",
        find=restarted,
    ),
)

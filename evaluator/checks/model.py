"""Whether the right model answers, the same from beginning to end, and what it is."""

from collections.abc import Iterable
from pathlib import Path

from evaluator.checks.rule import CheckInput, Finding, Rule
from evaluator.decide.wording import listed
from evaluator.study.study import Variant
from servers.weights.facts import mentions_qat

_MLX_ASKED = "default_model"
"""The model name sent to an mlx_lm.server that runs already: see `servers.attach`."""


def model_changed(given: CheckInput) -> Iterable[Finding]:
    """Find variants whose replies came from several models."""
    for variant in given.study.variants:
        names = _answered_by(given, variant)
        if len(names) > 1:
            message = f"the replies came from several models: {', '.join(names)}"
            yield Finding(severity="block", variant=variant.name, message=message, evidence={"models": names})


def same_model(given: CheckInput) -> Iterable[Finding]:
    """Find servers that answer as one model when two different ones are requested."""
    for variant, name, other in _running_already(given):
        if other.model != variant.model:
            message = f'the server answered as {name} both for "{variant.model}" and for "{other.model}"'
            evidence = {"model": name, "variants": [other.name, variant.name]}
            yield Finding(severity="block", variant=variant.name, message=message, evidence=evidence)


def model_name(given: CheckInput) -> Iterable[Finding]:
    """Find servers that answer under another model name than was requested."""
    for variant, name, other in _running_already(given):
        requested = {record.model for record in given.records.get(variant.name, ())}
        facts = given.facts.get(variant.name)
        if facts is not None and facts.runtime == "mlx_lm":
            requested.add(_MLX_ASKED)
        if other.model == variant.model and name not in {variant.model, *requested}:
            message = f'"{variant.model}" was asked for, and the server answered as {name}'
            yield Finding(severity="warn", variant=variant.name, message=message, evidence={"model": name})


def changed(given: CheckInput) -> Iterable[Finding]:
    """Repeat what changed about the server between the preflight, the first question and the last."""
    for name, proofs in given.proofs.items():
        for sentence in proofs.changed:
            yield Finding(severity="block", variant=name, message=sentence)


def same_weights(given: CheckInput) -> Iterable[Finding]:
    """Find two variants that are the same file, served in the same way."""
    first: dict[tuple[object, ...], Variant] = {}
    for variant in given.study.variants:
        facts = given.facts.get(variant.name)
        if facts is None or facts.model_sha256 is None:
            continue
        served = (facts.model_sha256, variant.runtime, variant.thinking, variant.kv_cache, variant.args)
        other = first.setdefault(served, variant)
        if other.model != variant.model:
            message = f"its weights are those of {other.name}, to the byte, and it is served in the same way"
            evidence = {"sha256": facts.model_sha256, "variants": [other.name, variant.name]}
            yield Finding(severity="warn", variant=variant.name, message=message, evidence=evidence)


def qat(given: CheckInput) -> Iterable[Finding]:
    """Find models from quantization-aware training compared with others."""
    trained, called, others = _by_training(given)
    if not trained or not (called or others):
        return
    parts = [f"the metadata of {listed(trained)} mention quantization-aware training"]
    if others:
        parts.append(f"those of {listed(others)} do not")
    if called:
        are = "is" if len(called) == 1 else "are"
        parts.append(f"{listed(called)} {are} called so, and nothing in the files says it")
    message = f"{', '.join(parts)}: the weights may differ, not only their bits"
    yield Finding(severity="note", message=message, evidence={"qat": trained, "called": called, "others": others})


def _by_training(given: CheckInput) -> tuple[list[str], list[str], list[str]]:
    """Name the variants whose metadata mention quantization-aware training, those just called so, and the others."""
    groups: tuple[list[str], list[str], list[str]] = [], [], []
    for variant in given.study.variants:
        facts = given.facts.get(variant.name)
        name = Path(variant.model).name
        trained = facts is not None and bool(facts.qat)
        groups[0 if trained else 1 if mentions_qat([variant.name, name]) else 2].append(variant.name)
    return groups


def quantization(given: CheckInput) -> Iterable[Finding]:
    """Find files of which most weights are of another type than their name or metadata say."""
    for variant in given.study.variants:
        facts = given.facts.get(variant.name)
        if facts is not None and facts.broken_promise:
            evidence = {"quantization": facts.quantization, "bits_per_weight": facts.bits_per_weight}
            yield Finding(severity="note", variant=variant.name, message=facts.broken_promise, evidence=evidence)


def _answered_by(given: CheckInput, variant: Variant) -> list[str]:
    """Return the model names in replies; a server we started counts as one, though its name changes at each start."""
    records = given.records.get(variant.name, ())
    named = {(record.reply.model, record.model) for record in records if record.reply}
    if not named and variant.name in given.proofs:
        named = {(given.proofs[variant.name].model, None)}
    return sorted(
        {variant.model if not variant.base_url and model == requested else model for model, requested in named if model}
    )


def _running_already(given: CheckInput) -> Iterable[tuple[Variant, str, Variant]]:
    """Yield each variant on a server that runs already, its name in replies, and the first variant with both."""
    first: dict[tuple[str, str], Variant] = {}
    for variant in given.study.variants:
        names = _answered_by(given, variant)
        if len(names) == 1 and variant.base_url:
            yield variant, names[0], first.setdefault((variant.base_url, names[0]), variant)


RULES = (
    Rule(
        code="model_changed",
        stage="after",
        severity="block",
        threat="Another model was loaded while the questions were asked.",
        signal="More than one model name in the replies.",
        advice="Ask again with nothing else using this server.",
        find=model_changed,
    ),
    Rule(
        code="changed",
        stage="before",
        severity="block",
        threat="The model, file or build that answered at the end is not the one at the beginning.",
        signal="What the server reports about itself before and after the questions.",
        advice="Ask again with nothing else using this server, and with no update under way.",
        find=changed,
    ),
    Rule(
        code="same_model",
        stage="before",
        severity="block",
        threat="A server answers with the model that is loaded, whatever is asked for.",
        signal="The same address and the same name in the replies for two different models.",
        advice="Load each model by its own name, or start a server for each.",
        find=same_model,
    ),
    Rule(
        code="same_weights",
        stage="before",
        severity="warn",
        threat="Two variants are the same file under two names.",
        signal="The same sha256 and the same settings for two different models.",
        advice="Look at the paths in the study, unless you meant to compare a build with itself.",
        find=same_weights,
    ),
    Rule(
        code="model_name",
        stage="before",
        severity="warn",
        threat="The server answers with another model than it was asked for.",
        signal="The name in the replies, where the server runs already.",
        advice="Set model to the name under which the server answers, if that is the one you mean.",
        in_eval="Give --model the name under which the server answers, if that is the one you mean.",
        find=model_name,
    ),
    Rule(
        code="quantization",
        stage="before",
        severity="note",
        threat="A build is not what it is called: tensors whose rows a type does not fit get another, with more bits.",
        signal="Most weights in the file are of another type than its name or `general.file_type` says.",
        advice="Compare builds by their bits per weight, not by their names.",
        find=quantization,
    ),
    Rule(
        code="qat",
        stage="before",
        severity="note",
        threat="Quantization-aware training makes another model: more differs than the number of bits.",
        signal="The file's metadata mention it for some variants and not for others; a name proves nothing.",
        advice="Compare with the unquantized weights of the same training if you want to know what the bits cost.",
        find=qat,
    ),
)

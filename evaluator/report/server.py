"""What is known about a server, in words."""

from servers.spec import Machine, ServerFacts

UNKNOWN = "unknown"


def describe(facts: ServerFacts) -> tuple[tuple[str, str], ...]:
    """Describe a server as pairs of label and value; `unknown` where there is none."""
    size = f"{facts.model_bytes / 1e6:,.1f} MB" if facts.model_bytes is not None else None
    parameters = f"{facts.parameters / 1e6:,.1f} million" if facts.parameters is not None else None
    bits = f"{facts.bits_per_weight:.2f}" if facts.bits_per_weight is not None else None
    pairs = (
        ("served by", f"{facts.engine}, version {facts.version or UNKNOWN}"),
        ("model", facts.model_path or facts.model_id),
        ("size", size),
        ("parameters", parameters),
        ("bits per weight", bits),
        ("quantization", facts.quantization),
        ("quantized by", facts.quantized_by),
        ("quantization-aware training", "mentioned in its metadata" if facts.qat else None),
        ("context for each slot", f"{facts.context:,} tokens" if facts.context is not None else None),
        ("slots", str(facts.slots) if facts.slots is not None else None),
        ("thinking", _thinking(facts)),
        ("KV cache", facts.kv_cache),
        ("model sha256", facts.model_sha256),
        ("chat template sha256", facts.chat_template_sha256),
        ("machine", machine(facts.machine)),
        ("adapter tested", facts.adapter),
    )
    return tuple((label, value or UNKNOWN) for label, value in pairs)


def _thinking(facts: ServerFacts) -> str | None:
    set_to = None if facts.thinking is None else f"set {_on(facts.thinking)}"
    default = None if facts.thinking_default is None else f"{_on(facts.thinking_default)} by default"
    switch = {
        True: "the switch changes the prompt",
        False: "the chat template has no switch for it",
        None: None,
    }[facts.thinking_heard]
    return ", ".join(part for part in (set_to, default, switch) if part) or None


def _on(value: bool) -> str:  # noqa: FBT001 - a switch's state
    return "on" if value else "off"


def machine(of: Machine | None) -> str | None:
    """Describe a machine in one line; None where nothing is known."""
    if of is None:
        return None
    memory = f"{of.memory_bytes / 2**30:.0f} GiB" if of.memory_bytes else None
    cores = f"{of.cores} cores" if of.cores else None
    parts = (of.chip, cores, memory, of.gpu, of.os, of.power)
    return ", ".join(part for part in parts if part)

"""What is measured of builds against their references: the `fidelity` section of report.json."""

from typing import Literal

from msgspec import Struct

Method = Literal["exact", "top_k", "bound"]
"""All probabilities; the largest of the reference's with the mass of the others; a lower bound over HTTP."""
FidelityVerdict = Literal[
    "equivalent", "worse", "better", "worse, size uncertain", "better, size uncertain", "cannot tell"
]


class Estimate(Struct, frozen=True):
    """A number with its 95 % interval, by blocks of text; None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


class Text(Struct, frozen=True):
    """What was read: its name, the SHA-256 of its bytes, and how it was cut into windows of `context` tokens."""

    name: str
    sha256: str
    context: int
    windows: int
    scored: int
    """Tokens that count: those of each window's second half, as llama.cpp counts."""


class BuildFidelity(Struct, frozen=True):
    """One build against one reference. Perplexities are of the scored tokens, KL divergence is in nats a token."""

    build: str
    reference: str
    method: Method
    scored: int
    block_tokens: int
    """Scored tokens in one block of the intervals."""
    perplexity: Estimate | None = None
    reference_perplexity: Estimate | None = None
    perplexity_ratio: Estimate | None = None
    perplexity_difference: Estimate | None = None
    mean_kld: Estimate | None = None
    median_kld: Estimate | None = None
    p99_kld: Estimate | None = None
    largest_kld: float | None = None
    top1_agreement: Estimate | None = None
    """A share, 0 to 1."""
    rms_delta_p: Estimate | None = None
    """Of the probability of the token that is there, 0 to 1."""
    covered: float | None = None
    """The reference's probability that the compared tokens hold, where not all are compared."""
    error_bound: float | None = None
    """By how much the mean KL divergence may be off at most, in nats, where not all tokens were kept."""
    size_bytes: int | None = None
    seconds: float | None = None
    verdict: FidelityVerdict | None = None
    """By the margin of the study, after Holm's correction over all builds."""
    p_value: float | None = None
    below_floor: bool | None = None
    """Whether it is no further from the reference than the reference is from itself on this machine."""


class PairFidelity(Struct, frozen=True):
    """Two builds against the same reference, paired by blocks: a negative difference means that `build` is closer."""

    build: str
    other: str
    reference: str
    kld_difference: Estimate
    top1_difference: Estimate
    p_value: float
    verdict: FidelityVerdict


class Floor(Struct, frozen=True):
    """The runtime's own noise: one build measured twice in two ways that should not matter."""

    build: str
    ways: str
    """What differed: two runs, the number of slots, repacked weights, a processor and a graphics card."""
    mean_kld: Estimate
    top1_agreement: Estimate


class Fidelity(Struct, frozen=True):
    """All of one study."""

    text: Text
    builds: tuple[BuildFidelity, ...]
    pairs: tuple[PairFidelity, ...] = ()
    floors: tuple[Floor, ...] = ()
    margin_kld: float | None = None
    """Nats a token below which a build counts as equivalent."""
    notes: tuple[str, ...] = ()
    """Sentences on what the numbers do not say: mixed drift and quantization, what was refused and why."""

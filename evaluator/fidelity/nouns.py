"""What is measured of builds against their references: the `fidelity` section of report.json."""

from typing import Literal

from msgspec import Struct

from evaluator.fidelity.parting import Partings

Method = Literal["exact", "top_k", "bound"]
"""All probabilities; the largest of the reference's with the mass of the others; a lower bound over HTTP."""
FidelityVerdict = Literal[
    "equivalent",
    "worse",
    "better",
    "worse by less than the margin",
    "better by less than the margin",
    "worse, size uncertain",
    "better, size uncertain",
    "cannot tell",
]
"""As for scores (`evaluator.decide.comparison`), where `worse` and `better` are clearly so: by more than the margin."""


class Estimate(Struct, frozen=True):
    """A number with its 95 % interval, by blocks of text; None where there is none."""

    value: float
    """What was measured."""
    low: float | None = None
    """Where the interval begins."""
    high: float | None = None
    """Where it ends."""


class Text(Struct, frozen=True):
    """The text that was read, and how it was cut into windows."""

    name: str
    """`default`, or the file's."""
    sha256: str
    """Of its bytes."""
    context: int
    """Tokens in a window."""
    windows: int
    """How many there are, one after the other."""
    scored: int
    """Tokens that count: those of each window's second half, as llama.cpp counts."""


class BuildFidelity(Struct, frozen=True):
    """One build against one reference. Perplexities are of the scored tokens, KL divergence is in nats a token."""

    build: str
    """Its name."""
    reference: str
    """Name of what it is compared with."""
    method: Method
    """How the probabilities were compared: `exact`, all of them; `top_k`, the largest of the reference's, with the mass
    of the others; `bound`, a lower bound from what a server returns."""
    scored: int
    """Tokens that count."""
    block_tokens: int
    """Scored tokens in one block of the intervals."""
    perplexity: Estimate | None = None
    """Of the build."""
    reference_perplexity: Estimate | None = None
    """Of the reference, on the same tokens."""
    perplexity_ratio: Estimate | None = None
    """The build's over the reference's, paired."""
    perplexity_difference: Estimate | None = None
    """The build's minus the reference's, paired."""
    mean_kld: Estimate | None = None
    """KL divergence of the build from the reference, the mean over the scored tokens."""
    median_kld: Estimate | None = None
    """Its median."""
    p99_kld: Estimate | None = None
    """What 99 % of the tokens do not exceed."""
    largest_kld: float | None = None
    """Of a single token."""
    top1_agreement: Estimate | None = None
    """Share of the tokens for which both hold the same one the likeliest, 0 to 1."""
    rms_delta_p: Estimate | None = None
    """Root mean square of the difference of the probability of the token that is there, 0 to 1."""
    covered: float | None = None
    """The reference's probability that the compared tokens hold, where not all are compared."""
    error_bound: float | None = None
    """By how much the mean KL divergence may be off at most, in nats, where not all tokens were kept."""
    size_bytes: int | None = None
    """Of the build's files."""
    seconds: float | None = None
    """That measuring it took."""
    verdict: FidelityVerdict | None = None
    """By the margin of the study, after Holm's correction over all builds."""
    p_value: float | None = None
    """Of that verdict, corrected."""
    below_floor: bool | None = None
    """Whether it is no further from the reference than the reference is from itself on this machine."""


class PairFidelity(Struct, frozen=True):
    """Two builds against the same reference, paired by blocks: a negative difference means that `build` is closer."""

    build: str
    """The first."""
    other: str
    """The second."""
    reference: str
    """What both are compared with."""
    kld_difference: Estimate
    """Mean KL divergence of the first minus that of the second, in nats a token."""
    top1_difference: Estimate
    """Top-1 agreement of the first minus that of the second, as a share."""
    p_value: float
    """Of no difference in KL divergence, corrected."""
    verdict: FidelityVerdict
    """What may be said of the first against the second."""


class Floor(Struct, frozen=True):
    """The runtime's own noise: one build measured twice in two ways that should not matter."""

    build: str
    """Its name."""
    ways: str
    """What differed: two runs, the number of slots, repacked weights, a processor and a graphics card."""
    mean_kld: Estimate
    """KL divergence of the second time from the first."""
    top1_agreement: Estimate
    """Share of the tokens for which both times hold the same one the likeliest."""


class Fidelity(Struct, frozen=True):
    """How far the builds of one study are from their references, token by token."""

    text: Text
    """What was read."""
    builds: tuple[BuildFidelity, ...]
    """Each against each of its references."""
    pairs: tuple[PairFidelity, ...] = ()
    """Builds against each other."""
    floors: tuple[Floor, ...] = ()
    """The runtime's own noise, below which no difference means anything."""
    sha256: dict[str, str] = {}
    """By name, of the files of builds and references as far as they are known: what is called alike in two runs is the
    same only where this says so."""
    sizes: dict[str, int] = {}
    """By name, the bytes of the files of builds and references as far as they are known."""
    partings: tuple[Partings, ...] = ()
    """How the answers that flip begin to differ, of builds whose servers were asked."""
    margin_kld: float | None = None
    """Nats a token below which a build counts as equivalent."""
    notes: tuple[str, ...] = ()
    """Sentences on what the numbers do not say: mixed drift and quantization, what was refused and why."""

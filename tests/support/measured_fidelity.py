"""Fidelity as it might have been measured: a QAT build and a plain one, bounds, floors, hostile names."""

from msgspec.structs import replace

from evaluator.fidelity.nouns import BuildFidelity, Estimate, Fidelity, Floor, PairFidelity, Text

TEXT = Text(name="default", sha256="ab" * 32, context=512, windows=40, scored=10_200)


def around(value: float, by: float) -> Estimate:
    """An estimate with an interval of plus and minus so much of it."""
    return Estimate(value=value, low=value * (1 - by), high=value * (1 + by))


def build(name: str, kld: float, top1: float, size: int, *, reference: str = "f16") -> BuildFidelity:
    """A build that was measured exactly."""
    return BuildFidelity(
        build=name,
        reference=reference,
        method="exact",
        scored=10_200,
        block_tokens=255,
        perplexity=around(8.25 * (1 + kld), 0.05),
        reference_perplexity=around(8.25, 0.05),
        perplexity_ratio=around(1 + kld, 0.002),
        perplexity_difference=around(8.25 * kld, 0.4),
        mean_kld=around(kld, 0.1),
        median_kld=around(kld / 4, 0.1),
        p99_kld=around(kld * 12, 0.2),
        largest_kld=kld * 90,
        top1_agreement=Estimate(top1, top1 - 0.004, min(1.0, top1 + 0.004)),
        rms_delta_p=around(kld**0.5 / 4, 0.1),
        size_bytes=size,
        seconds=60.0,
        verdict="equivalent" if kld < 0.01 else "worse",
        p_value=0.0004,
        below_floor=kld < 0.001,
    )


Q8 = build("q8_0", 0.0005, 0.994, 290_000_000)
Q4_K_M = build("q4_k_m", 0.0057, 0.981, 190_000_000)
Q4 = build("q4_0", 0.0142, 0.969, 170_000_000)
Q2 = build("q2_k", 0.31, 0.741, 120_000_000)
BOUND = BuildFidelity(
    build="attached",
    reference="f16",
    method="bound",
    scored=10_200,
    block_tokens=255,
    mean_kld=around(0.012, 0.1),
    top1_agreement=Estimate(0.97, 0.966, 0.974),
    covered=0.992,
    verdict="cannot tell",
)
TOP_K = replace(Q4, build="kept", method="top_k", covered=0.9991, error_bound=0.0003)
PAIR = PairFidelity(
    build="q4_k_m",
    other="q4_0",
    reference="f16",
    kld_difference=Estimate(-0.0085, -0.0101, -0.0069),
    top1_difference=Estimate(0.012, 0.008, 0.016),
    p_value=0.0001,
    verdict="better",
)
FLOOR = Floor(
    build="f16",
    ways="repacked weights or not",
    mean_kld=around(0.0011, 0.1),
    top1_agreement=Estimate(0.991, 0.988, 0.994),
)
FIDELITY = Fidelity(
    text=TEXT,
    builds=(Q8, Q4_K_M, Q4, Q2),
    pairs=(PAIR,),
    floors=(FLOOR,),
    sha256={"f16": "0f" * 32, "q8_0": "08" * 32, "q4_k_m": "04" * 32, "q4_0": "40" * 32, "q2_k": "20" * 32},
    margin_kld=0.01,
    notes=("Intervals hold for texts like this one.",),
)

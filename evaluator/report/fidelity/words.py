"""How the numbers of fidelity are written, and what they rest on, the same in every form of the report."""

from collections.abc import Callable, Iterator, Mapping
from math import floor, log10

from evaluator.decide import wording
from evaluator.fidelity.nouns import BuildFidelity, Estimate, Fidelity, PairFidelity

AS_GOOD = "as good as the reference on this machine"
"""What a build below the floor is called."""
PAIRS = 6
"""Pairs of builds that are told of in sentences, at most: a table has all."""
_FINEST = 7
"""Decimals of a number of nats: what is less is written as less than one of the last."""
_METHODS = {
    "exact": "all probabilities of the vocabulary were compared, at every scored token",
    "top_k": "the likeliest tokens of the reference were compared one by one, the mass of the others as one; beside the"
    " mean stands by how much that may change it at most",
    "bound": "a server returns only its likeliest tokens, so that the KL divergence is known to be at least so much;"
    " beside it stands which share of the reference's probability was compared",
}
_CLOSER: Mapping[str, str] = {
    "better": "is closer to {reference} than {other}",
    "better by less than the margin": "is closer to {reference} than {other}, by less than the margin",
    "better, size uncertain": "is closer to {reference} than {other}, by how much is uncertain",
    "worse": "is further from {reference} than {other}",
    "worse by less than the margin": "is further from {reference} than {other}, by less than the margin",
    "worse, size uncertain": "is further from {reference} than {other}, by how much is uncertain",
    "equivalent": "is as close to {reference} as {other}, within the margin",
}


def nats(value: float, decimals: int | None = None) -> str:
    """Write a number of nats with three digits, `0.00570`, or with so many decimals; never in powers of ten."""
    if value == 0:
        return "0"
    if abs(value) < 0.5 * 10**-_FINEST:
        return f"less than {10**-_FINEST:.{_FINEST}f}"
    return f"{value:.{_decimals(value) if decimals is None else decimals}f}".replace("-", "\u2212")


def _decimals(value: float) -> int:
    return min(_FINEST, max(1, 2 - floor(log10(abs(value)))))


def perplexity(value: float) -> str:
    """Write a perplexity or a difference of two: four decimals, as llama.cpp does, and fewer where they say nothing."""
    return f"{value:,.{4 if abs(value) < 100 else 2}f}".replace("-", "\u2212")


def agreement(share: float) -> str:
    """Write a share of tokens, 0.98104 as `98.10 %`."""
    return wording.percent(share, 2)


def within(estimate: Estimate, write: Callable[[float], str]) -> str:
    """Write the interval of a number, `0.00513 to 0.00627`; empty where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    if write in (nats, signed_nats) and estimate.value:
        low, high = (write(end, _decimals(estimate.value)) for end in (estimate.low, estimate.high))
    else:
        low, high = write(estimate.low), write(estimate.high)
    return f"{low.removesuffix(' %')} to {high}"


def plain(estimate: Estimate | None, write: Callable[[float], str]) -> str:
    """Write a number without its interval, or a dash."""
    return wording.DASH if estimate is None else write(estimate.value)


def with_interval(estimate: Estimate | None, write: Callable[[float], str]) -> str:
    """Write a number and its interval, or a dash."""
    if estimate is None:
        return wording.DASH
    interval = within(estimate, write)
    return f"{write(estimate.value)} ({interval})" if interval else write(estimate.value)


def divergence(build: BuildFidelity, unit: str = "") -> str:
    """Write the mean KL divergence as it is known: exactly, to within so much, or from below alone; or a dash."""
    if build.mean_kld is None:
        return wording.DASH
    if build.method == "bound":
        return f"at least {nats(build.mean_kld.value)}{unit}{_mass(build)}"
    known = f"{with_interval(build.mean_kld, nats)}{unit}"
    if build.error_bound is not None:
        return f"{known}, off by {nats(build.error_bound)} at most{_mass(build)}"
    return known


def _mass(build: BuildFidelity) -> str:
    return "" if build.covered is None else f"; {wording.percent(build.covered)} of the mass covered"


def verdict(build: BuildFidelity) -> str:
    """Write the verdict for a cell; of a build below the floor what that makes it, too."""
    return "; ".join(filter(None, (build.verdict or "", AS_GOOD if build.below_floor else ""))) or wording.DASH


def in_a_sentence(build: BuildFidelity) -> str:
    """Say how far a build is from its reference, and what may be said of that."""
    parts = []
    if build.mean_kld is not None:
        parts.append(f"KL divergence from {build.reference} {divergence(build, ' nats a token')}")
    if build.top1_agreement is not None:
        parts.append(f"the same likeliest token for {agreement(build.top1_agreement.value)} of the tokens")
    known = verdict(build)
    return (
        f"{build.build}: {', '.join(parts) or 'nothing was measured'}{'' if known == wording.DASH else f': {known}'}."
    )


def pair(item: PairFidelity) -> str:
    """Say which of two builds is closer to their reference."""
    known = _CLOSER.get(item.verdict)
    if known is None:
        said = f"whether {item.build} or {item.other} is closer to {item.reference}: cannot tell"
    else:
        said = f"{item.build} {known.format(reference=item.reference, other=item.other)}"
    kld = with_interval(item.kld_difference, signed_nats)
    top1 = with_interval(item.top1_difference, wording.signed_points)
    p = wording.p_equals(item.p_value)
    return f"{said}: KL divergence {kld} nats a token, top-1 agreement {top1} points; no difference: p {p}."


def signed_nats(value: float, decimals: int | None = None) -> str:
    """Write a difference in nats with its sign."""
    return f"{'+' if value > 0 else ''}{nats(value, decimals)}"


def floors(fidelity: Fidelity) -> Iterator[str]:
    """Say how far builds are from themselves, and which builds are no further from their reference."""
    for item in fidelity.floors:
        kld, top1 = nats(item.mean_kld.value), agreement(item.top1_agreement.value)
        yield (
            f"The floor: measured twice ({item.ways}), {item.build} is {kld} nats a token from itself, with the same"
            f" likeliest token for {top1} of the tokens."
        )
    for reference in dict.fromkeys(build.reference for build in fidelity.builds if build.below_floor):
        below = [b.build for b in fidelity.builds if b.below_floor and b.reference == reference]
        be = "is" if len(below) == 1 else "are"
        yield f"{wording.listed(below)} {be} {AS_GOOD}: no further from {reference} than a build is from itself."


def parted(fidelity: Fidelity) -> Iterator[str]:
    """Tell training drift and quantization apart, of each build whose own reference was compared with the plain one."""
    known = {(b.build, b.reference): divergence(b, " nats a token") for b in fidelity.builds if b.mean_kld}
    for (build, plain), total in known.items():
        for own in dict.fromkeys(reference for _, reference in known):
            if own != plain and (build, own) in known and (own, plain) in known:
                yield (
                    f"{build}, in parts: training drift, {own} from {plain}, {known[own, plain]}; quantization, {build}"
                    f" from {own}, {known[build, own]}; both together, {build} from {plain}, {total}."
                    " The parts need not add up: KL divergences do not."
                )


def rests_on(fidelity: Fidelity) -> Iterator[str]:
    """Say what was read and how it was counted, how builds were compared, and what the verdicts mean."""
    text = fidelity.text
    windows = f"{text.windows:,} window{'' if text.windows == 1 else 's'} of {text.context:,} tokens"
    yield (
        f"Text: {text.name} (sha256 {text.sha256[:12]}), {windows}. What counts are the {text.scored:,} tokens of the"
        " windows' second halves, as llama.cpp counts."
    )
    blocks = sorted({build.block_tokens for build in fidelity.builds})
    if blocks:
        yield (
            f"Intervals are 95 %, by blocks of {wording.text_range(f'{blocks[0]:,}', f'{blocks[-1]:,}')} scored tokens:"
            " tokens beside each other are not independent."
        )
    if fidelity.margin_kld is not None:
        yield (
            f"Equivalent means a mean KL divergence within the margin of {fidelity.margin_kld:g} nats a token; verdicts"
            " are corrected for all of them together (Holm)."
        )
    for method, meaning in _METHODS.items():
        if whose := [build.build for build in fidelity.builds if build.method == method]:
            yield f"{wording.listed(dict.fromkeys(whose))}: {meaning}."

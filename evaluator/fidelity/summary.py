"""From measured tokens to numbers with intervals, and to what may be said of each build."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import exp, sqrt
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from evaluator.decide.verdict import decide
from evaluator.fidelity.measure import PerToken
from evaluator.fidelity.nouns import BuildFidelity, Estimate, FidelityVerdict, Method, PairFidelity
from evaluator.stats.blocks import Blocks, blocks_of, mean_interval, p_above, quantile_interval
from evaluator.stats.blocks import share_interval as share_of
from evaluator.stats.multiplicity import holm_by_key
from evaluator.stats.proportions import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FEWEST = 24
"""Scored tokens below which there are no intervals."""


class Measured(Struct, frozen=True, kw_only=True):
    """One build against one reference, as it was measured."""

    build: str
    reference: str
    tokens: PerToken
    method: Method = "exact"
    covered: float | None = None
    size_bytes: int | None = None
    seconds: float | None = None


def summarize(
    measured: Sequence[Measured], *, margin: float, alpha: float = 0.05
) -> tuple[tuple[BuildFidelity, ...], tuple[PairFidelity, ...]]:
    """Give each build's numbers and verdict, and those of each two builds with the same reference.

    A KL divergence is never below 0, and of any other weights it is above, so that "no difference" is no question: a
    build is `worse` where its mean is shown to be above the margin, and `equivalent` where it is shown to be below.
    Two builds are compared as two variants are by their answers: paired, different or equivalent within the margin.

    Args:
        measured: All builds.
        margin: Mean KL divergence, in nats a token.
        alpha: Rate of false claims over all builds, and over all pairs.
    """
    builds = [_numbers(one) for one in measured]
    return _judged(measured, builds, margin, alpha), _pairs(measured, margin, alpha)


def _numbers(one: Measured) -> BuildFidelity:
    import numpy as np  # noqa: PLC0415 - slow to import

    flat = {name: values.reshape(-1) for name, values in one.tokens._asdict().items() if values is not None}
    nll, base, kld, same = flat["nll"], flat["nll_reference"], flat["kld"], flat["same_top"].astype(float)
    if one.method == "bound":
        return _bounded(one, nll, base)
    squares = one.tokens.delta_p.reshape(-1) ** 2
    blocks = _blocks(kld, nll - base, same)
    return BuildFidelity(
        build=one.build,
        reference=one.reference,
        method=one.method,
        scored=len(kld),
        block_tokens=blocks.length if blocks else len(kld),
        perplexity=_through(exp, nll, _blocks(nll)),
        reference_perplexity=_through(exp, base, _blocks(base)),
        perplexity_ratio=_through(exp, nll - base, blocks),
        perplexity_difference=_perplexity_difference(nll, base, blocks),
        mean_kld=_through(float, kld, blocks, skewed=True),
        median_kld=_quantile(kld, 0.5, blocks),
        p99_kld=_quantile(kld, 0.99, blocks),
        largest_kld=float(kld.max()),
        top1_agreement=_estimate(float(same.mean()), share_of(same, blocks) if blocks else None),
        rms_delta_p=_through(lambda mean: sqrt(max(0.0, mean)), squares, blocks, skewed=True),
        covered=one.covered,
        error_bound=float(np.mean(flat["slack"])) if "slack" in flat else None,
        size_bytes=one.size_bytes,
        seconds=one.seconds,
    )


def _bounded(one: Measured, nll: "NDArray[np.float64]", base: "NDArray[np.float64]") -> BuildFidelity:
    """Give what lower bounds say, token by token; perplexities only where the server told all that they are made of."""
    import numpy as np  # noqa: PLC0415

    kld, same = one.tokens.kld.reshape(-1), one.tokens.same_top.reshape(-1).astype(float)
    blocks = _blocks(kld, same)
    found = BuildFidelity(
        build=one.build,
        reference=one.reference,
        method="bound",
        scored=len(kld),
        block_tokens=blocks.length if blocks else len(kld),
        mean_kld=_through(float, kld, blocks, skewed=True) if len(kld) else None,
        top1_agreement=_estimate(float(same.mean()), share_of(same, blocks) if blocks else None) if len(kld) else None,
        covered=one.covered,
        seconds=one.seconds,
    )
    if not len(kld) or np.isnan(nll).any() or np.isnan(base).any():
        return found
    return replace(
        found,
        perplexity=_through(exp, nll, _blocks(nll)),
        reference_perplexity=_through(exp, base, _blocks(base)),
        perplexity_ratio=_through(exp, nll - base, _blocks(nll - base)),
        perplexity_difference=_perplexity_difference(nll, base, _blocks(nll - base)),
    )


def _blocks(*series: "NDArray[np.float64]") -> Blocks | None:
    return blocks_of(series) if len(series[0]) >= _FEWEST else None


def _estimate(value: float, interval: Interval | None) -> Estimate:
    return Estimate(value) if interval is None else Estimate(value, interval.low, interval.high)


def _through(
    function: Callable[[float], float], values: "NDArray[np.float64]", blocks: Blocks | None, *, skewed: bool = False
) -> Estimate:
    """Take the mean and the ends of its interval through a function that never falls."""
    middle = function(float(values.mean()))
    if blocks is None:
        return Estimate(middle)
    around = mean_interval(values, blocks, skewed=skewed)
    return Estimate(middle, function(around.low), function(around.high))


def _quantile(values: "NDArray[np.float64]", share: float, blocks: Blocks | None) -> Estimate:
    import numpy as np  # noqa: PLC0415

    interval = quantile_interval(values, share, blocks) if blocks else None
    return _estimate(float(np.quantile(values, share)), interval)


def _perplexity_difference(nll: "NDArray[np.float64]", base: "NDArray[np.float64]", blocks: Blocks | None) -> Estimate:
    """Subtract paired perplexities; the interval is of what each token adds to the difference, to the first order."""
    build, reference = exp(float(nll.mean())), exp(float(base.mean()))
    parts = build * (nll - nll.mean()) - reference * (base - base.mean()) + (build - reference)
    return _through(float, parts, blocks)


def _judged(
    measured: Sequence[Measured], builds: Sequence[BuildFidelity], margin: float, alpha: float
) -> tuple[BuildFidelity, ...]:
    above, below = {}, {}
    cut = {place: _blocks(one.tokens.kld.reshape(-1)) for place, one in enumerate(measured)}
    for place, one in enumerate(measured):
        if blocks := cut[place]:
            kld = one.tokens.kld.reshape(-1)
            above[place] = p_above(kld, margin, blocks, skewed=True)
            # what was not kept of the reference may have made the mean too small
            most = kld if one.tokens.slack is None else kld + one.tokens.slack.reshape(-1)
            below[place] = 1.0 if one.method == "bound" else p_above(-most, -margin, blocks, skewed=True)
    worse, equal = holm_by_key(above, len(measured)), holm_by_key(below, len(measured))
    found = []
    for place, build in enumerate(builds):
        if place not in worse:
            found.append(build)
            continue
        smaller = min(worse[place], equal[place])
        words: FidelityVerdict = "worse" if worse[place] <= equal[place] else "equivalent"
        found.append(replace(build, verdict=words if smaller <= alpha else "cannot tell", p_value=smaller))
    return tuple(found)


class _Apart(Struct, frozen=True):
    """Two builds, token by token."""

    build: str
    other: str
    reference: str
    kld: "NDArray[np.float64]"
    top: "NDArray[np.float64]"
    blocks: Blocks


def _pairs(measured: Sequence[Measured], margin: float, alpha: float) -> tuple[PairFidelity, ...]:
    pairs = [
        _apart(a, b)
        for a, b in combinations(measured, 2)
        if a.reference == b.reference and a.tokens.kld.size >= _FEWEST and a.method == b.method != "bound"
    ]
    different, equal = {}, {}
    for place, pair in enumerate(pairs):
        sides = [(pair.kld, pair.blocks), (-pair.kld, pair.blocks)]
        different[place] = min(1.0, 2 * min(p_above(values, 0.0, blocks) for values, blocks in sides))
        equal[place] = max(p_above(values, -margin, blocks) for values, blocks in sides)
    p, p_equal = holm_by_key(different, len(pairs)), holm_by_key(equal, len(pairs))
    return tuple(
        PairFidelity(
            build=pair.build,
            other=pair.other,
            reference=pair.reference,
            kld_difference=_through(float, pair.kld, pair.blocks),
            top1_difference=_through(float, pair.top, pair.blocks),
            p_value=p[place],
            verdict=_verdict(pair, (p[place], p_equal[place]), margin, alpha, len(pairs)),
        )
        for place, pair in enumerate(pairs)
    )


def _apart(a: Measured, b: Measured) -> _Apart:
    kld = (a.tokens.kld - b.tokens.kld).reshape(-1)
    top = (a.tokens.same_top.astype(float) - b.tokens.same_top.astype(float)).reshape(-1)
    return _Apart(a.build, b.build, a.reference, kld, top, blocks_of([kld, top]))


def _verdict(pair: _Apart, p: tuple[float, float], margin: float, alpha: float, family: int) -> FidelityVerdict:
    closer = -pair.kld  # the rule is written for scores, of which more is better
    said = decide(
        mean_interval(closer, pair.blocks, 1 - alpha),
        mean_interval(closer, pair.blocks, 1 - alpha / family),
        mean_interval(closer, pair.blocks, 1 - 2 * alpha),
        p=p[0],
        equivalence_p=p[1],
        margin=margin,
        alpha=alpha,
    )
    return _WORDS[said]


_WORDS: Mapping[str, FidelityVerdict] = {
    "clearly worse": "worse",
    "worse by less than the margin": "worse by less than the margin",
    "worse, size uncertain": "worse, size uncertain",
    "equivalent": "equivalent",
    "cannot tell": "cannot tell",
    "better by less than the margin": "better by less than the margin",
    "better, size uncertain": "better, size uncertain",
    "clearly better": "better",
}

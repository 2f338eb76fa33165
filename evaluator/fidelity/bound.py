"""How far two distributions are apart at least, of which servers list only the likeliest tokens.

The tokens that both list are compared one by one, all others together, as one: by the log-sum inequality that is never
more than the KL divergence itself (Cover and Thomas, Elements of Information Theory, theorem 2.7.1). From above nothing
bounds it: a token that a server does not list may be as unlikely as it likes.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOST = 2.0**-25
"""Of each token of the vocabulary, what a sum in single precision may lose of it: llama.cpp divides by such a sum."""
_ROUNDING = 1e-6
"""Nats by which logarithms in single precision may be off, all together."""
_NONE = -1000.0
"""Below this a logarithm stands for a probability of 0."""
_ABOVE_ONE = 1e-3
"""By how much probabilities may sum to more than 1 before they are taken for something else."""


class Listed(NamedTuple):
    """What is known of the token after one beginning of a text."""

    ids: "NDArray[np.int64]"
    """Of tokens, each once, in any order."""
    logprobs: "NDArray[np.float64]"
    """Natural logarithms of their probabilities."""
    there: float | None = None
    """That of the token which follows in the text; None where it is not known."""
    whole: bool = False
    """Whether all tokens are listed, token i at place i."""
    holds_top: bool = True
    """Whether the likeliest of all tokens is among them."""

    @property
    def top(self) -> int | None:
        """The likeliest token; None where it is not known."""
        return int(self.ids[np.argmax(self.logprobs)]) if self.holds_top else None


class Bound(NamedTuple):
    """One token of a text."""

    nats: float
    """The KL divergence of the build from the reference is at least this."""
    covered: float
    """Probability that the reference gives to the tokens which both list."""
    same_top: bool | None
    """Whether both have the same likeliest token; None where one of these is not known."""


def whole_row(logits: "NDArray[np.float32]", there: int | None = None) -> Listed:
    """Make of raw logits what is known: everything. `there` is the token that follows in the text."""
    row = logits.astype(np.float64)
    logprobs = row - row.max()
    logprobs -= np.log(np.exp(logprobs).sum())
    known = None if there is None else float(logprobs[there])
    return Listed(np.arange(len(row)), logprobs, known, whole=True)


def bound(reference: Listed, build: Listed, vocabulary: int) -> Bound:
    """Bound the KL divergence of a build from its reference after one beginning of a text.

    Args:
        reference: All of its tokens, or the likeliest.
        build: The same.
        vocabulary: How many tokens there are: the more, the less exactly servers know what theirs sum to.
    """
    p, q = _in_both(reference, build)
    tops = (reference.top, build.top)
    same_top = None if None in tops else tops[0] == tops[1]
    if not len(p):
        return Bound(0.0, 0.0, same_top)
    covered, listed = float(np.exp(p).sum()), float(np.exp(q).sum())
    within = float((np.exp(p) / covered * (p - np.log(covered) - q + np.log(listed))).sum())
    # A sum that lost something makes all that is listed larger: what it holds is in truth between these two.
    lost = min(0.5, vocabulary * _LOST)
    of_reference = _range(covered, 0.0 if reference.whole else lost)
    of_build = _range(listed, 0.0 if build.whole else lost)
    nats = of_reference[0] * within + _apart(of_reference, of_build) - _ROUNDING
    return Bound(max(0.0, nats), min(1.0, covered), same_top)


def is_distribution(listed: Listed) -> bool:
    """Whether these can be logarithms of probabilities: each a number up to 0, together at most 1."""
    logprobs = listed.logprobs
    if not len(logprobs) or np.isnan(logprobs).any() or len(np.unique(listed.ids)) < len(listed.ids):
        return False
    return bool(logprobs.max() <= _ABOVE_ONE and np.exp(logprobs).sum() <= 1 + _ABOVE_ONE)


def _in_both(reference: Listed, build: Listed) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Give the logarithms of both for the tokens that both list; what has no probability is left to the others."""
    if reference.whole and build.whole:
        p, q = reference.logprobs, build.logprobs
    elif reference.whole:
        p, q = reference.logprobs[build.ids], build.logprobs
    elif build.whole:
        p, q = reference.logprobs, build.logprobs[reference.ids]
    else:
        _, ours, theirs = np.intersect1d(reference.ids, build.ids, assume_unique=True, return_indices=True)
        p, q = reference.logprobs[ours], build.logprobs[theirs]
    possible = (p > _NONE) & (q > _NONE)
    return p[possible], q[possible]


def _range(mass: float, lost: float) -> tuple[float, float]:
    return min(1.0, mass) * (1 - lost), min(1.0, mass)


def _apart(ours: tuple[float, float], theirs: tuple[float, float]) -> float:
    """Give the least KL divergence of "one of these tokens or another" between two ranges of its probability."""
    p, q = (ours[0], theirs[1]) if ours[0] > theirs[1] else (ours[1], theirs[0])
    if ours[0] <= theirs[1] and theirs[0] <= ours[1]:
        return 0.0
    sides = ((p, q), (1 - p, 1 - q))
    return sum(a * float(np.log(a / max(b, _ROUNDING))) for a, b in sides if a > 0)

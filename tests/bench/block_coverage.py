"""How often block intervals hold the true value, on made-up texts whose neighbouring tokens resemble each other.

`python -m tests.bench.block_coverage [REPEATS]` prints a table; nominal is 95 %. Values are a normal process with
autocorrelation phi, as it is or through a map that makes it as skew as KL divergences are (lognormal, sigma 1.5).
"""

import sys
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import norm

from evaluator.stats.blocks import Blocks, blocks_of, mean_interval, quantile_interval, share_interval
from evaluator.stats.proportions import Interval

Values = NDArray[np.float64]
SIGMA = 1.5


def process(rng: np.random.Generator, n: int, phi: float, columns: int = 1) -> Values:
    """Draw standard normal values that resemble their neighbours: correlation phi ** lag."""
    noise = rng.normal(size=(columns, n + 300)) * np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise, axis=1)[:, 300:])


def cases(phi: float) -> Iterator[tuple[str, float, Callable[[Values, Blocks], Interval], Callable[[Values], Values]]]:
    """Name each quantity, its true value, its interval, and how its values are made of normal ones."""
    skew = np.exp(SIGMA**2 / 2)
    del phi
    yield "mean", 0.0, mean_interval, lambda z: z
    yield "mean, skew", float(skew), lambda v, b: mean_interval(v, b, skewed=True), lambda z: np.exp(SIGMA * z)
    yield "share 0.9", 0.9, share_interval, lambda z: (z < norm.ppf(0.9)).astype(float)
    yield "share 0.99", 0.99, share_interval, lambda z: (z < norm.ppf(0.99)).astype(float)
    yield "median", 1.0, lambda v, b: quantile_interval(v, 0.5, b), lambda z: np.exp(SIGMA * z)
    yield (
        "99 % quantile",
        float(np.exp(SIGMA * norm.ppf(0.99))),
        lambda v, b: quantile_interval(v, 0.99, b),
        lambda z: np.exp(SIGMA * z),
    )


def coverage(n: int, phi: float, repeats: int, seed: int) -> dict[str, float]:
    """Return the share of intervals that hold the true value, by quantity; and of token by token, for the mean."""
    rng = np.random.default_rng(seed)
    held = {name: 0 for name, *_ in cases(phi)} | {"mean, paired skew": 0, "mean, token by token": 0}
    for _ in range(repeats):
        z = process(rng, n, phi, 3)
        for name, truth, interval, made in cases(phi):
            values = made(z[0])
            found = interval(values, blocks_of([values]))
            held[name] += found.low <= truth <= found.high
        # two builds whose damage lies in the same places: the second is 1.1 times the first, and noise of its own
        a, b = np.exp(SIGMA * (0.8 * z[0] + 0.6 * z[1])), 1.1 * np.exp(SIGMA * (0.8 * z[0] + 0.6 * z[2]))
        found = mean_interval(b - a, blocks_of([b - a]))
        held["mean, paired skew"] += found.low <= 0.1 * np.exp(SIGMA**2 / 2) <= found.high
        found = mean_interval(z[0], Blocks(1, n))
        held["mean, token by token"] += found.low <= 0 <= found.high
    return {name: count / repeats for name, count in held.items()}


def main() -> None:
    """Print the table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"share of {repeats} texts whose 95 % interval holds the true value")
    for n in (1020, 5100, 10200):
        for phi in (0.0, 0.5, 0.8):
            row = coverage(n, phi, repeats, seed=1)
            print(
                f"n {n:6} phi {phi:.1f}  " + "  ".join(f"{name} {share:.3f}" for name, share in row.items()), flush=True
            )


if __name__ == "__main__":
    main()

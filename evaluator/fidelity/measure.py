"""How far a build's predictions are from its reference's, token by token, out of two streams of rows.

The arithmetic is that of llama.cpp's perplexity tool (float32, terms of the sum where the reference's probability is
under e^-16 left out), so that its numbers come out: for a token with reference p and build q, KL divergence is the sum
over the vocabulary of p ln(p / q), in nats.
"""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from evaluator.errors import StudyError
from evaluator.fidelity.kept import draft_of
from evaluator.fidelity.logits import check_finite, log_sum, quietly
from evaluator.fidelity.windows import Windows
from servers.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from evaluator.fidelity.kept import Exact, TopK

SMALLEST = -16.0
"""Logarithm of the reference's probability under which a term is left out, as in llama.cpp."""


class PerToken(NamedTuple):
    """One build against one reference, for each scored token: arrays [windows, scored]."""

    nll_reference: "NDArray[np.float64]"
    """Less the logarithm of the probability that the reference gives to the token that is there."""
    nll: "NDArray[np.float64]"
    """The same of the build."""
    kld: "NDArray[np.float64]"
    """KL divergence of the build from the reference, in nats."""
    same_top: "NDArray[np.bool_]"
    """Whether both find the same token likeliest."""
    slack: "NDArray[np.float64] | None" = None
    """By how much `kld` may be too small at most, where not all of the reference's probabilities were kept."""

    @property
    def delta_p(self) -> "NDArray[np.float64]":
        """The build's probability of the token that is there, less the reference's."""
        import numpy as np  # noqa: PLC0415

        return np.exp(-self.nll) - np.exp(-self.nll_reference)


def log_probabilities(pieces: "Iterable[NDArray[np.float32]]") -> "Iterator[NDArray[np.float32]]":
    """Turn rows of logits into logarithms of probabilities, row by row: each an array [vocabulary]."""
    for piece in pieces:
        for row in piece:
            yield row - log_sum(row)


@quietly
def measure(
    windows: Windows,
    reference: "Iterable[NDArray[np.float32]]",
    build: "Iterable[NDArray[np.float32]]",
    exact: "Exact | None" = None,
) -> PerToken:
    """Compare a build with its reference; only a row of each is held at a time.

    Args:
        windows: What both evaluated.
        reference: For each scored token the logarithms of all probabilities, an array [vocabulary].
        build: Pieces of logits, arrays [rows, vocabulary].
        exact: What the reference's rows round away, where they come from a file.

    Raises:
        ModelError: The two have vocabularies of different sizes, or one gave fewer rows.
    """
    import numpy as np  # noqa: PLC0415

    targets = windows.targets.reshape(-1)
    base, nll, kld, top, build_top = np.zeros((5, len(targets)))
    rows = (row for piece in build for row in piece)
    done = 0
    for place, (log_p, logits) in enumerate(zip(reference, rows, strict=False)):
        if len(log_p) != len(logits):
            raise ModelError(
                f"the reference knows {len(log_p):,} tokens and the build {len(logits):,}",
                remedy="a build is compared with a reference of the same vocabulary",
            )
        base[place], nll[place], kld[place] = _row(log_p, logits, int(targets[place]))
        top[place], build_top[place] = log_p.argmax(), logits.argmax()
        done += 1
    if done != len(targets):
        raise ModelError(f"{done:,} of {len(targets):,} tokens were evaluated by both")
    shape = windows.number, windows.scored
    same = build_top == (top if exact is None else exact.top)
    base = base if exact is None else exact.nll
    return PerToken(base.reshape(shape), nll.reshape(shape), kld.reshape(shape), same.reshape(shape))


@quietly
def measure_top(
    windows: Windows, exact: "Exact", kept: "TopK", build: "Iterable[NDArray[np.float32]]"
) -> tuple[PerToken, float]:
    """Compare a build with what was kept of its reference's largest probabilities; also return the mass they hold.

    The other tokens count as one: by the log-sum inequality that is never too much. The most that it can be short by
    stands in `slack`: the others' share of the sum is their own entropy, which was kept, less their p ln q, and that is
    least where the least likely of the build's tokens have as much as any of them can have.

    Raises:
        ModelError: The two have vocabularies of different sizes, or the build gave fewer rows.
    """
    import numpy as np  # noqa: PLC0415

    targets = windows.targets.reshape(-1)
    nll, kld, build_top, slack = np.zeros((4, len(targets)))
    done = 0
    for place, logits in zip(range(len(targets)), (row for piece in build for row in piece), strict=False):
        if kept.ids[place].max() >= len(logits):
            raise ModelError(f"the build knows only {len(logits):,} tokens, and the reference more")
        log_q = logits.astype(np.float64) - log_sum(logits)
        check_finite(float(log_q[targets[place]]), float(log_q.max()))
        nll[place], build_top[place] = -log_q[targets[place]], logits.argmax()
        kld[place], slack[place] = _top_row(kept, place, log_q)
        done += 1
    if done != len(targets):
        raise ModelError(f"{done:,} of {len(targets):,} tokens were evaluated by both")
    shape = windows.number, windows.scored
    measured = PerToken(
        exact.nll.reshape(shape),
        nll.reshape(shape),
        kld.reshape(shape),
        (build_top == exact.top).reshape(shape),
        slack.reshape(shape),
    )
    return measured, float(1 - kept.tail.mean())


def _top_row(kept: "TopK", place: int, log_q: "NDArray[np.float64]") -> tuple[float, float]:
    """Return the least that the KL divergence of one token can be, and by how much it may be more."""
    import numpy as np  # noqa: PLC0415

    ids, log_p, tail = kept.ids[place], kept.log_p[place].astype(np.float64), float(kept.tail[place])
    within = float((np.exp(log_p) * (log_p - log_q[ids])).sum())
    others = np.delete(log_q, ids)
    if not tail or not len(others):
        return within, 0.0
    least = within + tail * (np.log(tail) - np.log(max(float(np.exp(others).sum()), 1e-300)))
    cap = float(np.exp(log_p.min()))
    most_of = min(len(others), int(np.ceil(tail / cap)))
    smallest = np.partition(others, most_of - 1)[:most_of]
    most = within + float(kept.tail_entropy[place]) - cap * float(smallest.sum())
    return float(least), max(0.0, most - float(least))


def _row(log_p: "NDArray[np.float32]", logits: "NDArray[np.float32]", target: int) -> tuple[float, float, float]:
    import numpy as np  # noqa: PLC0415

    largest = log_sum(logits)
    p = np.exp(log_p)
    p *= log_p > SMALLEST
    apart = log_p - logits
    apart += largest
    apart *= p
    kld = float(apart.sum(dtype=np.float64))
    nll = float(largest - logits[target])
    if not isfinite(kld + nll):
        some = log_p > SMALLEST  # a token that neither has any probability for is no difference
        kld = float((p[some] * (log_p[some] - logits[some] + largest)).sum(dtype=np.float64))
        check_finite(kld, nll)
    return -float(log_p[target]), nll, kld


def write(measured: PerToken, path: Path, seconds: float | None = None, covered: float | None = None) -> None:
    """Keep what was measured; the file appears whole or not at all.

    Args:
        measured: Token by token.
        path: Where.
        seconds: That it took.
        covered: The reference's probability that was compared, where that is not all of it.

    Raises:
        OSError: It cannot be written.
    """
    import numpy as np  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: values for name, values in measured._asdict().items() if values is not None}
    numbers = {name: value for name, value in (("seconds", seconds), ("covered", covered)) if value is not None}
    with draft_of(path) as file:
        np.savez(file, allow_pickle=False, **arrays, **{n: np.array(value) for n, value in numbers.items()})


def read(path: Path) -> tuple[PerToken, float | None, float | None]:
    """Read what `write` wrote: what was measured, the seconds, and what was covered.

    Raises:
        StudyError: It holds something else.
        OSError: It cannot be read.
    """
    import zipfile  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        seconds, covered = (float(found.pop(name)) if name in found else None for name in ("seconds", "covered"))
        return PerToken(**found), seconds, covered
    except (ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise StudyError("this holds no measured tokens", source=path, remedy="delete it, and measure again") from error

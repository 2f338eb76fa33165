"""Builds behind servers that run already: the text is put to them over HTTP, beside what is kept of the reference."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from evaluator.fidelity.measure import PerToken
from evaluator.fidelity.summary import Measured
from evaluator.fidelity.windows import Windows
from servers import signals
from servers.launch import launch
from servers.spec import ServerSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evaluator.fidelity.bound import Listed
    from evaluator.fidelity.kept import TopK
    from evaluator.fidelity.over_http import OverHttp

SUPPOSED = 262_144
"""Tokens of a vocabulary, where what was kept of the reference does not say: as many as the largest have."""


class Served(Struct, frozen=True, kw_only=True):
    """A build whose weights its server keeps to itself."""

    name: str
    spec: ServerSpec


class Known(NamedTuple):
    """What is there of the reference."""

    name: str
    windows: Windows
    text: str
    rows: "Iterable[NDArray[np.float32] | Listed]"
    """For each scored token."""
    vocabulary: int
    texts: Callable[[], tuple[str, ...]]
    """Reads those of its tokens, by id; none where they are not known."""


def measure_served(served: Served, reference: Known, tell: Callable[[str], None]) -> tuple[Measured, str]:
    """Measure a build behind its server; also say how it was asked, in a sentence.

    Raises:
        ServerError: The server does not answer, or its log-probabilities cannot be trusted.
    """
    begun = time.monotonic()
    found = signals.run(_asked(served, reference, tell))
    tokens, covered = _known(found)
    measured = Measured(
        build=served.name,
        reference=reference.name,
        tokens=tokens,
        method="bound",
        covered=covered,
        seconds=time.monotonic() - begun,
    )
    count, of = tokens.kld.size, reference.windows.number * reference.windows.scored
    every = "" if found.every == 1 else f", one in {found.every}"
    return measured, (
        f"{served.name} was measured over HTTP ({found.asked}): the {found.likeliest} likeliest tokens at {count:,} of"
        f" {of:,} places{every}. Its KL divergence from {reference.name} is at least what is shown; the tokens that"
        f" could be compared hold {100 * covered:.1f} % of the mass."
    )


async def _asked(served: Served, reference: Known, tell: Callable[[str], None]) -> "OverHttp":
    from evaluator.fidelity.over_http import measure_over_http  # noqa: PLC0415 - numpy is slow to import

    async with launch(served.spec, log=Path()) as server:
        tell(f"{served.name}: asked over HTTP, {server.engine}.")
        by_ids = server.spec.runtime in ("llama_server", "vllm")
        return await measure_over_http(
            server,
            reference.windows,
            reference.rows,
            vocabulary=reference.vocabulary,
            text=reference.text,
            texts=() if by_ids else reference.texts(),
        )


def _known(found: "OverHttp") -> tuple[PerToken, float]:
    """Keep the tokens of which all is known but, perhaps, how likely the one that is there was."""
    import numpy as np  # noqa: PLC0415

    known = ~(np.isnan(found.kld) | np.isnan(found.same_top))
    base, nll, kld = (values[known][None] for values in (found.nll_reference, found.nll, found.kld))
    covered = float(found.covered[known].mean()) if known.any() else 0.0
    return PerToken(base, nll, kld, found.same_top[known][None] > 0), covered


def lists_of(top: "TopK") -> "Iterator[Listed]":
    """Give what was kept of a reference where that is the likeliest tokens alone."""
    import numpy as np  # noqa: PLC0415

    from evaluator.fidelity.bound import Listed  # noqa: PLC0415

    for ids, log_p in zip(top.ids, top.log_p, strict=True):
        yield Listed(ids.astype(np.int64), log_p.astype(np.float64))

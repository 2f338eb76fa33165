"""Whether a server's log-probabilities can be trusted: tried before a text is read, refused with the reason."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from evaluator.fidelity.bound import Listed, is_distribution
from evaluator.fidelity.ways import Way, after_sampling, other_tokens
from servers.errors import ServerError
from servers.spec import Server

if TYPE_CHECKING:
    from evaluator.fidelity.windows import Windows

_TRIED = 8
"""Places of the text at which it is looked."""
_TIE = 0.05
"""Nats: a token so close to the likeliest may be the one that is written."""
_MOVED = 0.1
"""Nats by which a logarithm may change from one request to the next, of other batches and caches; and what share of
the range of all of them."""


async def refuse_untrusted(server: Server, way: Way, windows: "Windows", text: str | None) -> None:
    """Try a server at a few places of the text.

    Args:
        server: It answers.
        way: How it is asked.
        windows: The text's tokens, as the reference's tokenizer makes them.
        text: The text itself; None where it is not at hand.

    Raises:
        ServerError: It returns no log-probabilities, wrong ones, ones after sampling, or has other tokens.
    """
    if text is not None:
        await _refuse_other_tokens(server, way, windows, text)
    ids = [int(number) for number in windows.ids[0]]
    last = len(ids) - 2
    places = sorted({windows.first + (last - windows.first) * i // (_TRIED - 1) for i in range(_TRIED)})
    found = await way.lists(ids, places)
    if not all(is_distribution(each) for each in found if len(each.ids)):
        raise ServerError(f"{server.engine} returns numbers that are no log-probabilities: they sum to more than 1")
    await _refuse_other_than_written(server, way, ids, dict(zip(places, found, strict=True)))
    flattest = min(zip(places, found, strict=True), key=lambda each: each[1].logprobs.max(initial=0.0))
    await _refuse_after_sampling(server, way, ids, *flattest)


async def _refuse_other_tokens(server: Server, way: Way, windows: "Windows", text: str) -> None:
    theirs = await way.tokens_of(text)
    if theirs is None:
        return
    ours = windows.ids.astype(np.int64)
    read = np.array(theirs[: ours.size], dtype=np.int64)
    if len(read) < ours.size:
        raise other_tokens(server, f"{len(theirs):,} tokens in all, where the reference has at least {ours.size:,}")
    differs = read.reshape(ours.shape) != ours
    differs[:, 0] = False  # there the beginning of a text may have been put in place of its token
    if differs.any():
        place = int(np.argmax(differs.ravel()))
        raise other_tokens(server, f"the first to differ is token {place + 1:,}")


async def _refuse_other_than_written(server: Server, way: Way, ids: Sequence[int], found: "dict[int, Listed]") -> None:
    """Compare the likeliest token of a list with the token that the server writes there at temperature 0."""
    compared = 0
    for place, each in found.items():
        written = await way.greedy(ids[: place + 1]) if each.holds_top else None
        if written is None:
            continue
        compared += 1
        at = np.flatnonzero(each.ids == written)
        if not len(at) or each.logprobs[at[0]] < each.logprobs.max() - _TIE:
            raise ServerError(
                f"{server.engine} returns wrong log-probabilities: at temperature 0 it writes token {written} after "
                f"{place + 1} tokens of the text, and lists {each.top} as the likeliest there",
                remedy="update it, or measure this build from its file.",
            )
    if not compared:
        raise ServerError(
            f"{server.engine} returns log-probabilities that cannot be compared with what it writes",
            remedy="measure this build from its file, or behind llama-server or vLLM.",
        )


async def _refuse_after_sampling(server: Server, way: Way, ids: Sequence[int], place: int, cold: Listed) -> None:
    """Compare a list at temperature 0 with the one at temperature 2: the model's own does not change."""
    (hot,) = await way.lists(ids, [place], temperature=2)
    _, ours, theirs = np.intersect1d(cold.ids, hot.ids, return_indices=True)
    if not len(ours):
        raise after_sampling(server)
    before, after = cold.logprobs[ours], hot.logprobs[theirs]
    allowed = _MOVED * (1 + min(np.ptp(before), np.ptp(after)))
    if abs(before - after).max() > allowed:
        raise after_sampling(server)

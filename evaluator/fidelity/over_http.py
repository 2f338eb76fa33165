"""Fidelity of servers that cannot be looked inside: the text is put to them, and what they list is compared.

What comes of it is a lower bound of the KL divergence, with the mass that was covered, and the exact top-1 agreement.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evaluator.ask.client import Http, connect
from evaluator.fidelity.bound import Bound, Listed, bound, whole_row
from evaluator.fidelity.trusted import refuse_untrusted
from evaluator.fidelity.ways import Echo, OneByOne, PromptLogprobs, Way, other_tokens
from servers.request import headers
from servers.spec import Server

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evaluator.fidelity.windows import Windows

MOST_REQUESTS = 2000
"""Where a token takes a request of its own; of a longer text every second token is asked for, or every third, …"""
_SILENCE_S = 300.0


class OverHttp(NamedTuple):
    """What was found, token by token: arrays [windows, tokens asked for in each]. NaN is unknown."""

    kld: "NDArray[np.float64]"
    """At least, in nats."""
    covered: "NDArray[np.float64]"
    """The reference's probability of the tokens that could be compared."""
    same_top: "NDArray[np.float64]"
    """1 where both have the same likeliest token, else 0."""
    nll: "NDArray[np.float64]"
    """Negative log-likelihood of the token that is there, by the build."""
    nll_reference: "NDArray[np.float64]"
    """The same by the reference."""
    every: int
    """Of the scored tokens each such was asked for."""
    likeliest: int
    """Tokens that were asked for at each place."""
    asked: str
    """How, in words."""


def places_of(windows: "Windows", most: int, *, whole_windows: bool) -> tuple[list[int], int]:
    """Choose the places of each window at which a server is asked, and every how many tokens that is.

    Args:
        windows: The text.
        most: Requests in all.
        whole_windows: Whether one request gives all places of a window.
    """
    every = 1 if whole_windows else max(1, ceil(windows.scored / max(1, most // len(windows.ids))))
    return list(range(windows.first, windows.context - 1, every)), every


def way_to(server: Server, http: Http, texts: Sequence[str] = ()) -> Way:
    """Choose how a server is asked; `texts` are those of the vocabulary's tokens, by id, as far as they are known."""
    if server.spec.runtime == "llama_server":
        return OneByOne(server, http)
    return PromptLogprobs(server, http) if server.spec.runtime == "vllm" else Echo(server, http, texts)


class Read(NamedTuple):
    """One window, as a server sees it."""

    lists: list[Listed]
    """At each place."""
    every: int
    """Of the scored tokens each such is a place."""
    way: Way
    """How it was asked."""


async def read_lists(
    server: Server,
    windows: "Windows",
    *,
    text: str | None = None,
    texts: Sequence[str] = (),
    most: int = MOST_REQUESTS,
) -> AsyncIterator[Read]:
    """Put a text to a server, window by window; the arguments are those of `measure_over_http`.

    Raises:
        ServerError: Its log-probabilities cannot be had, or not be trusted; the reason is said.
    """
    async with connect(server.base_url, concurrency=1, silence=_SILENCE_S, headers=headers(server.spec)) as http:
        way = way_to(server, http, texts)
        await refuse_untrusted(server, way, windows, text)
        places, every = places_of(windows, most, whole_windows=way.whole_windows)
        for window in windows.ids:
            yield Read(await way.lists([int(number) for number in window], places), every, way)


async def lists_of_reference(
    server: Server,
    windows: "Windows",
    *,
    text: str | None = None,
    texts: Sequence[str] = (),
    most: int = MOST_REQUESTS,
) -> list[Listed | None]:
    """Read a text with a reference that is a server itself: for each scored token what it lists, or None.

    Raises:
        ServerError: As `measure_over_http` does.
    """
    known: list[Listed | None] = []
    async for read in read_lists(server, windows, text=text, texts=texts, most=most):
        lists = iter(read.lists)
        known += [next(lists) if place % read.every == 0 else None for place in range(windows.scored)]
    return known


async def measure_over_http(
    server: Server,
    windows: "Windows",
    reference: "Iterable[NDArray[np.float32] | Listed | None]",
    *,
    vocabulary: int,
    text: str | None = None,
    texts: Sequence[str] = (),
    most: int = MOST_REQUESTS,
    on_window: Callable[[int], object] = lambda _done: None,
) -> OverHttp:
    """Measure how far a server's build is from its reference, as far as its lists show.

    Args:
        server: It answers.
        windows: The text's tokens, as the reference's tokenizer makes them.
        reference: For each scored token the logits, or the logarithms of the probabilities, of all tokens; or what
            `lists_of_reference` has of it.
        vocabulary: Number of tokens that there are.
        text: The text itself, of which the server is to make the same tokens; None: that is not looked at.
        texts: Those of the vocabulary's tokens, for servers that name tokens by them.
        most: Requests, where each gives one token.
        on_window: Called with how many windows are done.

    Raises:
        ServerError: The server's log-probabilities cannot be had, or not be trusted; the reason is said.
    """
    rows: list[list[_Token]] = []
    read: Read | None = None
    known = iter(reference)
    async for read in read_lists(server, windows, text=text, texts=texts, most=most):
        if any(each.ids.max(initial=0) >= vocabulary for each in read.lists):
            raise other_tokens(server, f"it lists tokens beyond the {vocabulary:,} of the reference")
        targets = windows.targets[len(rows)][:: read.every]
        beside = islice(islice(known, windows.scored), 0, None, read.every)
        pairs = zip(beside, read.lists, targets, strict=True)
        rows.append([_token(of_reference, lists, int(there), vocabulary) for of_reference, lists, there in pairs])
        on_window(len(rows))
    if read is None:
        raise ValueError("the text has no window")
    return _arrays(rows, read)


class _Token(NamedTuple):
    """What is kept of one token: of a large vocabulary the lists themselves would not fit into memory."""

    bound: Bound | None
    by_reference: float | None
    by_build: float | None


def _token(reference: "NDArray[np.float32] | Listed | None", build: Listed, there: int, vocabulary: int) -> _Token:
    known = whole_row(reference, there) if isinstance(reference, np.ndarray) else reference
    if known is None:
        return _Token(None, None, build.there)
    return _Token(bound(known, build, vocabulary), known.there, build.there)


def _arrays(rows: Sequence[Sequence[_Token]], read: Read) -> OverHttp:
    def array(value: Callable[[_Token], float | None]) -> "NDArray[np.float64]":
        return np.array([[value(token) for token in row] for row in rows], dtype=np.float64)

    return OverHttp(
        kld=array(lambda token: token.bound and token.bound.nats),
        covered=array(lambda token: token.bound and token.bound.covered),
        same_top=array(lambda token: token.bound and token.bound.same_top),
        nll=-array(lambda token: token.by_build),
        nll_reference=-array(lambda token: token.by_reference),
        every=read.every,
        likeliest=read.way.likeliest,
        asked=read.way.in_words,
    )

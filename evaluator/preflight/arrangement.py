"""In which order a study's questions cost its servers the fewest prompt tokens: a few of them are put, and it counts.

What a server finds of a prompt's beginning in its cache depends on how it is built, on the model (layers with a sliding
window forget) and on how long replies are. So it is measured: two questions of one group after each other, then one of
another group and back, each with its reply. What that means for the whole study is arithmetic.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from msgspec.structs import replace

from evaluator.ask import client
from evaluator.ask.lines import Group, blocks_of, group_of
from evaluator.ask.traffic import Traffic
from evaluator.decide.wording import percent
from evaluator.preflight.trial import Trial
from evaluator.records import Answer
from evaluator.store.serving import Arranged, Cache, Order
from evaluator.study.requests import Ask, characters
from evaluator.study.study import Study
from servers.request import headers
from servers.runtime.table import request
from servers.spec import Reuse, Server

SECONDS = 60.0
"""For one server; what is not known by then is not known."""
_WORTH = 0.2
"""A study whose prompts share less of their tokens than this is asked as planned."""
_LEAST_ASKS = 40
_AS_GOOD = 1.03
"""Times the fewest tokens: up to there the simpler order, or the server's own flags, are as good."""
_REPLY = 640
"""Tokens of a reply that are waited for: more than the slack of a sliding window, which is about 512."""
_ORDERS: tuple[Order, ...] = ("plan", "grouped", "pinned")
"""The simplest first."""


class _Seen(NamedTuple):
    """What one answer showed."""

    part: float
    """Of the prompt's beginning: what was in the cache."""
    tokens: int
    """Of prompt and reply."""


class Found(NamedTuple):
    """Which part of the tokens that two prompts share came out of the cache, between 0 and 1."""

    again: float
    """One right after the other, in the same place."""
    back: float
    """With a prompt of another group between them."""
    tokens: int
    """Of such a prompt and its reply."""


def is_worth_it(asks: Sequence[Ask], places: int) -> bool:
    """Whether there are enough questions, and enough that their prompts share, for the order to matter."""
    if len(asks) < max(_LEAST_ASKS, 4 * places):
        return False
    return 1 - _evaluated(asks, _parts(asks, "pinned", Found(1.0, 1.0, 0), places, None)) >= _WORTH


async def look_up(server: Server, study: Study, asks: Sequence[Ask], *, seconds: float = SECONDS) -> Found | None:
    """Put a few questions and read from the server's own counts what it had in its cache; None: it does not say.

    Args:
        server: It answers, and has nothing else to do.
        study: How it will be asked.
        asks: The study's questions.
        seconds: After so long it is given up.

    Raises:
        ServerError: The server is gone.
    """
    connection = client.connect(server.base_url, concurrency=1, silence=seconds, headers=headers(server.spec))
    traffic = Traffic(1, silence=seconds, startup=seconds, on_wait=lambda _text, _seconds: None)
    try:
        async with asyncio.timeout(seconds), connection as http:
            trial = Trial(server, study, http, traffic)
            mine, other = _two_groups(asks)
            await _put(trial, mine[0], _REPLY)
            again = await _put(trial, mine[1], _REPLY)
            await _put(trial, other, 1)
            back = await _put(trial, mine[2], 1)
            if again is None or back is None:
                return None
            return Found(again.part, min(again.part, back.part), again.tokens)
    except TimeoutError:
        return None


def arranged(
    asks: Sequence[Ask], found: Found, places: int, *, holds: int | None = None, flags: tuple[str, ...] = ()
) -> tuple[Arranged, ...]:
    """Work out which share of the study's prompt tokens a server evaluates in each order.

    Args:
        asks: The study's questions, as planned.
        found: What was measured.
        places: How many are asked at the same time.
        holds: How many prompts it keeps; None: enough.
        flags: With which it was started.
    """
    # With flags against windows llama-server finds nothing where long replies are interleaved (seen at 4 slots).
    orders = _ORDERS[1:] if flags else _ORDERS
    return tuple(
        Arranged(
            order=order, flags=flags, evaluated=round(_evaluated(asks, _parts(asks, order, found, places, holds)), 4)
        )
        for order in orders
    )


def choose(tried: Mapping[str, Sequence[Arranged]]) -> dict[str, Cache]:
    """Choose the order in which all variants together evaluate the fewest tokens, and for each variant its flags.

    All variants are asked in one order, so that they are compared on the same questions at any time.
    """
    if not tried:
        return {}
    best = {name: {order: _fewest(mine, order) for order in _ORDERS} for name, mine in tried.items()}
    sums = {order: sum(mine[order].evaluated for mine in best.values()) / len(best) for order in _ORDERS}
    order = next(order for order in _ORDERS if sums[order] <= min(sums.values()) * _AS_GOOD)
    return {name: _chosen(mine, best[name], order) for name, mine in tried.items()}


def _fewest(tried: Sequence[Arranged], order: Order) -> Arranged:
    mine = [one for one in tried if one.order == order]
    least = min(one.evaluated for one in mine)
    return min((one for one in mine if one.evaluated <= least * _AS_GOOD), key=lambda one: len(one.flags))


_WORDS: Mapping[Order, str] = {
    "plan": "as planned",
    "grouped": "one category after the other",
    "pinned": "each category in one place",
}


def _chosen(tried: Sequence[Arranged], best: Mapping[Order, Arranged], order: Order) -> Cache:
    """Say what the chosen order costs, and the others."""
    chosen = best[order]
    others = [f"{percent(best[other].evaluated, 0)} {_WORDS[other]}" for other in _ORDERS if other != order]
    if chosen.flags:
        without = min(one.evaluated for one in tried if one.order == order and not one.flags)
        others.append(f"{percent(without, 0)} without {' '.join(chosen.flags)}")
    with_flags = f" and {' '.join(chosen.flags)}" if chosen.flags else ""
    why = f"{percent(chosen.evaluated, 0)} of the prompt tokens have to be evaluated with questions put {_WORDS[order]}"
    why += f"{with_flags}; {', '.join(others)}"
    return Cache(on=None, order=order, flags=chosen.flags, tried=tuple(tried), why=why)


def _evaluated(asks: Sequence[Ask], parts: Sequence[float]) -> float:
    """Return the share of prompt tokens that are evaluated; characters stand for tokens.

    Args:
        asks: Questions.
        parts: Of each, which part of its beginning is in the cache.
    """
    total = sum(characters(ask.question.prompt) for ask in asks)
    kept = sum(part * ask.question.examples[1] for ask, part in zip(asks, parts, strict=True))
    return 1 - kept / total if total else 1.0


def _parts(asks: Sequence[Ask], order: Order, found: Found, places: int, holds: int | None) -> list[float]:
    """Say of each question which part of its beginning a server finds in its cache."""
    groups = [group_of(ask.question) for ask in asks]
    if order == "plan":
        return [0.0 if lost else found.back for lost in _lost(groups, places, holds)]
    returning = found.back if holds is None or holds >= len(set(groups)) else 0.0
    parts: dict[int, float] = {}
    seen: set[Group] = set()
    for block in blocks_of(asks):
        for group, mine in block:
            # Places that begin a group together find nothing of it.
            begin = min(places, len(mine)) if order == "grouped" else 1
            first = returning if group in seen else 0.0
            parts |= {id(ask): first if i < begin else found.again for i, ask in enumerate(mine)}
            seen.add(group)
    if order == "pinned":  # at the end each place takes a part of another's group
        parts |= {id(ask): min(returning, parts[id(ask)]) for ask in asks[len(asks) - places + 1 :]}
    return [parts[id(ask)] for ask in asks]


def _lost(groups: Sequence[Group], places: int, holds: int | None) -> Iterator[bool]:
    """Follow what a server keeps while groups are interleaved: what another place is using cannot be used twice."""
    kept: list[Group] = []
    in_flight: deque[Group] = deque()
    for group in groups:
        if len(in_flight) == places:
            kept.append(in_flight.popleft())
            del kept[: len(kept) - holds if holds is not None and len(kept) > holds else 0]
        yield group not in kept
        if group in kept:
            kept.remove(group)
        in_flight.append(group)


def _two_groups(asks: Sequence[Ask]) -> tuple[list[Ask], Ask]:
    """Choose three questions of one group, and one of another where there is one: of those of usual length."""
    sharing = [ask for ask in asks if ask.question.examples[1]]
    usual = median(_own(ask) for ask in sharing)
    members: dict[Group, list[Ask]] = defaultdict(list)
    for ask in sorted(sharing, key=lambda ask: abs(_own(ask) - usual)):
        members[group_of(ask.question)].append(ask)
    groups = sorted(members.values(), key=lambda mine: (len(mine) < 3, sum(abs(_own(ask) - usual) for ask in mine[:3])))
    first, *others = groups
    return first, others[0][0] if others else first[-1]


def _own(ask: Ask) -> int:
    """Count the characters of a prompt after what it shares with others."""
    return characters(ask.question.prompt) - ask.question.examples[1]


async def _put(trial: Trial, ask: Ask, tokens: int) -> _Seen | None:
    """Put a question, of llama-server to its first slot; None where it does not say what it had in its cache."""
    sampling = replace(ask.sampling, max_tokens=min(tokens, ask.sampling.max_tokens))
    slot = 0 if trial.server.spec.runtime == "llama_server" else None
    prompt, examples = ask.question.prompt, ask.question.examples[1]
    put = request(trial.server, prompt, sampling, stream=trial.study.stream, reuse=Reuse(slot=slot))
    answer = await trial.put(put)
    if not isinstance(answer, Answer) or (counts := cached(answer)) is None or not examples:
        return None
    shared = sum(counts) * examples / characters(prompt)
    return _Seen(min(1.0, counts[0] / shared), sum(counts) + (answer.completion_tokens or 0))


def cached(answer: Answer) -> tuple[int, int] | None:
    """Return how many tokens of a prompt came out of the cache, and how many were evaluated; None: not reported."""
    timings = answer.timings or {}
    kept, evaluated = timings.get("cache_n"), timings.get("prompt_n")
    if isinstance(kept, int) and isinstance(evaluated, int) and kept >= 0 and evaluated > 0:
        return kept, evaluated
    if answer.cached_tokens is None or not answer.prompt_tokens or answer.cached_tokens > answer.prompt_tokens:
        return None
    return answer.cached_tokens, answer.prompt_tokens - answer.cached_tokens

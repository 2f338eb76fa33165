"""Which question a free place asks next: as planned, or so that a server finds the beginning of a prompt in its cache.

Questions whose prompts begin alike, as with the worked examples of one category, are a group. Groups are asked block by
block: a block is a piece of the plan, so a run that is stopped has asked of every category about its share.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from typing import Protocol

from evaluator.ask.lengths import LongOnes
from evaluator.records import Key, Question
from evaluator.store.serving import Order
from evaluator.study.requests import Ask
from servers.spec import ANY, Reuse

Group = tuple[str, str]
"""A benchmark, and what its prompts begin with."""
_A_GROUP = 64
"""Questions of a group that a block holds on average: its beginning is evaluated once for so many."""


class Line(Protocol):
    """The questions that one variant has still to be asked; a place is one of those that ask at the same time."""

    def take(self, place: int) -> tuple[Ask, Reuse] | None:
        """Give the question that a place asks next, and how it may use the server's cache; None: no more for it.

        Args:
            place: From 0; never two at once with the same number.
        """


class InOrder:
    """One line for all places, in the order given, but for long questions that have to begin."""

    def __init__(
        self, asks: Iterable[Ask], is_wanted: Callable[[Ask], bool], reuse: Reuse = ANY, long: LongOnes | None = None
    ) -> None:
        """`is_wanted` is asked right before a question is put; without `long` no question begins before its turn."""
        self._asks, self._is_wanted, self._reuse = deque(asks), is_wanted, reuse
        self._long, self._ahead = long or LongOnes((), {}, lambda: 1), set[Key]()

    def take(self, place: int) -> tuple[Ask, Reuse] | None:  # noqa: ARG002 - all places are alike
        """Give the next question that is still wanted."""
        while (ask := self._next()) is not None:
            self._long.taken(ask)
            if self._is_wanted(ask):
                return ask, self._reuse
        return None

    def _next(self) -> Ask | None:
        if (long := self._long.overdue()) is not None:
            self._ahead.add(long.key)
            return long
        while self._asks:
            if (ask := self._asks.popleft()).key not in self._ahead:
                return ask
        return None


class Pinned:
    """Each place asks one group after the other, so that its slot keeps the beginning of the prompts.

    A place without a group takes a whole one that nobody has begun, and where there is none half of what is left of the
    largest: no place waits while another has questions.
    """

    def __init__(
        self,
        blocks: Sequence[Sequence[tuple[Group, Sequence[Ask]]]],
        is_wanted: Callable[[Ask], bool],
        slots: int = 0,
        *,
        cache: bool | None = None,
    ) -> None:
        """Places below `slots` ask the slot of their number; the others, and all where it is 0, name none."""
        self._blocks = deque([(group, deque(asks)) for group, asks in block] for block in blocks)
        self._is_wanted, self._slots, self._cache = is_wanted, slots, cache
        self._begun: dict[int, tuple[Group, deque[Ask]]] = {}
        """By place what it is asking, which may be used up."""

    def take(self, place: int) -> tuple[Ask, Reuse] | None:
        """Give the next question that is still wanted."""
        while (asks := self._asks_of(place)) is not None:
            ask = asks.popleft()
            if self._is_wanted(ask):
                return ask, Reuse(cache=self._cache, slot=place if place < self._slots else None)
        return None

    def _asks_of(self, place: int) -> deque[Ask] | None:
        """Return what a place asks, never empty; None: nobody has any left."""
        group, asks = self._begun.get(place, (None, deque()))
        if asks:
            return asks
        while self._blocks and not self._blocks[0]:
            self._blocks.popleft()
        if self._blocks:
            block = self._blocks[0]
            # Its last group again: the slot holds the beginning still. Else the largest, so that all end together.
            best = max(range(len(block)), key=lambda i: (block[i][0] == group, len(block[i][1])))
            self._begun[place] = block.pop(best)
        else:
            largest = max(self._begun.values(), key=lambda begun: len(begun[1]), default=None)
            if largest is None or not largest[1]:
                return None
            half = [largest[1].pop() for _ in range((len(largest[1]) + 1) // 2)]
            self._begun[place] = largest[0], deque(reversed(half))
        return self._begun[place][1]


def line_of(
    order: Order,
    asks: Sequence[Ask],
    is_wanted: Callable[[Ask], bool],
    *,
    last: Collection[Key] = (),
    slots: int = 0,
    cache: bool | None = None,
    length: Callable[[Ask], float] | None = None,
    long: LongOnes | None = None,
) -> Line:
    """Put questions in a line.

    Args:
        order: Of the questions.
        asks: As planned.
        is_wanted: Asked right before a question is put.
        last: Questions that come after all others, whatever their group.
        slots: Of a llama-server, which may be named where the order is `pinned`; 0 where there are none.
        cache: What every request says of the server's cache; None: nothing.
        length: How long a question's reply is expected to be: in its group the longest begin. None: as planned.
        long: Which questions have to begin before their turn, so that none is the last alone; not where groups have
            places of their own.
    """
    if order == "plan":
        return InOrder(asks, is_wanted, Reuse(cache=cache), long)
    put_last = [ask for ask in asks if ask.key in last]
    blocks = [*blocks_of([ask for ask in asks if ask.key not in last], length), *blocks_of(put_last, length)]
    if order == "grouped":
        in_order = chain.from_iterable(mine for block in blocks for _, mine in block)
        return InOrder(in_order, is_wanted, Reuse(cache=cache), long)
    return Pinned(blocks, is_wanted, slots, cache=cache)


def blocks_of(
    asks: Sequence[Ask], length: Callable[[Ask], float] | None = None
) -> list[list[tuple[Group, Sequence[Ask]]]]:
    """Divide questions into blocks, pieces of the plan in its order, and each block into its groups.

    Repeats of a question are never in one block with its first time: all are asked once before any is again.
    """
    groups = [group_of(ask.question) for ask in asks]
    size = _A_GROUP * len(set(groups))
    blocks: dict[tuple[int, int], dict[Group, list[Ask]]] = {}
    for i, (group, ask) in enumerate(zip(groups, asks, strict=True)):
        blocks.setdefault((ask.key.repeat, i // size), {}).setdefault(group, []).append(ask)
    if length:
        for block in blocks.values():
            for mine in block.values():
                mine.sort(key=length, reverse=True)
    return [list(blocks[number].items()) for number in sorted(blocks)]


def group_of(question: Question) -> Group:
    """Name what a question's prompt begins with: the text up to the end of its worked examples."""
    return question.benchmark, question.text[: question.examples[1]]

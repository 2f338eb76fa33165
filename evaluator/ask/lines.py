"""Which question a free place asks next."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from evaluator.study.requests import Ask
from servers.spec import ANY, Reuse


class Line(Protocol):
    """The questions that one variant has still to be asked; a place is one of those that ask at the same time."""

    def take(self, place: int) -> tuple[Ask, Reuse] | None:
        """Give the question that a place asks next, and how it may use the server's cache; None: no more for it.

        Args:
            place: From 0; never two at once with the same number.
        """


class InOrder:
    """One line for all places, in the order of the plan."""

    def __init__(self, asks: Sequence[Ask], is_wanted: Callable[[Ask], bool], reuse: Reuse = ANY) -> None:
        """`is_wanted` is asked right before a question is put."""
        self._asks, self._is_wanted, self._reuse = deque(asks), is_wanted, reuse

    def take(self, place: int) -> tuple[Ask, Reuse] | None:  # noqa: ARG002 - all places are alike
        """Give the next question that is still wanted."""
        while self._asks:
            ask = self._asks.popleft()
            if self._is_wanted(ask):
                return ask, self._reuse
        return None

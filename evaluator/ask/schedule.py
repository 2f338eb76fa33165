"""What those who ask are told: who is asked what, and who takes in what came."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from evaluator.records import Key, Record
from evaluator.study.requests import Ask


class Pending(NamedTuple):
    """What a variant has still to be asked."""

    asks: Sequence[Ask]
    """In the order in which they are put."""
    answered: Sequence[Key]
    """Questions with an answer on disk that counts."""
    failed_before: Collection[Key] = ()
    """Questions that failed in an earlier run in which others were answered: that they fail again says little."""


class Schedule(Protocol):
    """What is asked of whom, decided by somebody who knows grades and statistics: those who ask know neither."""

    def turns(self) -> Sequence[tuple[Sequence[str], Mapping[str, int]]]:
        """List who is asked together, one turn after the other, and up to which question of each benchmark."""

    def grading(self) -> AbstractAsyncContextManager[None]:
        """Grade, beside asking, what is on disk, for as long as this lasts; at its end all of it is graded."""

    async def catch_up(self, variant: str) -> None:
        """Take in what is on disk of a variant, where it decides what is still wanted."""

    def pending(self, variant: str, upto: Mapping[str, int], given_up: Collection[Key] = ()) -> Pending:
        """Say what a variant has still to be asked up to these numbers of questions; never what was given up."""

    def nothing_left(self, variant: str, pending: Pending, *, first: bool) -> str:
        """Say in words why a variant has nothing to be asked; `first`: it was not asked anything in this turn."""

    def is_wanted(self, variant: str, key: Key) -> bool:
        """Whether the answer to a question is still wanted: asked right before it is put."""

    def on_written(self, variant: str, records: Sequence[Record]) -> None:
        """Take in records that are on disk; who writes never waits for what becomes of them."""

    def on_earlier(self, variant: str, keys: Collection[Key]) -> None:
        """Take in that a variant has answered these before; what was taken in already is not again."""

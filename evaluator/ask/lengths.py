"""How long replies are expected to be, and which question has to begin so that no long one is the last, alone."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from evaluator.records import Key, Record
from evaluator.store.journal import Journal
from evaluator.study.requests import Ask

_EARLY = 1.5
"""A long question begins when it is expected to take so much of the time that all others still take: lengths vary."""


class ReplyLengths:
    """The completion tokens of the replies to each question, of all variants of a run."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, str], int] = {}
        """By benchmark and question, of the reply that was seen last."""

    def saw(self, record: Record) -> None:
        """Take in a reply."""
        if record.answer and record.answer.completion_tokens is not None:
            self._tokens[_question(record.key)] = record.answer.completion_tokens

    def read(self, journal: Journal) -> None:
        """Take in the replies on disk to questions of which none is known; may take a while where there are many."""
        places = journal.places.items()
        unknown = [key for key, place in places if place.answered and _question(key) not in self._tokens]
        for record in journal.records(unknown):
            self.saw(record)

    def expected(self, asks: Iterable[Ask]) -> dict[Key, float]:
        """Return the tokens that each reply is expected to have.

        As many as a reply to the same question had, else as many as those of its category or benchmark had on average;
        a question of which nothing is known is left out.
        """
        asks = list(asks)
        known = {ask.key: self._tokens[_question(ask.key)] for ask in asks if _question(ask.key) in self._tokens}
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for ask in asks:
            if ask.key in known:
                for group in ("", ask.question.category):
                    groups[ask.key.benchmark, group].append(known[ask.key])
        means = {group: fmean(found) for group, found in groups.items()}
        found: dict[Key, float] = {}
        for ask in asks:
            name, category = ask.key.benchmark, ask.question.category
            tokens = known.get(ask.key, means.get((name, category), means.get((name, ""))))
            if tokens is not None:
                found[ask.key] = tokens
        return found


def _question(key: Key) -> tuple[str, str]:
    return key.benchmark, key.question_id


class LongOnes:
    """Says which question has to begin now: one that would still be worked on when all others are done.

    Until then questions keep their order, so that what is answered when a run is stopped is no choice by length.
    """

    def __init__(self, asks: Sequence[Ask], expected: Mapping[Key, float], places: Callable[[], int]) -> None:
        """`places` says how many questions are asked at the same time by now."""
        usual = fmean(expected.values()) if expected else 0.0
        self._left = {ask.key: expected.get(ask.key, usual) for ask in asks}
        self._rest = sum(self._left.values())
        self._places = places
        known = [ask for ask in reversed(asks) if ask.key in expected]
        self._by_length = sorted(known, key=lambda ask: expected[ask.key])
        """The longest last; of those alike the one that the plan has first."""

    def overdue(self) -> Ask | None:
        """Give the longest question that is left, if it has to begin now."""
        while self._by_length and self._by_length[-1].key not in self._left:
            self._by_length.pop()
        if not self._by_length:
            return None
        longest = self._by_length[-1]
        length = self._left[longest.key]
        return longest if self._rest - length <= _EARLY * length * self._places() else None

    def taken(self, ask: Ask) -> None:
        """Note that a question begins, or is not put at all."""
        self._rest -= self._left.pop(ask.key, 0.0)

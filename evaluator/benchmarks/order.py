"""The order in which questions are asked: the same for every variant, seeded, nested, stratified."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar


class _Placed(Protocol):
    """Whatever a question is known by."""

    @property
    def benchmark(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def category(self) -> str: ...


P = TypeVar("P", bound=_Placed)


def nested_order(questions: Sequence[P], seed: int, repeated: Mapping[str, str] = {}) -> tuple[P, ...]:
    """Order questions so that every beginning of the order is a stratified random sample.

    Within a category the order is random; the i-th of a category's m questions stands at (i + 1/2) / m of the whole,
    so the first n questions hold each category's share of n, give or take one. A run of 200 is the beginning of a
    run of 2,000. Random here means sorted by a hash of seed and id: it needs no generator whose stream could change.

    Of questions with one text (`repeated`, from id to the text's first id) the one that is drawn first comes in its
    turn; the others come last in their categories, for they tell little more.
    """
    places = _places(tuple((q.benchmark, q.id, q.category, repeated.get(q.id)) for q in questions), seed)
    return tuple(questions[place] for place in places)


@lru_cache(maxsize=8)  # a run asks for the order several times, and 12,000 hashes take a tenth of a second
def _places(questions: tuple[tuple[str, str, str, str | None], ...], seed: int) -> tuple[int, ...]:
    """Order the places of questions, of which benchmark, id, category and text are given."""
    drawn = [hashlib.sha256(f"{seed}\0{benchmark}\0{name}".encode()).digest() for benchmark, name, _, _ in questions]
    firsts: dict[str, bytes] = {}
    for hashed, (_, _, _, text) in zip(drawn, questions, strict=True):
        if text is not None:
            firsts[text] = min(hashed, firsts.get(text, hashed))
    categories: dict[str, list[tuple[bool, bytes, int]]] = defaultdict(list)
    for place, (hashed, (_, _, category, text)) in enumerate(zip(drawn, questions, strict=True)):
        again = text is not None and firsts[text] != hashed
        categories[category].append((again, hashed, place))
    placed = [
        ((i + 0.5) / len(members), hashed, place)
        for members in categories.values()
        for i, (_, hashed, place) in enumerate(sorted(members))
    ]
    return tuple(place for _, _, place in sorted(placed))

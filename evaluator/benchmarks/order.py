"""In which order questions are put: the same for every variant, seeded, nested, stratified."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from evaluator.records import Question


def nested_order(questions: Sequence[Question], seed: int) -> tuple[Question, ...]:
    """Order questions so that every beginning of the order is a stratified random sample.

    Within a category the order is random; the i-th of a category's m questions stands at (i + 1/2) / m of the whole,
    so the first n questions hold each category's share of n, give or take one. A run of 200 is the beginning of a
    run of 2,000. Random here means sorted by a hash of seed and id: it needs no generator whose stream could change.
    """
    categories: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        categories[question.category].append(question)
    placed = [
        ((i + 0.5) / len(members), _draw(seed, question), question)
        for members in categories.values()
        for i, question in enumerate(sorted(members, key=lambda q: _draw(seed, q)))
    ]
    return tuple(question for _, _, question in sorted(placed, key=lambda p: p[:2]))


def _draw(seed: int, question: Question) -> bytes:
    return hashlib.sha256(f"{seed}\0{question.benchmark}\0{question.id}".encode()).digest()

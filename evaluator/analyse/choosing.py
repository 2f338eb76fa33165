"""Choose among the questions of a run: by what was replied, by where they are from, by their text, or by their name."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, get_args

from msgspec import Struct

from evaluator.analyse.questions import Asked
from evaluator.decide.score import NO_GRADE
from evaluator.records import OUTCOMES, Key, Outcome

State = Literal[Outcome, "not_graded", "not_asked"]
"""How a reply was graded; `not_graded` where a program has yet to be run, `not_asked` where there is no reply yet."""
STATES: tuple[State, ...] = (*OUTCOMES, *get_args(State)[-2:])


class Wanted(Struct, frozen=True, kw_only=True):
    """Which questions are wanted. All that is given must hold; what is not given lets every question through."""

    flips: tuple[str, str] | None = None
    """Two variants, of which one is right and the other is not; the same one twice: that differs from itself."""
    states: tuple[tuple[str, State], ...] = ()
    """Variant and how its reply was graded; the empty name is any variant."""
    categories: tuple[str, ...] = ()
    """One of these, in any case."""
    benchmarks: tuple[str, ...] = ()
    """One of these."""
    text: str = ""
    """In the question, a reply or its thinking, in any case; worked examples are not looked at."""


def chosen(asked: Sequence[Asked], wanted: Wanted, variants: Sequence[str]) -> list[Asked]:
    """Return the questions of a run of these variants that are wanted, in their order."""
    conditions = _conditions(asked, wanted, variants)
    return [each for each in asked if all(condition(each) for condition in conditions)]


def state(asked: Asked, variant: str) -> State | None:
    """Say how a variant's reply to a question was graded; None where the variant is not to be asked again."""
    reply = asked.replies.get(variant)
    if reply is None:
        return None if asked.again else "not_asked"
    return reply.grade.outcome if reply.grade else "not_graded"


def flips(asked: Iterable[Asked], one: str, other: str) -> set[Key]:
    """Name the questions that one variant gets right and the other does not; replies without a grade are left out.

    Of one variant alone: those that it gets right at one time and not at another.
    """
    if one == other:
        return _flips_with_itself(asked, one)
    both = ((each.key, _is_right(each, one), _is_right(each, other)) for each in asked)
    return {key for key, ours, theirs in both if ours is not None and theirs is not None and ours != theirs}


def named(asked: Iterable[Asked], name: str) -> list[Asked]:
    """Return the questions that a name may mean, each as often as it was put.

    Args:
        asked: All there are.
        name: `benchmark/id`, an id, the end of an id, or any part of either, in any case; the first of these that
            fits some question counts.
    """
    every, sought = list(asked), name.casefold()
    tests: tuple[Callable[[str, str], bool], ...] = (
        lambda label, identity: sought in (label, identity),
        lambda _, identity: sought == identity.rpartition("/")[2],
        lambda label, _: sought in label,
    )
    for fits in tests:
        if found := [each for each in every if fits(label(each).casefold(), each.key.question_id.casefold())]:
            return found
    return []


def label(asked: Asked) -> str:
    """Name a question, as `mmlu_pro/7825` or `HumanEval/12`."""
    benchmark, identity = asked.key.benchmark, asked.key.question_id
    return identity if identity.casefold().startswith(f"{benchmark}/") else f"{benchmark}/{identity}"


def _conditions(asked: Sequence[Asked], wanted: Wanted, variants: Sequence[str]) -> list[Callable[[Asked], bool]]:
    conditions: list[Callable[[Asked], bool]] = []
    if wanted.benchmarks:
        conditions.append(lambda each: each.key.benchmark in wanted.benchmarks)
    if wanted.categories:
        categories = {category.casefold() for category in wanted.categories}
        conditions.append(lambda each: each.question.category.casefold() in categories)
    if wanted.flips:
        flipped = flips(asked, *wanted.flips)
        conditions.append(lambda each: each.key in flipped)
    conditions += [_in_state([name] if name else variants, one) for name, one in wanted.states]
    if wanted.text:
        sought = wanted.text.casefold()
        conditions.append(lambda each: any(sought in text.casefold() for text in _texts(each)))
    return conditions


def _in_state(variants: Sequence[str], wanted: State) -> Callable[[Asked], bool]:
    return lambda each: any(state(each, name) == wanted for name in variants)


def _texts(asked: Asked) -> Iterable[str]:
    yield label(asked)
    yield asked.question.own_text
    for reply in asked.replies.values():
        yield reply.text
        yield reply.thinking
        if reply.grade:
            yield reply.grade.why
        if reply.record.failure:
            yield reply.record.failure.message


def _flips_with_itself(asked: Iterable[Asked], variant: str) -> set[Key]:
    outcomes: dict[tuple[str, str], list[tuple[Key, bool]]] = defaultdict(list)
    for each in asked:
        if (right := _is_right(each, variant)) is not None:
            outcomes[each.key.benchmark, each.key.question_id].append((each.key, right))
    return {key for times in outcomes.values() if len({right for _, right in times}) > 1 for key, _ in times}


def _is_right(asked: Asked, variant: str) -> bool | None:
    """Whether a variant's reply is right; None where that is not known, or no reply came."""
    reply = asked.replies.get(variant)
    if reply is None or reply.grade is None or reply.grade.outcome in NO_GRADE:
        return None
    return reply.grade.outcome == "correct"

"""The answers of a run that flip between the baseline and a build, and what is known of where they part."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from evaluator.analyse.choosing import flips
from evaluator.analyse.questions import Asked, Reply, asked_questions
from evaluator.fidelity.file import read_partings
from evaluator.fidelity.parting import Flip, Parting, Partings, place, said_of, said_of_place, sum_up
from evaluator.records import Key
from evaluator.store.folder import read_plan

Kept = Mapping[tuple[str, Key], Parting]
"""By build and question."""


def kept_partings(folder: Path) -> Kept:
    """Read what servers said of where answers part; nothing where none was asked.

    Raises:
        StudyError: The file is damaged.
    """
    return {(each.build, Key(each.benchmark, each.question, each.repeat)): each for each in read_partings(folder)}


def flips_of(folder: Path) -> list[Flip]:
    """List the answers of a run that flip; none where answers are drawn, which part by chance.

    Raises:
        StudyError: The folder holds no run, or a damaged one.
    """
    plan = read_plan(folder)
    if plan.study.sampling.temperature != 0:
        return []
    asked, baseline = list(asked_questions(folder)), plan.study.baseline
    found: list[Flip] = []
    for variant in plan.study.variants:
        flipped = flips(asked, baseline, variant.name) if variant.name != baseline else set()
        found += [_flip(each, baseline, variant.name) for each in asked if each.key in flipped and not each.again]
    return found


def _flip(asked: Asked, baseline: str, build: str) -> Flip:
    theirs, ours = asked.replies[baseline], asked.replies[build]
    answer = theirs.record.answer
    return Flip(
        key=asked.key,
        build=build,
        reference=baseline,
        request=theirs.record.request,
        prompt_tokens=answer.prompt_tokens if answer else None,
        theirs=_answered(theirs),
        ours=_answered(ours),
    )


def _answered(reply: Reply) -> str | None:
    """Give what was written, as it came; None where thinking came apart from it: how it was joined is not known."""
    answer = reply.record.answer
    return None if answer is None or answer.reasoning else answer.text


def counted(folder: Path, flipped: Sequence[Flip], partings: Iterable[Parting]) -> tuple[Partings, ...]:
    """Count for each build how its flips begin; nothing of builds of which no server was asked."""
    known = list(partings)
    baseline = read_plan(folder).study.baseline
    builds = dict.fromkeys(flip.build for flip in flipped)
    return tuple(
        sum_up(build, baseline, sum(flip.build == build for flip in flipped), known)
        for build in builds
        if any(each.build == build for each in known)
    )


def said(asked: Asked, baseline: str, kept: Kept) -> Iterator[tuple[str, str]]:
    """Say of each build whose answer to a question flips where it leaves the baseline's: the build and a sentence."""
    for build, reply in asked.replies.items():
        if build == baseline or not flips([asked], baseline, build):
            continue
        if (known := kept.get((build, asked.key))) is not None:
            yield build, said_of(known)
        elif (sentence := _said_of_texts(asked.replies[baseline], reply)) is not None:
            yield build, sentence


def _said_of_texts(theirs: Reply, ours: Reply) -> str | None:
    names = ours.record.variant, theirs.record.variant
    if theirs.thinking != ours.thinking and (found := place(theirs.thinking, ours.thinking)):
        return said_of_place(found, *names, where=" of its thinking")
    found = place(theirs.text, ours.text)
    return None if found is None else said_of_place(found, *names)

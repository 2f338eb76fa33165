"""`whichquant show`: look at the questions of a run and at what each variant replied.

With `--json` one object a line, in ASCII:

    benchmark, question   which question
    repeat, again         which time it was put; whether only to the baseline, once more
    category, kind        of the question; its kind is "choice", "code" or "number"
    prompt, answer        as sent, worked examples included; the right answer (of code the function to write)
    replies               by variant: {"outcome": text or null where it is not graded yet, "extracted", "why",
                          "text", "thinking", "failure": {"kind", "message"} or null, "finish_reason",
                          "prompt_tokens", "completion_tokens", "first_token_s", "duration_s", "started"}
    partings              by variant whose answer flips: a sentence on where it leaves the baseline's
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from rich.console import Console
from rich.text import Text

from evaluator.analyse.choosing import STATES, State, Wanted, chosen, flips, label, named, state
from evaluator.analyse.partings import Kept, kept_partings, said
from evaluator.analyse.questions import Asked, Reply, asked_questions, planned_questions
from evaluator.decide import wording
from evaluator.decide.asked_twice import asked_twice, itself, texts_of
from evaluator.errors import StudyError
from evaluator.fidelity.parting import sum_up
from evaluator.grade.outline import outline
from evaluator.report.show import show_list, show_question
from evaluator.store.folder import read_plan
from evaluator.text import shortened

_NEAR = 5
"""Names that are proposed."""


class Options(Struct, frozen=True, kw_only=True):
    """What the user gave, as it stands on the command line."""

    flips: tuple[str, str] | None
    outcomes: tuple[str, ...]
    """Each an outcome, or `VARIANT=outcome`."""
    categories: tuple[str, ...]
    benchmarks: tuple[str, ...]
    search: str
    limit: int | None
    thinking: bool
    full: bool
    as_json: bool


def show(folder: Path, question: str | None, options: Options, console: Console) -> int:
    """Print a run's questions, or one of them with all that was replied; give the exit code.

    Raises:
        StudyError: The folder holds no run; a name is unknown, or may mean several questions.
    """
    study = read_plan(folder).study
    variants = [variant.name for variant in study.variants]
    kept = kept_partings(folder)

    def parted(each: Asked) -> Iterator[tuple[str, str]]:
        return said(each, study.baseline, kept)

    planned = planned_questions(folder)
    wanted = _wanted(options, planned, variants)
    if question is None:
        asked = _grouped(asked_questions(folder))
    else:
        one = {(each.key.benchmark, each.key.question_id) for each in _one(planned, question, wanted)}
        asked = list(asked_questions(folder, only=lambda key: (key.benchmark, key.question_id) in one))
    found = chosen(asked, wanted, variants)
    some = set(list(dict.fromkeys(map(label, found)))[: options.limit])
    shown = [each for each in found if label(each) in some]
    if options.as_json:
        for each in shown:
            console.out(json.dumps({**_object(each), "partings": dict(parted(each))}), highlight=False)
    elif question is None:
        show_list(shown, variants, console)
        beside = (
            (*_itself(study.baseline, asked), *_parted(study.baseline, asked, wanted, kept)) if wanted.flips else ()
        )
        for sentence in (*_counts(asked, found, shown, variants, wanted), *beside):
            console.print(Text(sentence), soft_wrap=True)
    else:
        sentences = [sentence for each in shown for _, sentence in parted(each)]
        how = {"thinking": options.thinking, "full": options.full}
        show_question(shown, variants, study.baseline, console, **how, partings=sentences)
    return 0


def _grouped(asked: Iterable[Asked]) -> list[Asked]:
    """Put all times that a question was asked behind its first."""
    groups: dict[str, list[Asked]] = {}
    for each in asked:
        groups.setdefault(label(each), []).append(each)
    return [each for group in groups.values() for each in group]


def _one(asked: Sequence[Asked], name: str, wanted: Wanted) -> list[Asked]:
    """Return the question of a name, as often as it was put."""
    if wanted != Wanted():
        raise StudyError("give either a question or what to choose by, not both", source=f"show {shortened(name, 80)}")
    found = named(asked, name)
    labels = list(dict.fromkeys(map(label, found)))
    if len(labels) == 1:
        return found
    source = f'question "{shortened(name, 80)}"'
    if not labels:
        raise StudyError("there is none of that name", source=source, remedy=_did_you_mean(name, map(label, asked)))
    more = f" and {len(labels) - _NEAR:,} more" if len(labels) > _NEAR else ""
    raise StudyError(f"may be {', '.join(labels[:_NEAR])}{more}", source=source, remedy="write more of its name")


def _wanted(options: Options, asked: Sequence[Asked], variants: Sequence[str]) -> Wanted:
    """Read what the user wants; names may be written in any case.

    Raises:
        StudyError: A name is not known in this run.
    """
    categories = list(dict.fromkeys(each.question.category for each in asked))
    benchmarks = list(dict.fromkeys(each.key.benchmark for each in asked))
    flips = options.flips and (
        _known(options.flips[0], variants, "--flips"),
        _known(options.flips[1], variants, "--flips"),
    )
    return Wanted(
        flips=flips,
        states=tuple(_state(text, variants) for text in options.outcomes),
        categories=tuple(_known(name, categories, "--category") for name in options.categories),
        benchmarks=tuple(_known(name, benchmarks, "--benchmark") for name in options.benchmarks),
        text=options.search,
    )


def _state(text: str, variants: Sequence[str]) -> tuple[str, State]:
    variant, _, outcome = text.rpartition("=")
    by_name = {state: state for state in STATES}
    name = _known(variant, variants, "--outcome") if variant else ""
    return name, by_name[_known(outcome.replace(" ", "_"), STATES, "--outcome")]


def _known(word: str, known: Sequence[State] | Sequence[str], option: str) -> Any:  # noqa: ANN401 - one of `known`
    for name in known:
        if name.casefold() == word.strip().casefold():
            return name
    raise StudyError("is not known here", source=f"{option} {shortened(word, 80)}", remedy=_did_you_mean(word, known))


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    ends = {name.rpartition("/")[2]: name for name in known}
    few = len(ends) <= 3 * _NEAR
    near = difflib.get_close_matches(word.rpartition("/")[2], ends, n=1 if few else _NEAR, cutoff=0.6 if few else 0.4)
    if near:
        return f"did you mean {wording.listed([ends[end] for end in near], 'or')}?"
    if not few:
        return f"leave it out to see all {len(ends):,}"
    return f"there {'is' if len(ends) == 1 else 'are'} {', '.join(ends.values())}"


def _counts(
    asked: Sequence[Asked], found: Sequence[Asked], shown: Sequence[Asked], variants: Sequence[str], wanted: Wanted
) -> Iterable[str]:
    """Say how many questions were found, and what is still missing."""
    total, count, printed = (len(set(map(label, some))) for some in (asked, found, shown))
    limited = f", of which {printed:,} {'is' if printed == 1 else 'are'} shown" if printed < count else ""
    yield f"{count:,} of {total:,} question{'' if total == 1 else 's'}{limited}"
    once = {each.key for each in asked if not each.again and not each.key.repeat} >= {each.key for each in asked}
    if wanted.flips and len(set(wanted.flips)) == 1 and once:
        yield f"{wanted.flips[0]} was asked every question once: nothing shows yet how much it differs from itself"
    ungraded = sum(state(each, variant) == "not_graded" for each in asked for variant in variants)
    if ungraded:
        yield (
            f"{ungraded:,} code {'reply is' if ungraded == 1 else 'replies are'} not graded yet: the end of"
            " the run does that, or whichquant report"
        )


def _itself(baseline: str, asked: Sequence[Asked]) -> Iterator[str]:
    """Say how far the baseline differs from itself: flips mean no more than that allows."""
    replies = [reply for each in asked if (reply := each.replies.get(baseline))]
    grades = [reply.grade for reply in replies if reply.grade]
    benchmarks = dict.fromkeys(each.key.benchmark for each in asked)
    texts = texts_of(outline(reply.record) for reply in replies)
    for twice in asked_twice(baseline, texts, grades, benchmarks):
        yield f"{wording.name(twice.benchmark)}: {itself(twice)}"


def _parted(baseline: str, asked: Sequence[Asked], wanted: Wanted, kept: Kept) -> Iterator[str]:
    """Say how the flips between the baseline and a build begin, where their servers were asked."""
    for build in set(wanted.flips or ()) - {baseline}:
        known = [each for each in kept.values() if each.build == build]
        if known and baseline in (wanted.flips or ()):
            yield sum_up(build, baseline, len(flips(asked, baseline, build)), known).sentence


def _object(asked: Asked) -> dict[str, Any]:
    return {
        "benchmark": asked.key.benchmark,
        "question": asked.key.question_id,
        "repeat": asked.key.repeat,
        "again": asked.again,
        "category": asked.question.category,
        "kind": asked.question.kind,
        "prompt": asked.question.text,
        "answer": asked.question.answer,
        "replies": {variant: _reply(reply) for variant, reply in asked.replies.items()},
    }


def _reply(reply: Reply) -> dict[str, Any]:
    answer, failure, grade = reply.record.answer, reply.record.failure, reply.grade
    return {
        "outcome": grade.outcome if grade else None,
        "extracted": grade.extracted if grade else None,
        "why": grade.why if grade else None,
        "text": reply.text,
        "thinking": reply.thinking,
        "failure": {"kind": failure.kind, "message": failure.message} if failure else None,
        "finish_reason": answer.finish_reason if answer else None,
        "prompt_tokens": answer.prompt_tokens if answer else None,
        "completion_tokens": answer.completion_tokens if answer else None,
        "first_token_s": answer.first_token_s if answer else None,
        "duration_s": answer.duration_s if answer else None,
        "started": reply.record.started,
    }

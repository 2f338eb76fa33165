"""Does each reply belong to its own request? Prompts that each ask for a word of their own, on the questions' own road.

They are put one at a time and all at once, streamed if the questions are, some of them in the form of the questions and
with the study's sampling. That a word is missing proves little: small models often leave it out. Another prompt's word
is proof.
"""

import itertools
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from evaluator.benchmarks import BENCHMARKS
from evaluator.finish import end_of
from evaluator.grade.choice.extract import read_letter
from evaluator.grade.thinking import split_thinking
from evaluator.preflight.prompts import CODEWORDS, MORE_CODEWORDS, QUESTIONS, REPEAT, TOGETHER
from evaluator.preflight.trial import GREEDY, Trial, all_text
from evaluator.records import Answer, Kind
from evaluator.store.proofs import OwnReplies, Together
from evaluator.study.study import Study
from servers.spec import Prompt, Sampling

_OF_A_KIND: dict[Kind, int] = {"choice": 4, "code": 2, "number": 2}
"""Prompts in the form of a benchmark. A choice may be answered by its letter alone, which proves less than a word."""
_LETTERS = ("AB", "CD", "EF", "GH")
"""Offered by the prompts with a choice: no letter twice."""
_TOKENS = 16
"""Of a reply to these: the word and the letter fit in."""
_MOST_AT_ONCE = 32
_NUMBER = 4107
_SHORTEST_COPY = 12
"""Characters of an answer that is no accident where another prompt gets it."""
_SAME = 40
"""Characters of a reply that different prompts do not get by accident."""
_FEW, _MANY = 1, 4
"""Of the first six replies: so few with their word when streamed, so many when not, and the streams are others'."""
_WHAT = "Prompts with a word of their own"


class _Marked(Struct, frozen=True, kw_only=True):
    """A prompt that asks for a word which no other prompt has."""

    prompt: str | Prompt
    """As text it is put as the study puts its questions."""
    word: str
    sampling: Sampling = GREEDY
    letters: str = ""
    """Of a choice: the two that are offered."""


class _Prompts(NamedTuple):
    alone: tuple[_Marked, ...]
    at_once: tuple[_Marked, ...]
    """Empty where the study never has several in flight."""


class Found(NamedTuple):
    """What the replies show; None: nothing was answered, or it was not tried."""

    alone: OwnReplies | None
    at_once: OwnReplies | None = None
    together: Together | None = None


def number_of_requests(study: Study) -> int:
    """Count the requests that this takes where nothing looks wrong."""
    prompts = _prompts(study, MORE_CODEWORDS)
    return len(prompts.alone) + len(prompts.at_once)


async def own_replies(trial: Trial) -> Found:
    """Put the prompts one at a time, then all at once, where the study does so.

    Raises:
        ServerError: The server is gone.
    """
    asked = _prompts(trial.study, secrets.SystemRandom().sample(MORE_CODEWORDS, _MOST_AT_ONCE))
    before = [await trial.ask(one.prompt, one.sampling, _WHAT) for one in asked.alone]
    alone = _judged(asked.alone, before)
    if alone:
        shifted = await _shifted(trial, asked.alone, before)
        alone = replace(alone, others=max(alone.others, shifted), whole=await _whole(trial, asked.alone, before))
    if not asked.at_once:
        return Found(alone)
    replies = await trial.ask_all([(one.prompt, one.sampling) for one in asked.at_once], _WHAT)
    at_once, after = _judged(asked.at_once, replies), replies[len(before) - 1 :: -1]
    if at_once:
        still = [
            _has_own(one, new) for one, old, new in zip(asked.alone, before, after, strict=True) if _has_own(one, old)
        ]
        swapped = _swapped_letters(asked.alone, before, after)
        at_once = replace(at_once, others=max(at_once.others, swapped), lost=still.count(False))
    return Found(alone, at_once, _together(before, after))


def _prompts(study: Study, words: Sequence[str]) -> _Prompts:
    """Make the prompts: one at a time the fixed ones and those with a choice; all at once these backwards, and more."""
    fixed = [_Marked(prompt=text, word=word) for text, word in zip(TOGETHER, CODEWORDS, strict=True)]
    sampling = replace(study.sampling, max_tokens=min(_TOKENS, study.sampling.max_tokens))
    free = iter(words)
    questions = [
        _question(BENCHMARKS[name].kind, i, next(free), sampling, chat=settings.format == "chat")
        for name, settings in study.benchmarks.chosen().items()
        for i in range(_OF_A_KIND[BENCHMARKS[name].kind])
    ]
    if study.tried_at_once == 1:
        return _Prompts((*fixed, *questions), ())
    alone = (*fixed, *(one for one in questions if one.letters))
    more = [one for one in questions if not one.letters]
    filling = min(study.tried_at_once, _MOST_AT_ONCE) - len(alone) - len(more)
    more += [_Marked(prompt=REPEAT.format(word), word=word) for word in itertools.islice(free, max(0, filling))]
    return _Prompts(alone, (*reversed(alone), *more))


def _question(kind: Kind, i: int, word: str, sampling: Sampling, *, chat: bool) -> _Marked:
    number = _NUMBER + 12 * i
    name = word.capitalize() if kind == "number" else word
    text = QUESTIONS[kind, chat].format(word=name, letters=_LETTERS[i], number=number, next=number + 1)
    prompt = Prompt(messages=({"role": "user", "content": text},)) if chat else Prompt(text=text)
    return _Marked(prompt=prompt, word=word, sampling=sampling, letters=_LETTERS[i] if kind == "choice" else "")


def _judged(asked: Sequence[_Marked], replies: Sequence[Answer | None]) -> OwnReplies | None:
    """Count whose words the replies hold; None where there are none."""
    used = {one.word for one in asked}
    answered = [(one, reply) for one, reply in zip(asked, replies, strict=True) if reply]
    if not answered:
        return None
    strange = [(one.word, words) for one, reply in answered if (words := _words(reply) - {one.word})]
    texts = Counter(_whole_answer(reply) for _, reply in answered)
    same = max((count for text, count in texts.items() if len(text) >= _SAME), default=0)
    return OwnReplies(
        prompts=len(answered),
        own=sum(_has_own(one, reply) for one, reply in answered),
        others=sum(bool(words & used) for _, words in strange),
        unknown=sum(not words & used for _, words in strange),
        same=same if same > 1 else 0,
        example=f"asked for {strange[0][0]}, it wrote {min(strange[0][1])}" if strange else "",
    )


def _whole_answer(reply: Answer) -> str:
    """Return a reply without its thoughts; empty where it was cut off.

    Behind a chat template that opens the thinking itself, the first tokens of thoughts look like an answer, and are
    often a formula: "Thinking Process: 1. **Analyze the Request:**".
    """
    is_cut = end_of(reply.finish_reason) == "limit"
    return "" if is_cut else split_thinking(reply.text, reply.reasoning).answer.strip()


def _words(reply: Answer) -> set[str]:
    text = all_text(reply).lower()
    return {word for word in (*CODEWORDS, *MORE_CODEWORDS) if word in text}


def _has_own(one: _Marked, reply: Answer | None) -> bool:
    return reply is not None and one.word in _words(reply)


async def _shifted(trial: Trial, asked: Sequence[_Marked], replies: Sequence[Answer | None]) -> int:
    """Count the choices whose reply took a letter that only the prompt before was offered.

    By accident this may happen once; so they are put again, backwards, where every reply is the one of the prompt
    before. A model that answers by the prompt alone cannot be the cause both times.
    """
    choices = [(one, reply) for one, reply in zip(asked, replies, strict=True) if one.letters]
    if not _each_has_letter_before(choices):
        return 0
    again = [(one, await trial.ask(one.prompt, one.sampling, _WHAT)) for one, _ in reversed(choices)]
    return len(choices) - 1 if _each_has_letter_before(again) else 0


def _each_has_letter_before(choices: Sequence[tuple[_Marked, Answer | None]]) -> bool:
    pairs = [(before.letters, _letter(reply)) for (before, _), (_, reply) in itertools.pairwise(choices)]
    return bool(pairs) and all(letter and letter in letters for letters, letter in pairs)


def _swapped_letters(asked: Sequence[_Marked], before: Sequence[Answer | None], after: Sequence[Answer | None]) -> int:
    """Count the choices with a letter that others were offered, where one at a time each took one of its own."""
    triples = [
        (one.letters, _letter(old), _letter(new))
        for one, old, new in zip(asked, before, after, strict=True)
        if one.letters
    ]
    able = all(old and old in letters for letters, old, _ in triples)
    count = sum(new is not None and new not in letters for letters, _, new in triples)
    return count if able and count > 1 else 0


def _letter(reply: Answer | None) -> str | None:
    if reply is None:
        return None
    thought = split_thinking(reply.text, reply.reasoning)
    return None if thought.unclosed else read_letter(thought.answer, "".join(_LETTERS)).value


async def _whole(trial: Trial, asked: Sequence[_Marked], replies: Sequence[Answer | None]) -> int | None:
    """Count the first prompts whose word comes when they are not streamed; None where streams have it, or neither."""
    first = list(zip(asked, replies, strict=True))[: len(TOGETHER)]
    texts = [reply for _, reply in first if reply and reply.text.strip()]
    if not trial.study.stream or len(texts) < _MANY or sum(_has_own(*pair) for pair in first) > _FEW:
        return None
    whole = [_has_own(one, await trial.ask(one.prompt, one.sampling, _WHAT, stream=False)) for one, _ in first]
    return sum(whole) if sum(whole) >= _MANY else None


def _together(before: Sequence[Answer | None], after: Sequence[Answer | None]) -> Together | None:
    """Compare the greedy answers to the fixed prompts; None where there are none to compare."""
    count = len(TOGETHER)
    pairs = [(i, all_text(a), b) for i, (a, b) in enumerate(zip(before[:count], after[:count], strict=True)) if a and b]
    if not pairs:
        return None
    own = [all_text(answer) if answer else "" for answer in before[:count]]
    changed = [(i, reply) for i, text, reply in pairs if text != all_text(reply)]
    mixed = sum(_is_anothers(i, reply, own) for i, reply in changed)
    return Together(prompts=len(pairs), changed=len(changed), mixed=mixed)


def _is_anothers(i: int, reply: Answer, own: Sequence[str]) -> bool:
    """Whether an answer belongs to another prompt: it is that one's alone, or holds a word that only that one has.

    Equal beginnings of thoughts are no copies.
    """
    text = all_text(reply)
    if any(word in text.lower() and word not in own[i].lower() for word in CODEWORDS if word != CODEWORDS[i]):
        return True
    return bool(_whole_answer(reply)) and len(text) >= _SHORTEST_COPY and own.count(text) == 1

"""A study, its servers and its replies as validity checks see them: sound, but for what a test changes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from evaluator.checks.rule import Check, CheckInput
from evaluator.checks.table import after, before
from evaluator.decide.answers import Graded, arrange
from evaluator.decide.evidence import Design
from evaluator.decide.score import Score, score
from evaluator.grade.grader import Grader
from evaluator.grade.sandbox import NoSandbox
from evaluator.records import Answer, Failure, Grade, Question, Record
from evaluator.store.proofs import Length, Proofs, Repeated, Thought, Together
from evaluator.study.file import parse
from evaluator.study.requests import Ask, plan
from evaluator.study.study import Study
from servers.spec import Machine, ServerFacts
from tests.support.outlined import outlined, seen

GRADER = Grader(NoSandbox(reason="no sandbox", install=""))
OURS = "runtime: llama_server, kv_cache: f16"
ON, OFF = f"{OURS}, thinking: true", f"{OURS}, thinking: false"
AT = 'base_url: "http://h/v1"'
TIMEOUT = Failure(kind="timeout", message="no token for 600 s")
TOO_LONG = Failure(kind="bad_request", message="the request exceeds the available context size", status=400)
FACTS = ServerFacts(
    runtime="llama_server",
    engine="llama-server",
    version="b1",
    context=8192,
    kv_cache="f16",
    thinking_heard=True,
    chat_template_sha256="7" * 64,
    machine=Machine(os="Linux", chip="M", memory_bytes=2**34),
)
TOKENS = {"english": 40, "code": 60, "numbers": 70, "scripts": 50, "markup": 45}
PROOFS = Proofs(
    settings="x",
    seconds=1.0,
    tokens=TOKENS,
    thinking_tokens={"on": 20, "off": 24, "unsaid": 20},
    thought=Thought(reasoned=False, separated=False, finish_reason="stop", completion_tokens=20),
    lengths=(
        Length(parts=10, prompt_tokens=180),
        Length(parts=50, prompt_tokens=780),
        Length(parts=300, prompt_tokens=4530),
    ),
    needed=4530,
    needle=True,
    cold=Repeated(temperature=0.0, times=3, different=1),
    hot=Repeated(temperature=1.0, times=3, different=3),
    plain=Repeated(temperature=0.0, times=3, different=1),
    applied={"temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0},
    together=Together(prompts=6, changed=0, mixed=0),
)
Reply = Answer | Failure | None
Found = list[tuple[str, str, str | None]]
"""Code, severity and variant of each check, in the order of the rules."""


def study_of(a: str = OURS, b: str = OURS, *, n: int = 100, extra: str = "", repeats: int = 1) -> Study:
    """Make a study of two variants of the models `m` and `n`, unless these settings name others."""
    lines = [
        f"  - {{name: {name}, {'' if 'model:' in settings else f'model: {model}, '}{settings}}}"
        for name, model, settings in (("a", "m", a), ("b", "n", b))
    ]
    asked = f"benchmarks: {{mmlu_pro: {{questions: {n}, shots: 0, repeats: {repeats}}}}}"
    number = "" if "concurrency:" in extra else "concurrency: 4"
    return parse("\n".join(["study: s", "baseline: a", "variants:", *lines, asked, number, extra]) + "\n", "s")


def reply(text: str, **more: Any) -> Answer:
    return Answer(**{"text": text, "finish_reason": "stop", "duration_s": 1.0, **more})


def usual(question: Question, number: int) -> Answer:
    """Answer three of four questions rightly, and the others with another letter."""
    wrong = next(letter for letter in question.letters if letter != question.answer)
    letter = question.answer if number % 4 else wrong
    tokens = {"prompt_tokens": 100 + number, "completion_tokens": 20 + number % 7}
    return reply(f"It follows from case {number}. The answer is ({letter}).", **tokens)


def changed(first: int, change: Callable[[Answer, int], Reply]) -> Callable[[Question, int], Reply]:
    """Change the first so many of the usual replies."""

    def give(question: Question, number: int) -> Reply:
        plain = usual(question, number)
        return change(plain, number) if number < first else plain

    return give


def check_input(
    study: Study,
    replies: dict[str, Callable[[Question, int], Reply]] | None = None,
    *,
    facts: dict[str, dict[str, Any]] | None = None,
    proofs: dict[str, dict[str, Any]] | None = None,
    edit: Callable[[Record, int], Record] = lambda record, _: record,
    again: int | None = None,
) -> CheckInput:
    """Build all there is to look at after a run; without `replies` before it.

    Args:
        study: Of two variants.
        replies: By variant, in place of the usual ones; empty for a run that has only these.
        facts: By variant what is another than usual.
        proofs: The same.
        edit: Changes a record.
        again: How many of thirty questions the baseline answers rightly when it is asked again.
    """
    names = [variant.name for variant in study.variants]
    asks = plan(study)
    first = CheckInput(
        study=study,
        facts={name: replace(FACTS, **(facts or {}).get(name, {})) for name in names},
        proofs={name: replace(PROOFS, **(proofs or {}).get(name, {})) for name in names},
        asked={ask.key: ask.question for ask in asks},
    )
    if replies is None:
        return first
    records = {
        name: [
            edit(_record(name, number, ask, given), number)
            for number, ask in enumerate(asks)
            if (given := replies.get(name, usual)(ask.question, number)) is not None
        ]
        for name in names
    }
    grades = [GRADER.grade(record, first.asked[record.key]) for by in records.values() for record in by]
    graded = _arranged(study, asks, grades)
    return replace(
        first,
        **seen(records, first.asked, grades),
        scores=_scores(study, asks, records, grades),
        graded=graded if again is None else _asked_again(graded, again),
    )


def _scores(
    study: Study, asks: Sequence[Ask], records: Mapping[str, Sequence[Record]], grades: Sequence[Grade]
) -> list[Score]:
    return [
        score(
            name,
            benchmark,
            planned=sum(ask.key.benchmark == benchmark for ask in asks),
            records=outlined(record for record in records[name] if record.key.benchmark == benchmark).records,
            grades=[g for g in grades if g.variant == name and g.key.benchmark == benchmark],
        )
        for name in records
        for benchmark in study.benchmarks.chosen()
    ]


def _arranged(study: Study, asks: Sequence[Ask], grades: Sequence[Grade]) -> Graded:
    chosen = study.benchmarks.chosen()
    order = {b: tuple(dict.fromkeys(a.key.question_id for a in asks if a.key.benchmark == b)) for b in chosen}
    return arrange(
        grades,
        variants=[variant.name for variant in study.variants],
        baseline="a",
        repeats={b: s.repeats for b, s in chosen.items()},
        design=Design(order=order),
    )


def _asked_again(graded: Graded, right: int) -> Graded:
    """Let the baseline answer thirty questions rightly, and so many of them when it is asked again."""
    ids = list(graded.answers["a"]["mmlu_pro"])[:30]
    return replace(
        graded,
        answers={**graded.answers, "a": {"mmlu_pro": dict.fromkeys(ids, (True,))}},
        again={"mmlu_pro": {question: (i < right,) for i, question in enumerate(ids)}},
    )


def summary(checks: Iterable[Check]) -> Found:
    return [(check.code, check.severity, check.variant) for check in checks]


def before_of(study: Study, **changes: Any) -> Found:
    return summary(before(check_input(study, **changes)))


def after_of(study: Study, replies: Any = None, **changes: Any) -> Found:
    return summary(after(check_input(study, replies or {}, **changes)))


def _record(name: str, number: int, ask: Any, given: Answer | Failure) -> Record:
    messages = [dict(message) for message in ask.question.prompt.messages]
    return Record(
        key=ask.key,
        variant=name,
        started=f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000+00:00",
        request={"messages": messages, "max_tokens": ask.sampling.max_tokens},
        answer=given if isinstance(given, Answer) else None,
        failure=given if isinstance(given, Failure) else None,
    )


def with_(first: int, **values: Any) -> Callable[[Question, int], Reply]:
    """Change values of the first so many replies."""
    return changed(first, lambda answer, _: replace(answer, **values))


def without(first: int, failure: Failure | None) -> Callable[[Question, int], Reply]:
    """Give a failure in place of the first so many replies; None: these questions were not put."""
    return changed(first, lambda _answer, _number: failure)


def thinking(first: int, usually: Callable[[Question, int], Reply] = usual) -> Callable[[Question, int], Reply]:
    """Add thoughts of different length to the first so many replies."""

    def give(question: Question, number: int) -> Reply:
        given = usually(question, number)
        if number >= first or not isinstance(given, Answer):
            return given
        return replace(given, reasoning=f"Case {number}: " + "hm, " * (number % 50))

    return give


def cut(first: int) -> Callable[[Question, int], Reply]:
    return with_(first, finish_reason="length", completion_tokens=4096)


def shifted(by: int, **more: int) -> dict[str, int]:
    """Count so many tokens more for each fixed text."""
    return {name: count + by + more.get(name, 0) for name, count in TOKENS.items()}


def first_right(count: int) -> Callable[[Question, int], Reply]:
    """Answer so many questions rightly, and the others wrongly."""

    def give(question: Question, number: int) -> Reply:
        wrong = next(letter for letter in question.letters if letter != question.answer)
        return reply(f"Case {number}. The answer is ({question.answer if number < count else wrong}).")

    return give

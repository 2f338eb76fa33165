"""Questions with replies, made of a few words: `{"a": "correct", "b": "wrong"}`."""

from collections.abc import Mapping

from hypothesis import strategies as st

from evaluator.analyse.choosing import STATES, State
from evaluator.analyse.questions import Asked, Reply
from evaluator.records import OUTCOMES, Answer, Failure, Grade, Key, Kind, Question, Record
from servers.spec import Prompt


def asked(
    states: Mapping[str, State],
    *,
    identity: str = "1",
    benchmark: str = "mmlu_pro",
    repeat: int = 0,
    again: bool = False,
    category: str = "law",
    prompt: str = "Which one?",
    text: str = "The answer is (B).",
    thinking: str = "",
    kind: Kind = "choice",
    failure: str = "no route to host",
    why: str = "B is announced",
) -> Asked:
    """Make a question and what each variant made of it."""
    key = Key(benchmark, identity, repeat)
    replies = {
        variant: _reply(key, variant, state, text=text, thinking=thinking, failure=failure, why=why)
        for variant, state in states.items()
        if state != "not_asked"
    }
    question = Question(
        benchmark=benchmark,
        id=identity,
        kind=kind,
        category=category,
        prompt=Prompt(messages=({"role": "user", "content": prompt},)),
        answer="B",
        letters="ABCD",
        options=("one", "two", "three", "four"),
    )
    return Asked(key=key, question=question, replies=replies, again=again)


def _reply(key: Key, variant: str, state: State, *, text: str, thinking: str, failure: str, why: str) -> Reply:
    answer = None if state == "failed" else Answer(text=text, duration_s=1.5, completion_tokens=7, finish_reason="stop")
    lost = Failure(kind="unreachable", message=failure) if state == "failed" else None
    record = Record(key=key, variant=variant, started="", request={}, answer=answer, failure=lost)
    outcome = next((outcome for outcome in OUTCOMES if outcome == state), None)
    extracted = {"correct": "B", "wrong": "C"}.get(state)
    grade = outcome and Grade(key=key, variant=variant, outcome=outcome, extracted=extracted, why=why)
    return Reply(record=record, grade=grade or None, text=text if answer else "", thinking=thinking)


VARIANTS = ("a", "b", "c")
_STATES = st.fixed_dictionaries({variant: st.sampled_from(STATES) for variant in VARIANTS})
_ONE = st.builds(
    lambda states, name, **more: asked(states, benchmark=name[0], identity=name[1], **more),
    _STATES,
    st.sampled_from([("mmlu_pro", "1"), ("mmlu_pro", "12"), ("gsm8k", "1"), ("humaneval", "HumanEval/2")]),
    repeat=st.integers(0, 2),
    category=st.sampled_from(["law", "Law", "math"]),
    text=st.sampled_from(["yes", "NO", "Straße", ""]),
)
MANY = st.lists(_ONE, max_size=12, unique_by=lambda each: each.key)
"""Questions of three variants, put up to three times."""

"""What a server does when it is tried is noted as it is: faults of every kind, and none where there is none."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from evaluator.ask.servers import differences
from evaluator.errors import StudyError
from evaluator.preflight.probes import prove
from evaluator.preflight.prompts import COUNTED
from evaluator.preflight.settings import settings_of
from evaluator.store.proofs import Proofs, keep_proofs, read_proofs
from evaluator.study.file import parse
from evaluator.study.requests import plan
from servers.errors import ServerError
from servers.fake import FakeModel, FakeServer, Reply, Script
from servers.fake.dialects import LLAMA_SERVER, LM_STUDIO, MLX_LM, OLLAMA, OMLX, PLAIN, VLLM, Dialect
from servers.launch import launch
from servers.spec import ServerFacts, ServerSpec
from tests.support.planted_faults import Renamed, Wavering, one_question_fails, other_tokenizer, reads_marks, uncounted
from tests.support.probe_scripts import (
    Mixing,
    Swapped,
    always_drawing,
    another_template,
    deaf_to_temperature,
    honest,
    refusing,
    thinking,
    thinking_in_the_text,
    truncating,
)
from tests.support.scripted import ANSWERS

STUDY = """
study: s
baseline: a
variants: [{name: a, model: fake, base_url: "http://h/v1"}]
benchmarks: {mmlu_pro: {questions: 5, shots: 0}}
sampling: {max_tokens: 500}
"""


async def tried(
    script: Script, *, extra: str = "", dialect: Dialect = PLAIN, seconds: float = 60, off: bool | None = None
) -> Proofs:
    study = parse(STUDY + extra, "s")
    model = FakeModel(id="fake", thinking=None, served_context=8192)
    async with FakeServer(script, dialect=dialect, models=[model]) as fake:
        spec = ServerSpec(runtime="openai", model="fake", base_url=fake.base_url, thinking=off, slots=4)
        async with launch(spec, log=Path()) as server:
            return await prove(server, study, asks=plan(study), settings="x", seconds=seconds)


@pytest.mark.parametrize(
    "dialect", [PLAIN, LLAMA_SERVER, MLX_LM, OMLX, OLLAMA, LM_STUDIO, VLLM], ids=lambda dialect: dialect.name
)
async def test_an_honest_server_proves_all_in_any_dialect(dialect: Dialect) -> None:
    found = await tried(honest, dialect=dialect)

    assert found.failures == found.changed == ()
    assert set(found.tokens) == {"english", "code", "numbers", "scripts", "markup"}
    assert found.thought is not None
    assert (found.thought.reasoned, found.thought.tags) == (False, ())
    assert [length.parts for length in found.lengths] == [found.lengths[0].parts * n for n in (1, 2, 4)]
    assert (found.lengths[2].prompt_tokens or 0) > 0.85 * found.needed
    assert found.needle is True
    assert found.cold is not None
    assert found.hot is not None
    assert found.plain is not None
    assert (found.cold.different, found.hot.different, found.plain.different) == (1, 4, 1)
    assert found.together is not None
    assert (found.together.prompts, found.together.changed, found.together.mixed) == (6, 0, 0)


def _tags(found: Proofs) -> bool:
    return found.thought is not None and found.thought.reasoned and "<think>" in found.thought.tags


@pytest.mark.parametrize(
    ("script", "shows"),
    [
        pytest.param(truncating, lambda p: {n.prompt_tokens for n in p.lengths} == {150}, id="prompts-cut"),
        pytest.param(truncating, lambda p: p.needle is False, id="beginning-forgotten"),
        pytest.param(deaf_to_temperature, lambda p: p.hot.different == 1, id="temperature-ignored"),
        pytest.param(always_drawing, lambda p: p.cold.different == 2, id="temperature-0-draws"),
        pytest.param(refusing, lambda p: "maximum context length" in p.lengths[0].refused, id="long-prompts-refused"),
        pytest.param(thinking, lambda p: p.thought.reasoned and p.thought.separated, id="thinks"),
        pytest.param(thinking_in_the_text, _tags, id="thinks-in-the-text"),
        pytest.param(Mixing(), lambda p: p.together.changed == p.together.mixed == 6, id="answers-mixed"),
        pytest.param(always_drawing, lambda p: p.together.changed == 6 and p.together.mixed == 0, id="only-changed"),
        pytest.param(
            Wavering(), lambda p: p.together.changed == 6 and p.together.mixed == 0, id="second-answer-differs"
        ),
        pytest.param(uncounted, lambda p: not p.tokens and p.needle is False, id="uncounted-and-forgotten"),
        pytest.param(
            other_tokenizer, lambda p: p.tokens["english"] == len(COUNTED["english"]) // 4 + 5, id="tokenizer"
        ),
        pytest.param(
            reads_marks, lambda p: p.tokens["markup"] == len(COUNTED["markup"].split()) + 14, id="reads-marks"
        ),
        pytest.param(one_question_fails, lambda p: p.thought is None and "out of order" in p.failures[0], id="fails"),
        pytest.param(Renamed(), lambda p: p.model == "another", id="another-name"),
        pytest.param(Swapped(12), lambda p: "later in the same check" in p.changed[0], id="model-swapped"),
    ],
)
async def test_a_planted_fault_is_in_the_proofs(script: Script, shows: Callable[[Proofs], Any]) -> None:
    found = await tried(script)

    assert shows(found), found


async def test_a_template_of_other_tokens_shifts_every_count() -> None:
    first, second = await tried(honest), await tried(another_template)

    assert {second.tokens[name] - count for name, count in first.tokens.items()} == {4}


async def test_the_context_that_is_needed_is_counted_by_the_longest_prompt() -> None:
    study = parse(STUDY, "s")
    longest = max(len(ask.question.prompt.messages[0]["content"]) for ask in plan(study))

    found = await tried(lambda body, n: replace(honest(body, n), prompt_tokens=len(str(body["messages"][0])) // 4))

    assert longest // 4 <= found.needed - 500 <= longest // 4 + 30


async def test_without_a_count_the_context_is_estimated_and_nothing_fails() -> None:
    found = await tried(lambda body, n: replace(honest(body, n), usage=False))

    assert found.tokens == {}
    assert found.needed > 500
    assert [length.prompt_tokens for length in found.lengths] == [None] * 3
    assert found.needle is True


async def test_one_question_at_a_time_needs_no_proof_of_many() -> None:
    assert (await tried(honest, extra="concurrency: 1\n")).together is None


async def test_a_completion_study_is_tried_with_completions() -> None:
    study = STUDY.replace("shots: 0", "shots: 0, format: completion")

    async with FakeServer(Reply(text="x", prompt_tokens=9)) as fake:
        spec = ServerSpec(runtime="openai", model="fake", base_url=fake.base_url)
        async with launch(spec, log=Path()) as server:
            parsed = parse(study, "s")
            await prove(server, parsed, asks=plan(parsed), settings="x")

    assert {call.path for call in fake.calls if call.method == "POST"} == {"/v1/completions"}


async def test_what_is_done_is_counted_up_to_all_of_it() -> None:
    study = parse(STUDY, "s")
    counted: list[tuple[int, int]] = []
    async with FakeServer(honest) as fake:
        spec = ServerSpec(runtime="openai", model="fake", base_url=fake.base_url)
        async with launch(spec, log=Path()) as server:
            await prove(
                server, study, asks=plan(study), settings="x", on_step=lambda done, of, _: counted.append((done, of))
            )

    done = [number for number, _ in counted]
    assert {of for _, of in counted} == {done[-1]}
    assert done == sorted(done)
    assert len(set(done)) > 0.8 * done[-1], "it goes up by single requests"


async def test_an_unknown_server_is_not_asked_about_thinking_that_nobody_set() -> None:
    assert (await tried(honest)).thinking_tokens == {}
    assert (await tried(honest, off=False)).thinking_tokens == {"on": 12, "off": 10, "unsaid": 10}


async def test_what_a_server_refuses_is_a_sentence_and_harmless() -> None:
    def scripted(body: Any, number: int) -> Reply:
        reply = honest(body, number)
        return replace(reply, status=400, error="no\x1b[2J such\nthing") if "<|im_start|>" in str(body) else reply

    found = await tried(scripted)

    assert set(found.tokens) == {"english", "code", "numbers", "scripts"}
    assert found.failures == ("Counting the tokens of a fixed text could not be done: HTTP 400: no[2J such thing",)
    assert all("\x1b" not in sentence and "\n" not in sentence for sentence in found.failures)


@pytest.mark.usefixtures("hasty")
async def test_a_connection_that_breaks_once_is_no_finding_and_a_broken_one_is_no_refusal() -> None:
    broken: set[str] = set()

    def once(body: Any, number: int) -> Reply:
        first = str(body) not in broken
        broken.add(str(body))
        return replace(honest(body, number), fault="refuse" if first else None)

    def always(body: Any, number: int) -> Reply:
        reply = honest(body, number)
        return replace(reply, fault="refuse") if reply.prompt_tokens > 150 else reply

    assert (await tried(once)).failures == ()
    found = await tried(always)
    assert found.lengths == ()
    assert any(sentence.startswith("A long prompt could not be done") for sentence in found.failures)


async def test_a_server_that_answers_nothing_is_an_error_with_its_cause() -> None:
    with pytest.raises(ServerError, match=r"does not answer\. .*TemplateSyntaxError.*chat template does not work"):
        await tried(Reply(status=400, error="TemplateSyntaxError: end"))


async def test_time_that_runs_out_leaves_the_rest_out_and_says_so() -> None:
    began = time.monotonic()

    found = await tried(lambda body, n: replace(honest(body, n), delay=0.8), seconds=3)

    assert time.monotonic() - began < 12
    assert found.tokens
    assert found.lengths == ()
    assert "Time ran out" in found.failures[-1]
    assert "long prompts" in found.failures[-1]


async def test_a_server_that_goes_away_is_an_error_for_the_user() -> None:
    study = parse(STUDY, "s")
    async with (
        FakeServer(honest) as fake,
        launch(ServerSpec(runtime="openai", model="fake", base_url=fake.base_url), log=Path()) as server,
    ):
        await fake.__aexit__()

        with pytest.raises(ServerError, match="stopped answering while it was checked"):
            await prove(server, study, asks=plan(study), settings="x")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param(("concurrency: 4", "concurrency: 2"), False, id="concurrency"),
        pytest.param(("shots: 0", "shots: 5"), False, id="shots"),
        pytest.param(("max_tokens: 500", "max_tokens: 600"), False, id="sampling"),
        pytest.param(("model: fake", "model: other"), False, id="model"),
        pytest.param(("name: a", "name: b"), True, id="name"),
        pytest.param(("questions: 5", "questions: 9"), True, id="questions"),
    ],
)
def test_only_what_matters_has_to_be_proved_anew(change: tuple[str, str], *, same: bool) -> None:
    before = STUDY + "concurrency: 4\n"
    after = before.replace(*change).replace("baseline: a", "baseline: b" if change[0] == "name: a" else "baseline: a")

    one, other = (settings_of(study, study.variants[0]) for study in (parse(before, "s"), parse(after, "s")))

    assert (one == other) is same


def test_proofs_are_kept_by_variant_and_what_changed_stays(tmp_path: Path) -> None:
    first = Proofs(settings="x", seconds=1, changed=("swapped",))

    keep_proofs(tmp_path, "a", first)
    keep_proofs(tmp_path, "b", Proofs(settings="y", seconds=1))
    keep_proofs(tmp_path, "a", Proofs(settings="x", seconds=2))

    assert read_proofs(tmp_path)["a"] == Proofs(settings="x", seconds=2, changed=("swapped",))
    assert set(read_proofs(tmp_path)) == {"a", "b"}


def test_damaged_proofs_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "proofs.json").write_text("{")

    with pytest.raises(StudyError, match=r"proofs\.json: not what whichquant wrote"):
        read_proofs(tmp_path)


def test_a_server_that_says_less_than_before_is_not_another() -> None:
    before = ServerFacts(runtime="openai", engine="e", model_id="m", context=4096)

    assert differences(before, replace(before, context=None)) == ()
    assert differences(before, replace(before, model_id="n")) == (
        "its model_id was m before the questions, and n after them",
    )


async def test_a_server_that_counts_the_same_for_every_prompt_counts_nothing() -> None:
    proofs = await tried(lambda body, number: replace(honest(body, number), prompt_tokens=100))

    assert proofs.tokens == {}
    assert {length.prompt_tokens for length in proofs.lengths} == {None}


async def test_draws_that_begin_with_one_formula_are_drawn_longer() -> None:
    def formal(body: Any, number: int) -> Reply:
        reply = honest(body, number)
        return replace(reply, text="Here is a thinking process.") if body["max_tokens"] < 100 else reply

    proofs = await tried(formal)

    assert proofs.hot is not None
    assert proofs.hot.different > 1


async def test_one_odd_thought_is_not_taken_for_the_rule() -> None:
    seen: list[str] = []

    def once(body: Any, number: int) -> Reply:
        asked = str(body["messages"][0]["content"])
        if asked in ANSWERS:
            seen.append(asked)
            return thinking(body, number) if len(set(seen)) == 1 else honest(body, number)
        return honest(body, number)

    proofs = await tried(once, off=False)

    assert proofs.thought is not None
    assert not proofs.thought.reasoned


def test_what_changed_while_questions_were_asked_stays_known(tmp_path: Path) -> None:
    first = Proofs(settings="x", seconds=1, changed=("its size was 1 before the questions, and 2 after them",))
    keep_proofs(tmp_path, "a", first)
    keep_proofs(tmp_path, "a", Proofs(settings="y", seconds=1, changed=("it replied as b later in the same check",)))
    keep_proofs(tmp_path, "a", Proofs(settings="z", seconds=1))

    assert read_proofs(tmp_path)["a"].changed == first.changed


def test_proofs_that_are_no_text_are_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "proofs.json").write_bytes(b"\xff\xfe{")

    with pytest.raises(StudyError, match="not what whichquant wrote"):
        read_proofs(tmp_path)


async def test_a_proxy_that_names_a_model_otherwise_in_streams_is_no_change() -> None:
    def script(body: Any, number: int) -> Reply:
        return replace(honest(body, number), extra={"model": "alias" if body.get("stream") else "its-own-name"})

    found = await tried(script)

    assert found.changed == ()
    assert found.model == "alias"

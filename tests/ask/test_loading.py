"""What llama-swap says while it loads a model is no thought and no first token; a thought is never dropped."""

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.ask import client
from evaluator.ask.bounds import bounds_of
from evaluator.ask.partial import Partial, take
from evaluator.checks.observed import share_that_thinks
from evaluator.grade.outline import outline
from evaluator.grade.thinking import split_thinking
from evaluator.loading import is_loading, without_loading
from evaluator.records import Answer, Key, Record
from servers.fake import FakeServer, Reply

RULE = "\u2501" * 5
SENT = (
    f"{RULE}\nllama-swap loading model: qwen:27b\n\nQueued behind 2 requests ...\nTeaching attention heads to focus "
    f".....\nDone! (19.83s)\n{RULE}\n \n"
)
"""As internal/router/loading.go sends it."""


@pytest.mark.parametrize(
    ("came", "thought"),
    [
        pytest.param(SENT, "", id="as-it-is-sent"),
        pytest.param(f"{SENT}Okay, the user asks.", "Okay, the user asks.", id="thoughts-after-it"),
        pytest.param(f"{SENT}{RULE}\nHm.", f"{RULE}\nHm.", id="thoughts-that-begin-with-a-rule"),
        pytest.param("llama-swap loading model: m\n... Done! (4.2s)\n", "", id="without-rules"),
        pytest.param(f"{RULE}\nllama-swap loading model: m\n\nDone! (0.00s)\n{RULE}\n \n", "", id="at-once"),
        pytest.param(f"{RULE}\nllama-swap loading model: m\n....", "", id="it-never-ended"),
        pytest.param("llama-swap loading model: m\n..\nHm, so.", "Hm, so.", id="thoughts-without-an-end-before-them"),
        pytest.param("I recall llama-swap loading model: m\nDone! (1s)", None, id="talked-about"),
        pytest.param("Llama-swap loading model: what is that?\nDone! (1s)", None, id="another-spelling"),
        pytest.param("loading model: m\nDone! (1s)\n", None, id="another-program"),
        pytest.param(f"{RULE}\nDone! (1s)\n{RULE}", None, id="an-end-without-a-beginning"),
        pytest.param("llama-swap loading model", None, id="no-name"),
    ],
)
def test_only_what_the_proxy_says_is_taken_out(came: str, thought: str | None) -> None:
    expected = came if thought is None else thought

    assert without_loading(came) == expected
    assert split_thinking("The answer is (C).", came).reasoning == expected
    answer = Answer(text="The answer is (C).", reasoning=came, duration_s=1)
    seen = outline(Record(key=Key("mmlu_pro", "1"), variant="a", started="", request={}, answer=answer))
    assert seen.reply is not None
    assert share_that_thinks([seen.reply]) == float(bool(expected.strip()))


@given(st.text())
def test_thoughts_without_its_words_are_left_alone(thoughts: str) -> None:
    assert without_loading(thoughts) == thoughts


@given(st.text(st.characters(exclude_characters=" \n\u2501", exclude_categories=["Z", "C"]), min_size=1))
def test_thoughts_after_it_are_left_alone(thoughts: str) -> None:
    assert without_loading(SENT + thoughts) == thoughts
    assert not is_loading(SENT + thoughts)


def test_every_beginning_of_it_is_loading() -> None:
    assert all(is_loading(SENT[:length]) for length in range(1, len(SENT) + 1))


@pytest.mark.parametrize(
    ("reasoning", "late"),
    [
        pytest.param(SENT, True, id="it-alone"),
        pytest.param(f"{SENT}Okay.", True, id="thoughts-after-it"),
        pytest.param(f"{SENT[1:]}", True, id="its-first-sign-lost"),
        pytest.param(f"Okay. {SENT}", False, id="thoughts-before-it"),
    ],
)
async def test_the_first_token_comes_after_it(reasoning: str, *, late: bool) -> None:
    reply = Reply(text="C", reasoning=reasoning, pause=0.01)
    async with FakeServer(reply) as fake, client.connect(fake.base_url, concurrency=1, silence=9) as http:
        body = {"model": "fake", "messages": [{"role": "user", "content": "?"}], "stream": True}
        answer = await client.ask_once(http, f"{fake.base_url}/chat/completions", body)

    assert isinstance(answer, Answer)
    assert answer.first_token_s is not None
    assert (answer.first_token_s > answer.duration_s / 2) is late


def test_a_load_that_never_ends_takes_linear_time() -> None:
    chunk = {"choices": [{"delta": {"reasoning_content": "."}}]}
    partial = Partial(started=0, streams=True, on_token=lambda: None, bounds=bounds_of(4096))
    began = time.process_time()

    take(partial, msgspec.json.encode({"choices": [{"delta": {"reasoning_content": SENT[:40]}}]}))
    for _ in range(60_000):
        assert take(partial, msgspec.json.encode(chunk)) is None

    assert time.process_time() - began < 10

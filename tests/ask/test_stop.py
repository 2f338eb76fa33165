"""A reply is ended here at texts that its server is not sent: mlx_lm.server would cut them out of the code."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.ask.bounds import bounds_of
from evaluator.ask.client import ask_once, connect, sent_stop
from evaluator.ask.partial import Partial, finish, take
from evaluator.records import Answer
from servers.fake import FakeServer, Reply
from servers.runtime.table import request
from servers.spec import Prompt, RuntimeName, Sampling, Server, ServerSpec

STOP = ("\nclass ", "\ndef ", "\nif ", "\nprint")
BODY = "    return 4\n"
ON = f"{BODY}\n\ndef five():\n    return 5\n\nprint(five())\n"


async def answered(reply: Reply, *, stream: bool = True, stop: tuple[str, ...] = STOP, **body: Any) -> Answer:
    async with FakeServer(reply) as fake, connect(fake.base_url, concurrency=1, silence=5) as http:
        asked = {"model": "m", "prompt": "def four():\n", "stream": stream, "max_tokens": 64, **body}
        outcome = await ask_once(http, f"{fake.base_url}/completions", asked, stop=stop)
    assert isinstance(outcome, Answer)
    return outcome


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("finish_reason", ["stop", "length"])
async def test_the_reply_ends_where_the_first_text_begins(finish_reason: str, *, stream: bool) -> None:
    answer = await answered(Reply(text=ON, finish_reason=finish_reason), stream=stream)

    assert (answer.text, answer.finish_reason) == (f"{BODY}\n", "stop")
    assert answer.completion_tokens is None, "the server counts what came behind as well, or not at all"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_reply_without_such_a_text_stays_as_it_is(*, stream: bool) -> None:
    answer = await answered(Reply(text=BODY, finish_reason="length"), stream=stream)

    assert (answer.text, answer.finish_reason) == (BODY, "length")
    assert stream or answer.completion_tokens is not None


async def test_what_the_server_was_sent_is_left_to_it() -> None:
    assert (await answered(Reply(text=ON), options={"stop": list(STOP)})).text == ON


@given(st.lists(st.integers(0, len(ON)), max_size=8), st.permutations(STOP))
def test_in_whatever_pieces_it_comes(cuts: list[int], stop: list[str]) -> None:
    edges = [0, *sorted(cuts), len(ON)]
    partial = Partial(started=0, streams=True, on_token=lambda: None, bounds=bounds_of(64), limit=64, stop=tuple(stop))
    for begin, end in pairwise(edges):
        if partial.ended:
            break
        piece = ON[begin:end].encode("unicode_escape").decode().replace('"', '\\"')
        assert take(partial, f'{{"choices": [{{"text": "{piece}", "finish_reason": null}}]}}'.encode()) is None

    outcome = finish(partial)
    assert isinstance(outcome, Answer)
    assert outcome.text == f"{BODY}\n"


@pytest.mark.parametrize(
    ("runtime", "sent"),
    [("mlx_lm", False), ("llama_server", True), ("omlx", True), ("ollama", True), ("vllm", True), ("openai", True)],
)
def test_who_is_sent_them(runtime: RuntimeName, *, sent: bool) -> None:
    server = Server(spec=ServerSpec(runtime=runtime, model="m"), base_url="http://h/v1", model="m", engine="x")

    body = request(server, Prompt(text="def f", stop=STOP), Sampling(), stream=True).body

    assert sent_stop(body) is sent

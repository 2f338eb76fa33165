"""One server, being tried: small requests in its own words, what they cost, and how they fail."""

import asyncio
from collections.abc import Callable, Iterable

from evaluator.ask import retry
from evaluator.ask.client import Http
from evaluator.ask.reply import OnToken
from evaluator.ask.traffic import Traffic
from evaluator.records import Answer, Failure
from evaluator.study.study import Study
from evaluator.text import shortened
from servers import process
from servers.errors import ServerError
from servers.launch import alive
from servers.runtime.table import request
from servers.spec import Prompt, Request, Sampling, Server

GREEDY = Sampling(temperature=0.0, max_tokens=24)
ONE = Sampling(temperature=0.0, max_tokens=1)
_ATTEMPTS = 2
"""A connection may break between a router and its models."""
SHOWN = 300
"""Characters of what a server says when it refuses."""


class Trial:
    """A server, the study's way of asking it, and what has gone wrong so far."""

    def __init__(self, server: Server, study: Study, http: Http, traffic: Traffic) -> None:
        self.server, self.study, self._http, self._traffic = server, study, http, traffic
        settings = study.benchmarks.chosen().values()
        self.chat = any(benchmark.format == "chat" for benchmark in settings)
        """Whether the study asks chats; where it asks both, chats are tried."""
        self.names: dict[bool, dict[str, None]] = {True: {}, False: {}}
        """By whether they were streamed: under which names the server replied, in order."""
        self.failures: list[str] = []
        self.on_request: Callable[[], None] = lambda: None
        """Called after each request."""

    def request_for(self, asked: str | Prompt, sampling: Sampling, *, stream: bool | None = None) -> Request:
        """Put a text, or a prompt, as the study puts its questions: streamed if these are, unless it is said."""
        if isinstance(asked, str):
            asked = Prompt(messages=({"role": "user", "content": asked},)) if self.chat else Prompt(text=asked)
        return request(self.server, asked, sampling, stream=self.study.stream if stream is None else stream)

    async def put(self, asked: Request, on_token: OnToken = lambda: None) -> Answer | Failure:
        """Send one request; once more where it failed in passing, and again for as long as the server asks to wait.

        Raises:
            ServerError: The server is gone.
        """
        async with self._traffic:
            outcome, _ = await retry.ask(
                self._http, asked.url, asked.body, self._traffic, attempts=_ATTEMPTS, on_token=on_token
            )
        if isinstance(outcome, Answer):
            if outcome.model:
                self.names[bool(asked.body.get("stream"))][outcome.model] = None
        elif not alive(self.server):
            server = self.server
            left = process.describe_end(server.pid or 0, server.log, server.log_start) if server.log else ""
            raise ServerError(f"The server died while it was checked{left}")
        elif outcome.kind == "unreachable":
            raise ServerError(f"The server at {self.server.base_url} stopped answering while it was checked.")
        self.on_request()
        return outcome

    async def ask(
        self, asked: str | Prompt, sampling: Sampling, what: str, *, stream: bool | None = None
    ) -> Answer | None:
        """Ask one thing; None where no answer came, which is noted in words: `what` could not be done."""
        outcome = await self.put(self.request_for(asked, sampling, stream=stream))
        if isinstance(outcome, Answer):
            return outcome
        self.fail(what, outcome)
        return None

    async def ask_all(
        self, asked: Iterable[tuple[str | Prompt, Sampling]], what: str, *, stream: bool | None = None
    ) -> list[Answer | None]:
        """Ask several things, as many at once as the study does; answers come in the order of the questions."""
        places = asyncio.Semaphore(self.study.tried_at_once)

        async def one(put: str | Prompt, sampling: Sampling) -> Answer | None:
            async with places:
                return await self.ask(put, sampling, what, stream=stream)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(put, sampling)) for put, sampling in asked]
        except* ServerError as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    def fail(self, what: str, failure: Failure) -> None:
        """Note what could not be done, once."""
        sentence = f"{what} could not be done: {shortened(failure.message, SHOWN)}"
        if sentence not in self.failures:
            self.failures.append(sentence)


def all_text(answer: Answer) -> str:
    """Give all that came, thoughts included: of a thinking model the first tokens are thoughts."""
    return f"{answer.reasoning}\n{answer.text}".strip()

"""How servers are asked for the probabilities of a given text's tokens, one class for each way that some server knows.

llama-server tells probabilities of what it generates only: it is asked for one token after each beginning of the text,
which its prompt cache makes cheap. vLLM tells those of a prompt's own tokens, a window in one request. Others that know
OpenAI's old `echo` do so too, but name tokens by their texts alone.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evaluator.ask.client import Http
from evaluator.ask.plain import ask_json
from evaluator.fidelity.bound import Listed
from evaluator.records import Failure
from evaluator.text import shortened
from servers.errors import ServerError
from servers.http import HttpReply, root
from servers.spec import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORCED = 1000
"""Added to a token's logit so that it is written whatever the model says."""
_SHOWN = 200
"""Characters of what a server says."""


class Way(Protocol):
    """One way to ask."""

    likeliest: int
    """How many tokens are asked for at each place."""
    whole_windows: bool
    """Whether one request gives all places of a window; else it gives one."""
    in_words: str
    """What is asked, for the report."""

    async def lists(self, ids: Sequence[int], places: Sequence[int], *, temperature: float = 0) -> list[Listed]:
        """Give what the server lists after the first `place + 1` tokens, for each place; the temperature is to be moot.

        Raises:
            ServerError: It lists nothing, or does not answer.
        """

    async def greedy(self, ids: Sequence[int]) -> int | None:
        """Give the token that the server writes next at temperature 0; None where that cannot be told."""

    async def tokens_of(self, text: str) -> list[int] | None:
        """Give the tokens that the server makes of a text, special ones at its beginning included; None: it cannot."""


class _Asked:
    """A server, and what it was asked."""

    def __init__(self, server: Server, http: Http) -> None:
        self._server, self._http = server, http
        self._root = root(server.base_url)

    async def post(self, url: str, body: "Mapping[str, Any]") -> HttpReply:
        """Ask, and ask again after a failure that may pass.

        Raises:
            ServerError: It does not answer, or refuses.
        """
        outcome = await ask_json(self._http, url, {"model": self._server.model, **body})
        if isinstance(outcome, Failure):
            raise no_answer(self._server, outcome)
        return outcome

    async def tokens_at(self, path: str, body: "Mapping[str, Any]") -> list[int] | None:
        """Give the `tokens` that a page of the server answers with; None where it has no such page."""
        outcome = await ask_json(self._http, self._root + path, {"model": self._server.model, **body})
        return None if isinstance(outcome, Failure) else _numbers(outcome.get("tokens"))

    def lists_nothing(self) -> ServerError:
        """Say that no probabilities come."""
        return ServerError(
            f"{self._server.engine} returns no log-probabilities of a given text's tokens",
            remedy="measure this build from its file, or behind llama-server or vLLM.",
        )


class OneByOne(_Asked):
    """llama-server's `/completion`: one token is generated after each beginning, and the likeliest are listed."""

    likeliest = 100
    whole_windows = False
    in_words = "/completion, one request a token"

    async def lists(self, ids: Sequence[int], places: Sequence[int], *, temperature: float = 0) -> list[Listed]:
        """See `Way`; a place is one request, whose beginning is in the server's cache from the place before.

        The first is evaluated whole: what the cache holds from before would change the numbers a little.
        """
        ends = (*ids, None)
        found = []
        for number, place in enumerate(places):
            reply = await self.listing(ids[: place + 1], cache=number > 0, temperature=temperature)
            found.append(self._list(reply, place + 1, ends[place + 1]))
        return found

    async def greedy(self, ids: Sequence[int]) -> int | None:
        """See `Way`."""
        token = (await self.next_token(ids)).get("tokens", 0)
        return token if isinstance(token, int) else None

    async def tokens_of(self, text: str) -> list[int] | None:
        """See `Way`."""
        return await self.tokens_at("/tokenize", {"content": text, "add_special": True, "parse_special": False})

    async def next_token(self, ids: Sequence[int], *, cache: bool = True, **more: Any) -> HttpReply:  # noqa: ANN401 - JSON
        """Have one token written after these, at temperature 0 if nothing else is said.

        Raises:
            ServerError: It does not answer, or refuses.
        """
        body = {
            "prompt": list(ids),
            "n_predict": 1,
            "temperature": 0,
            "cache_prompt": cache,
            "return_tokens": True,
            **more,
        }
        return await self.post(f"{self._root}/completion", body)

    async def listing(self, ids: Sequence[int], *, cache: bool = True, temperature: float = 0) -> HttpReply:
        """Have the likeliest tokens after these listed.

        llama-server lists nothing beside a token that is only a part of a character (seen of b11549), so another one is
        then forced upon it: the lists are of what the model said before.

        Raises:
            ServerError: It does not answer, or refuses.
        """
        reply = await self.next_token(ids, cache=cache, n_probs=self.likeliest, temperature=temperature)
        if reply.get("completion_probabilities", 0) is not None:
            return reply
        letters = await self.tokens_at("/tokenize", {"content": "a", "add_special": False})
        forced = [[letters[-1], _FORCED]] if letters else []
        return await self.next_token(ids, n_probs=self.likeliest, temperature=temperature, logit_bias=forced)

    def _list(self, reply: HttpReply, sent: int, there: int | None) -> Listed:
        read = reply.get("tokens_evaluated")
        if isinstance(read, int) and read != sent:
            raise other_tokens(self._server, f"it reads {read} tokens where {sent} were sent")
        entries = reply.objects("completion_probabilities", 0, "top_logprobs")
        if not entries:
            post_sampling = reply.get("completion_probabilities", 0, "top_probs") is not None
            raise after_sampling(self._server) if post_sampling else self.lists_nothing()
        return listed([(each.get("id"), each.get("logprob")) for each in entries], there)


class PromptLogprobs(_Asked):
    """vLLM's `prompt_logprobs`, keyed by the tokens' ids; the token that is there is always among them."""

    likeliest = 20
    """As many as vLLM allows unless it is told otherwise (`--max-logprobs`)."""
    whole_windows = True
    in_words = "prompt_logprobs"

    async def lists(self, ids: Sequence[int], places: Sequence[int], *, temperature: float = 0) -> list[Listed]:
        """See `Way`."""
        body = {"prompt": list(ids), "max_tokens": 1, "temperature": temperature, "prompt_logprobs": self.likeliest}
        reply = await self.post(f"{self._server.base_url}/completions", body)
        entries = reply.get("choices", 0, "prompt_logprobs")
        if not isinstance(entries, list) or not any(entries):
            raise self.lists_nothing()
        if len(entries) != len(ids):
            raise other_tokens(self._server, f"it lists {len(entries)} tokens where {len(ids)} were sent")
        return [self._list(entries[place + 1], ids[place + 1]) for place in places]

    async def greedy(self, ids: Sequence[int]) -> int | None:
        """See `Way`."""
        body = {"prompt": list(ids), "max_tokens": 1, "temperature": 0, "return_token_ids": True}
        token = (await self.post(f"{self._server.base_url}/completions", body)).get("choices", 0, "token_ids", 0)
        return token if isinstance(token, int) else None

    async def tokens_of(self, text: str) -> list[int] | None:
        """See `Way`."""
        return await self.tokens_at("/tokenize", {"prompt": text})

    def _list(self, entry: object, there: int) -> Listed:
        pairs = entry.items() if isinstance(entry, dict) else ()
        return listed([(_number(name), HttpReply(200, what).get("logprob")) for name, what in pairs], there)


class Echo(_Asked):
    """OpenAI's old `echo` with `logprobs`: lists by the tokens' texts, of which only those count that one token has."""

    likeliest = 5
    """As many as OpenAI's API allows."""
    whole_windows = True
    in_words = "echo with logprobs"

    def __init__(self, server: Server, http: Http, texts: Sequence[str]) -> None:
        """Take the texts of the vocabulary's tokens, by id; empty where they are not known."""
        super().__init__(server, http)
        self._texts, often = texts, Counter(texts)
        self._ids = {text: number for number, text in enumerate(texts) if text and often[text] == 1}

    async def lists(self, ids: Sequence[int], places: Sequence[int], *, temperature: float = 0) -> list[Listed]:
        """See `Way`."""
        body = {"prompt": list(ids), "max_tokens": 1, "temperature": temperature, "logprobs": self.likeliest}
        reply = await self.post(f"{self._server.base_url}/completions", {**body, "echo": True})
        logprobs = HttpReply(200, reply.get("choices", 0, "logprobs"))
        texts, tops = logprobs.get("tokens"), logprobs.get("top_logprobs")
        if not isinstance(texts, list) or not isinstance(tops, list) or len(texts) <= 1:
            raise self.lists_nothing()
        if len(texts) - 1 != len(ids):  # the last one is generated
            raise other_tokens(self._server, f"it lists {len(texts) - 1} tokens where {len(ids)} were sent")
        self._refuse_other_texts(ids[1:], texts[1:-1])
        return [self._list(logprobs, place + 1, ids[place + 1]) for place in places]

    async def greedy(self, ids: Sequence[int]) -> int | None:
        """See `Way`."""
        body = {"prompt": list(ids), "max_tokens": 1, "temperature": 0}
        text = (await self.post(f"{self._server.base_url}/completions", body)).get("choices", 0, "text")
        return self._ids.get(text) if isinstance(text, str) else None

    async def tokens_of(self, text: str) -> list[int] | None:
        """See `Way`: the texts of the tokens are compared instead, in every reply."""
        del text
        return None

    def _list(self, logprobs: HttpReply, place: int, there: int) -> Listed:
        known, top = logprobs.get("token_logprobs", place), logprobs.get("top_logprobs", place)
        known = known if isinstance(known, float) else None
        values = {text: value for text, value in top.items() if _is_number(value)} if isinstance(top, dict) else {}
        if not values or not self._is_complete(list(values.values()), known):
            return Listed(np.array([], dtype=np.int64), np.array([]), known, holds_top=False)
        found = listed([(self._ids.get(text), value) for text, value in values.items()], there)
        return found._replace(there=known, holds_top=max(values, key=values.__getitem__) in self._ids)

    def _is_complete(self, values: list[float], there: float | None) -> bool:
        """Whether no two tokens of one text can stand there as one: what of it is whose could not be told."""
        beside = there is not None and there <= min(values)  # listed as well where it is none of the likeliest
        return len(values) >= self.likeliest + beside

    def _refuse_other_texts(self, ids: Sequence[int], texts: Sequence[object]) -> None:
        if not self._texts:
            raise ServerError(
                f"{self._server.engine} names tokens by their texts alone, and those of the reference are not known",
                remedy="take a GGUF file as the reference.",
            )
        for number, text in zip(ids, texts, strict=True):
            ours = self._texts[number] if number < len(self._texts) else ""
            if isinstance(text, str) and "\ufffd" not in text + ours and text.strip() != ours.strip():
                said = f'token {number} is "{shortened(text, 40)}" there and "{shortened(ours, 40)}" in the reference'
                raise other_tokens(self._server, said)


def listed(pairs: Sequence[tuple[object, object]], there: int | None = None) -> Listed:
    """Take the tokens and logarithms that are such."""
    known = {number: float(str(value)) for number, value in pairs if isinstance(number, int) and _is_number(value)}
    ids, values = np.array(list(known), dtype=np.int64), np.array(list(known.values()))
    return Listed(ids, values, None if there is None else known.get(there), holds_top=bool(known))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(name: object) -> int | None:
    return int(name) if isinstance(name, str) and name.isascii() and name.isdigit() and len(name) < 10 else None


def _numbers(value: object) -> list[int] | None:
    return value if isinstance(value, list) and all(type(each) is int for each in value) else None


def no_answer(server: Server, failure: Failure) -> ServerError:
    """Say that a server does not answer when it is asked for probabilities."""
    return ServerError(
        f"{server.engine} does not answer when it is asked for log-probabilities: {shortened(failure.message, _SHOWN)}"
    )


def other_tokens(server: Server, found: str) -> ServerError:
    """Say that a server has other tokens than the reference."""
    return ServerError(
        f"{server.engine} makes other tokens of the text than the reference: {found}",
        remedy="compare builds that were converted with the same tokenizer.",
    )


def after_sampling(server: Server) -> ServerError:
    """Say that a server tells probabilities as they are after sampling."""
    return ServerError(
        f"{server.engine} returns log-probabilities after sampling: they change with the temperature",
        remedy="have it return those of the model itself (vLLM: --logprobs-mode raw_logprobs).",
    )

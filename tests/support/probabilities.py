"""A small language model made of a hash, and servers that tell its probabilities in several ways, or wrongly."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from servers.fake import Answer, Call, FakeServer, Reply
from servers.fake.spec import Dialect, Page, State
from servers.spec import RuntimeName, Server, ServerSpec

WORDS = ("<s>", *(f" w{i}" for i in range(1, 40)))
"""The vocabulary: word i is token i."""
Lie = Literal["", "none", "other lists", "after sampling", "other tokens", "fewer tokens", "logits", "no parts"]


class WordModel(NamedTuple):
    """Logits of the next word, from the last two words."""

    seed: str = "plain"
    noise: float = 0.0
    """How much of another model is mixed in, as quantization would."""
    words: Sequence[str] = WORDS

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        last = [int(number) for number in ids[-2:]]
        return self._drawn(f"{self.seed} {last}") + np.float32(self.noise) * self._drawn(f"noise {last}")

    def logprobs(self, ids: Sequence[int], temperature: float = 1) -> NDArray[np.float64]:
        logits = self.logits(ids).astype(np.float64) / temperature
        return np.asarray(logits - np.logaddexp.reduce(logits))

    def rows(self, ids: NDArray[np.int32], first: int) -> list[NDArray[np.float32]]:
        """Give the logits of all scored tokens, window by window, as a process that reads the weights does."""
        return [self.logits(window[: p + 1]) for window in ids for p in range(first, len(window) - 1)]

    def _drawn(self, what: str) -> NDArray[np.float32]:
        seed = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8])
        return np.random.default_rng(seed).normal(0, 2, len(self.words)).astype(np.float32)


def listing(model: WordModel, temperature: float, ids: Sequence[int], count: int, lie: Lie) -> list[tuple[int, float]]:
    """List the likeliest tokens after these, the likeliest first, with the logarithms of their probabilities."""
    told = WordModel("another") if lie == "other lists" else model
    used = max(temperature, 0.1) if lie == "after sampling" else 1
    values = told.logits(ids) if lie == "logits" else told.logprobs(ids, used)
    return [(int(i), float(values[i])) for i in np.argsort(-values)[:count]]


def greedy(model: WordModel, ids: Sequence[int]) -> int:
    return int(np.argmax(model.logits(ids)))


def llama_server(model: WordModel, lie: Lie = "") -> dict[str, Page]:
    """Answer as llama-server does: one token after a beginning, with the likeliest."""

    def completion(_state: State, call: Call) -> dict[str, Any]:
        ids, count = call.body["prompt"], call.body.get("n_probs", 0)
        written = greedy(model, ids)
        told: dict[str, Any] = {"tokens": [written], "tokens_evaluated": len(ids) + (lie == "fewer tokens")}
        is_part = lie == "no parts" and written % 3 == 0 and not call.body.get("logit_bias")
        if count and lie != "none" and not is_part:
            entries = [
                {"id": i, "token": model.words[i], "logprob": v}
                for i, v in listing(model, call.body["temperature"], ids, count, lie)
            ]
            told["completion_probabilities"] = [{"id": written, "top_logprobs": list(reversed(entries))}]
        return told

    return {
        "POST /completion": completion,
        "POST /tokenize": _tokenized(model, "content", lie),
        "POST /detokenize": lambda _state, call: {"content": "".join(model.words[i] for i in call.body["tokens"])},
        "POST /apply-template": lambda _state, call: {"prompt": "".join(m["content"] for m in call.body["messages"])},
    }


def post_sampling(model: WordModel) -> dict[str, Page]:
    """Answer as llama-server does that was told to show probabilities after sampling."""

    def completion(_state: State, call: Call) -> dict[str, Any]:
        entry = {"prob": 1.0, "top_probs": [{"id": greedy(model, call.body["prompt"]), "prob": 1.0}]}
        return {"tokens": [1], "completion_probabilities": [entry]}

    return {"POST /completion": completion}


def vllm(model: WordModel, lie: Lie = "") -> dict[str, Page]:
    """Answer as vLLM does: a list for each token of the prompt, keyed by ids, the token that is there included."""

    def completions(_state: State, call: Call) -> dict[str, Any]:
        ids = call.body["prompt"]
        choice: dict[str, Any] = {"text": model.words[greedy(model, ids)], "token_ids": [greedy(model, ids)]}
        if (count := call.body.get("prompt_logprobs")) is not None and lie != "none":
            lists: list[Any] = [None, *_keyed(model, call.body, ids, count, lie)]
            choice["prompt_logprobs"] = lists[: len(lists) - (lie == "fewer tokens")]
        return {"choices": [choice]}

    return {"POST /v1/completions": completions, "POST /tokenize": _tokenized(model, "prompt", lie)}


def _keyed(model: WordModel, body: Any, ids: Sequence[int], count: int, lie: Lie) -> list[dict[str, Any]]:
    """List the likeliest at each place but the first, by their ids, with the token that is there."""
    keyed = []
    for at in range(1, len(ids)):
        values = dict(listing(model, body["temperature"], ids[:at], len(model.words), lie))
        entries = dict.fromkeys((ids[at], *list(values)[:count]))
        keyed.append({str(i): {"logprob": values[i], "decoded_token": model.words[i]} for i in entries})
    return keyed


def echoing(model: WordModel, lie: Lie = "") -> dict[str, Page]:
    """Answer as servers do that know OpenAI's `echo`: lists by the tokens' texts, of which equal ones fall together."""

    def completions(_state: State, call: Call) -> dict[str, Any]:
        ids = call.body["prompt"]
        every = [*ids, greedy(model, ids)]
        shown = every if call.body.get("echo") and lie != "none" else every[-1:]
        if lie == "fewer tokens":
            shown = shown[1:]
        choice: dict[str, Any] = {"text": model.words[every[-1]]}
        if (count := call.body.get("logprobs")) is not None:
            keyed = _keyed(model, call.body, every, count, lie)
            words = ["!" if lie == "other tokens" else model.words[i] for i in shown]
            lists = [None, *({model.words[int(i)]: e["logprob"] for i, e in each.items()} for each in keyed)]
            there = [None, *(each[str(i)]["logprob"] for each, i in zip(keyed, every[1:], strict=True))]
            choice["logprobs"] = {"tokens": words, "top_logprobs": lists, "token_logprobs": there}
        return {"choices": [choice]}

    return {"POST /v1/completions": completions}


def _tokenized(model: WordModel, key: str, lie: Lie) -> Page:
    def tokenize(_state: State, call: Call) -> Any:
        known = {word.strip(): i for i, word in enumerate(model.words)}
        ids = [0, *(known.get(word, 1) for word in call.body[key].split())]
        return {"tokens": [*ids[:7], 1, *ids[7:]] if lie == "other tokens" else ids}

    return tokenize


def broken(_model: WordModel, _lie: Lie = "") -> dict[str, Page]:
    """Answer as a server does that takes no tokens for a prompt."""
    return {"POST /v1/completions": lambda _state, _call: Answer(400, {"error": {"message": "prompt must be a text"}})}


def serving(pages: dict[str, Page]) -> FakeServer:
    return FakeServer(Reply(), dialect=Dialect(name="probabilities", pages=pages))


def attached(fake: FakeServer, runtime: RuntimeName) -> Server:
    spec = ServerSpec(runtime=runtime, model="fake", base_url=fake.base_url)
    return Server(spec=spec, base_url=fake.base_url, model="fake", engine=f"the {runtime}")


Pages = Callable[[WordModel, Lie], dict[str, Page]]

"""Put a prompt into the words of one server: path and JSON body."""

import os
from typing import Any

from servers.spec import Prompt, Sampling, Server, ServerError, ServerSpec


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool) -> tuple[str, dict[str, Any]]:
    """Return the path below `base_url` and the body to post there.

    llama_server and mlx_lm draw from defaults of their own where a request is silent (top-k 40 in the
    one, none in the other), so all that shapes the draw is said to them. Of an unknown server
    nobody knows which keys it takes, so only what the study sets is sent.
    """
    spec = server.spec
    body: dict[str, Any] = {"model": server.model, **_prompt(prompt), **_sampling(spec, sampling)}
    if prompt.stop:
        body["stop"] = list(prompt.stop)
    if prompt.chat and spec.thinking is not None:
        body["chat_template_kwargs"] = {"enable_thinking": spec.thinking}
    body["stream"] = stream
    if stream:
        body["stream_options"] = {"include_usage": True}
    return ("/chat/completions" if prompt.chat else "/completions"), body


def headers(spec: ServerSpec) -> dict[str, str]:
    """Return the headers that carry the key; none when the study names no variable or it is empty.

    Raises:
        ServerError: What the variable holds can be no key.
    """
    # A key that was read from a file brings the end of its line along.
    key = os.environ.get(spec.api_key_env, "").strip() if spec.api_key_env else ""
    if not (key.isascii() and key.isprintable()):
        raise ServerError(
            f"The key in the environment variable {spec.api_key_env} cannot be sent: "
            "it holds characters other than printable ASCII, so copy it again."
        )
    return {"Authorization": f"Bearer {key}"} if key else {}


def _prompt(prompt: Prompt) -> dict[str, Any]:
    return {"messages": list(prompt.messages)} if prompt.chat else {"prompt": prompt.text}


def _sampling(spec: ServerSpec, sampling: Sampling) -> dict[str, Any]:
    sent = {
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "seed": sampling.seed,
    }
    if spec.runtime != "openai":
        neutral = {"top_p": 1.0, "top_k": 0, "min_p": 0.0}
        sent.update({name: value for name, value in neutral.items() if sent[name] is None})
    if spec.runtime == "mlx_lm" and spec.slots > 1:
        # mlx_lm.server takes a request with a seed out of the batch: all would wait in line.
        sent["seed"] = None
    return {name: value for name, value in sent.items() if value is not None}

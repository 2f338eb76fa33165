"""vLLM, started by the user with `vllm serve`.

Names and meanings of fields: vLLM's chat_completion/protocol.py, models/serving.py and sampling_params.py.
"""

import secrets

from servers.http import fetch, root
from servers.request import headers, openai_request, sampling_values, template_switch
from servers.runtime.llama_props import entry
from servers.spec import ANY, Prompt, Request, Reuse, Sampling, Server, ServerFacts, ServerSpec

_LEAST_TEMPERATURE = 0.01


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool, reuse: Reuse = ANY) -> Request:
    """Put a prompt into vLLM's format.

    Every sampling value is sent: one that is not comes from the model's own generation_config.json.
    """
    # For all tokens to be drawn from, older versions refuse 0, and newer ones take 0 and -1.
    top_k = {"top_k": sampling.top_k or -1}
    plain = {"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    # Nothing is shared with a prompt of another salt, and it is no part of the prompt.
    salt = {"cache_salt": secrets.token_hex(16)} if reuse.cache is False else {}
    more = {**sampling_values(sampling), **top_k, **plain, **template_switch(server.spec, prompt), **salt}
    return openai_request(server, prompt, stream=stream, more=more)


def unsent(spec: ServerSpec, sampling: Sampling) -> tuple[str, ...]:
    """Name a temperature that vLLM raises."""
    del spec
    if sampling.temperature is None or not 0 < sampling.temperature < _LEAST_TEMPERATURE:
        return ()
    return (f"temperature {sampling.temperature:g} is sent, but vLLM raises what is above 0 to {_LEAST_TEMPERATURE}",)


async def facts(server: Server) -> ServerFacts:
    """Read /version and /v1/models; vLLM reports nothing of its KV cache, slots and weights."""
    spec, listed = server.spec, await entry(server)
    context = listed.number("max_model_len")
    short = spec.context is not None and context is not None and context < spec.context
    return ServerFacts(
        runtime=spec.runtime,
        engine=server.engine,
        version=(await fetch(f"{root(server.base_url)}/version", headers=headers(spec))).text("version"),
        model_id=listed.text("id"),
        model_path=listed.text("root"),  # or the hub's name, as it was given to `vllm serve`
        context=context,
        unmet=(f"vLLM gives this model {context} tokens of context, not {spec.context} (--max-model-len)",)
        if short
        else (),
    )

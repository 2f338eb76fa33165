"""vLLM, started by the user with `vllm serve`.

Names and meanings of fields: vLLM's chat_completion/protocol.py, models/serving.py and sampling_params.py.
"""

from servers.ask import NOTHING, Heard, ask, root
from servers.request import drawn, headers, openai_request, template_switch
from servers.spec import Prompt, Request, Sampling, Server, ServerFacts, ServerSpec

_LEAST_TEMPERATURE = 0.01


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool) -> Request:
    """Put a prompt into vLLM's words.

    All that shapes the draw is said: what is not comes from the model's own generation_config.json.
    """
    # For all tokens to be drawn from, older versions refuse 0, and newer ones take 0 and -1.
    top_k = {"top_k": sampling.top_k or -1}
    plain = {"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    more = {**drawn(sampling), **top_k, **plain, **template_switch(server.spec, prompt)}
    return openai_request(server, prompt, stream=stream, more=more)


def unsent(spec: ServerSpec, sampling: Sampling) -> tuple[str, ...]:
    """Name what only vLLM's own start decides, and a temperature that it raises."""
    sentences = []
    if spec.kv_cache is not None:
        sentences.append(
            f"kv_cache {spec.kv_cache} is not sent: vLLM takes one of its own types at its start (--kv-cache-dtype)"
        )
    if 0 < sampling.temperature < _LEAST_TEMPERATURE:
        sentences.append(
            f"temperature {sampling.temperature:g} is sent, but vLLM raises what is above 0 to {_LEAST_TEMPERATURE}"
        )
    return tuple(sentences)


async def facts(server: Server) -> ServerFacts:
    """Read /version and /v1/models; of its KV cache, slots and weights vLLM says nothing."""
    spec, key = server.spec, headers(server.spec)
    listed = (await ask(f"{server.base_url}/models", headers=key)).get("data")
    models = [Heard(200, model) for model in listed] if isinstance(listed, list) else []
    mine = next((model for model in models if model.get("id") == server.model), NOTHING)
    context = mine.number("max_model_len")
    short = spec.context is not None and context is not None and context < spec.context
    return ServerFacts(
        runtime=spec.runtime,
        engine=server.engine,
        version=(await ask(f"{root(server.base_url)}/version", headers=key)).text("version"),
        model_id=mine.text("id"),
        model_path=mine.text("root"),  # or the hub's name, as it was given to `vllm serve`
        context=context,
        unmet=(f"vLLM gives this model {context} tokens of context, not {spec.context} (--max-model-len)",)
        if short
        else (),
    )

"""Ask llama-servers how sure they were where answers part: the prompt and what both answered is put to them again."""

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from evaluator.ask.client import Http, connect
from evaluator.ask.plain import ask_json
from evaluator.fidelity.parting import Flip, Likely, Parting, first_difference
from evaluator.fidelity.ways import OneByOne
from evaluator.text import shortened
from servers.errors import ServerError
from servers.http import HttpReply, root
from servers.request import headers
from servers.spec import Server

_SILENCE_S = 300.0
_SHOWN = 24


class Asked(Struct, frozen=True, kw_only=True):
    """A flip with its tokens, as the reference's server has them."""

    flip: Flip
    prompt: tuple[int, ...]
    common: tuple[int, ...]
    """The tokens that both answers begin with."""
    theirs: int | None
    """The reference's next token; None where its answer ends."""
    ours: int | None
    """The build's."""
    parting: Parting
    """As far as it is known yet."""


async def ask_reference(server: Server, flips: Sequence[Flip]) -> list[Asked]:
    """Find the tokens at which answers part, and ask the reference's server how likely they were.

    Left out is what cannot be put again as it was: where the server's template, or its tokens, are others now.
    """
    async with connect(server.base_url, concurrency=1, silence=_SILENCE_S, headers=headers(server.spec)) as http:
        found = [await _of_reference(server, http, flip) for flip in flips]
    return [each for each in found if each is not None]


async def ask_build(server: Server, asked: Sequence[Asked]) -> list[Parting]:
    """Ask the build's server for the same tokens; where it makes others of the prompt, its view stays unknown."""
    found: list[Parting] = []
    async with connect(server.base_url, concurrency=1, silence=_SILENCE_S, headers=headers(server.spec)) as http:
        for each in asked:
            prompt = await _prompt(server, http, each.flip.request)
            ids = None if prompt is None else await _tokens(server, http, prompt)
            seen = await _seen(server, http, each) if ids == list(each.prompt) else None
            found.append(replace(each.parting, by_build=seen))
    return found


async def _of_reference(server: Server, http: Http, flip: Flip) -> Asked | None:
    if flip.theirs is None or flip.ours is None:
        return None
    prompt = await _prompt(server, http, flip.request)
    texts = ("", flip.theirs, flip.ours)
    ids = [] if prompt is None else [await _tokens(server, http, prompt + text) for text in texts]
    if len(ids) < len(texts) or None in ids:
        return None
    before, theirs, ours = (each or [] for each in ids)
    begin = len(before)
    if flip.prompt_tokens not in (None, begin) or not theirs[:begin] == ours[:begin] == before:
        return None
    theirs, ours = theirs[begin:], ours[begin:]
    same = first_difference(theirs, ours)
    sides = [side[same] if same < len(side) else None for side in (theirs, ours)]
    if sides[0] == sides[1]:
        return None
    key, nothing = flip.key, Likely(None, None, 0.0)
    parting = Parting(
        benchmark=key.benchmark,
        question=key.question_id,
        repeat=key.repeat,
        build=flip.build,
        reference=flip.reference,
        token=same,
        theirs=await _text(server, http, sides[0]),
        ours=await _text(server, http, sides[1]),
        by_reference=nothing,
    )
    common = tuple(theirs[:same])
    asked = Asked(flip=flip, prompt=tuple(before), common=common, theirs=sides[0], ours=sides[1], parting=parting)
    seen = await _seen(server, http, asked)
    return None if seen is None else replace(asked, parting=replace(parting, by_reference=seen))


async def _seen(server: Server, http: Http, asked: Asked) -> Likely | None:
    """Give what a server lists of the two tokens; None where it lists nothing."""
    try:
        reply = await OneByOne(server, http).listing([*asked.prompt, *asked.common])
    except ServerError:
        return None
    entries = reply.objects("completion_probabilities", 0, "top_logprobs")
    listed = [(each.get("id"), each.get("token"), each.get("logprob")) for each in entries]
    likely = [(number, text, exp(min(0.0, value))) for number, text, value in listed if isinstance(value, float)]
    if not likely:
        return None
    theirs, ours = (_probability(likely, number) for number in (asked.theirs, asked.ours))
    return Likely(theirs, ours, min(probability for *_, probability in likely))


def _probability(likely: Sequence[tuple[object, object, float]], number: int | None) -> float | None:
    """Look a token up; what ends an answer are all that have no text."""
    found = [value for token, text, value in likely if (token == number if number is not None else text == "")]
    return min(1.0, sum(found)) if found else None


async def _prompt(server: Server, http: Http, request: Mapping[str, Any]) -> str | None:
    """Write the prompt as the server's template does."""
    if isinstance(text := request.get("prompt"), str):
        return text
    names = ("messages", "chat_template_kwargs")
    body = {name: request[name] for name in names if name in request}
    reply = await ask_json(http, f"{root(server.base_url)}/apply-template", {"model": server.model, **body})
    return reply.text("prompt") if isinstance(reply, HttpReply) else None


async def _tokens(server: Server, http: Http, text: str) -> list[int] | None:
    body = {"content": text, "add_special": True, "parse_special": True}
    return await OneByOne(server, http).tokens_at("/tokenize", body)


async def _text(server: Server, http: Http, number: int | None) -> str:
    if number is None:
        return ""
    body = {"model": server.model, "tokens": [number]}
    reply = await ask_json(http, f"{root(server.base_url)}/detokenize", body)
    written = reply.text("content") if isinstance(reply, HttpReply) else None
    return shortened(written.replace("\n", "\\n"), _SHOWN) if written else f"token {number}"

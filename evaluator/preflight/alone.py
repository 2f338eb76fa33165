"""How fast one request alone is answered: a few short ones, measured while the server has nothing else to do."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import isfinite
from statistics import median
from typing import Any, NamedTuple

from evaluator.ask import client
from evaluator.ask.traffic import Traffic
from evaluator.preflight.prompts import ALONE, ALONE_TASK, MORE_CODEWORDS
from evaluator.preflight.trial import Trial
from evaluator.records import Alone, Answer
from evaluator.study.study import Study
from servers.errors import ServerError
from servers.request import headers
from servers.spec import Sampling, Server, ServerFacts

SECONDS = 120.0
"""For all of it; where not even the first request is answered by then, nothing is known."""
_ENOUGH_S = 15.0
"""A request that takes longer is not put again: it is long enough to be sure of."""
TIMES = 3
"""How often, where there is time."""
_TOKENS = 64
_LEAST_TOKENS = 8
"""Of fewer no speed is taken."""
_PARTS = 12
"""Of the prompt, about 25 tokens each."""
_TOKENS_A_PART = 40
"""At most, so that it fits."""
_CACHED = 0.1
"""Of a prompt, what may come from a cache, such as the beginning that a chat template writes."""


class _Stretch(NamedTuple):
    """What one request showed."""

    prompt_tokens: int | None
    prompt_speed: float | None
    tokens: int | None
    speed: float | None
    first_token_s: float | None
    by_server: bool


async def measure_alone(
    server: Server, study: Study, facts: ServerFacts, *, times: int = TIMES, seconds: float = SECONDS
) -> Alone | None:
    """Measure how fast a server answers one request alone, at temperature 0; None where it cannot be measured.

    Each prompt begins with words of its own, so that no cache has it. Speeds are the server's own figures where it has
    some, else they follow from when its tokens arrived. Takes a few seconds, and never longer than asked for.

    Args:
        server: It answers, and has nothing else to do.
        study: How it will be asked.
        facts: What it says of itself: the prompt has to fit into its context.
        times: How often; of several the medians are taken.
        seconds: After so long it is given up.
    """
    bound = min(study.silence, seconds)
    http = client.connect(server.base_url, concurrency=1, silence=bound, headers=headers(server.spec))
    stretches: list[_Stretch] = []
    # That it is gone is found when it is asked, and it is started again then.
    with suppress(TimeoutError, ServerError):
        async with http, asyncio.timeout(seconds):
            trial = Trial(server, study, http, Traffic(1, silence=bound, startup=bound))
            for _ in range(times):
                began = time.monotonic()
                stretch = await _stretch(trial, facts.context)
                stretches += [] if stretch is None else [stretch]
                if stretch is None or time.monotonic() - began > _ENOUGH_S:
                    break
    return _middle(stretches)


async def _stretch(trial: Trial, context: int | None) -> _Stretch | None:
    arrivals: list[float] = []
    request = trial.request_for(_prompt(context), Sampling(temperature=0.0, max_tokens=_TOKENS))
    answer = await trial.put(request, on_token=lambda: arrivals.append(time.perf_counter()))
    if not isinstance(answer, Answer):
        return None
    figures = answer.timings or {}
    speeds = _from_llama_server(figures) or _from_ollama(figures, answer) or _from_lm_studio(figures, answer)
    prompt_speed, speed = speeds or _from_arrivals(arrivals, answer)
    if _is_cached(figures, answer):
        prompt_speed = None
    return _Stretch(
        prompt_tokens=answer.prompt_tokens,
        prompt_speed=prompt_speed,
        tokens=answer.completion_tokens,
        speed=speed if (answer.completion_tokens or 0) >= _LEAST_TOKENS else None,
        first_token_s=answer.first_token_s,
        by_server=speeds is not None,
    )


def _prompt(context: int | None) -> str:
    """Write a prompt that nobody has seen: words by chance at its beginning, so that no cache has even a part of it."""
    room = _PARTS if context is None else max(1, min(_PARTS, (context - _TOKENS) // _TOKENS_A_PART - 2))
    words = " ".join(secrets.choice(MORE_CODEWORDS) for _ in range(4))
    return f"{secrets.randbelow(10**6)} {words}\n{ALONE * room}{ALONE_TASK}"


Speeds = tuple[float | None, float | None]
"""Tokens per second of the prompt, and of the reply."""


def _from_llama_server(figures: Mapping[str, Any]) -> Speeds | None:
    found = _positive(figures.get("prompt_per_second")), _positive(figures.get("predicted_per_second"))
    return found if any(found) else None


def _from_ollama(figures: Mapping[str, Any], answer: Answer) -> Speeds | None:
    """Ollama gives nanoseconds."""
    counts = {"prompt_eval_duration": answer.prompt_tokens, "eval_duration": answer.completion_tokens}
    found = [
        1e9 * count / taken if count and (taken := _positive(figures.get(name))) else None
        for name, count in counts.items()
    ]
    return (found[0], found[1]) if any(found) else None


def _from_lm_studio(figures: Mapping[str, Any], answer: Answer) -> Speeds | None:
    """LM Studio gives the speed of the reply, and the seconds until its first token."""
    speed, first = _positive(figures.get("tokens_per_second")), _positive(figures.get("time_to_first_token"))
    return (answer.prompt_tokens / first if first and answer.prompt_tokens else None, speed) if speed else None


def _from_arrivals(arrivals: Sequence[float], answer: Answer) -> Speeds:
    """Take the speeds from when tokens arrived: the first one ends the prompt, the others are the reply."""
    first, tokens = answer.first_token_s, answer.completion_tokens
    took = arrivals[-1] - arrivals[0] if arrivals else 0.0
    return (
        answer.prompt_tokens / first if first and answer.prompt_tokens else None,
        (tokens - 1) / took if tokens and took > 0 else None,
    )


def _is_cached(figures: Mapping[str, Any], answer: Answer) -> bool:
    """Whether a cache held more than the beginning of the prompt: its speed would be too high."""
    cached = max(answer.cached_tokens or 0, _positive(figures.get("cache_n")) or 0)
    return bool(answer.prompt_tokens) and cached > _CACHED * (answer.prompt_tokens or 0)


def _positive(value: object) -> float | None:
    """Read a number above 0; a server may send anything in its place."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    with suppress(OverflowError):  # of an integer that is larger than any float
        return float(value) if isfinite(value) and value > 0 else None
    return None


def _middle(stretches: Sequence[_Stretch]) -> Alone | None:
    """Take the median of each figure; None where no request showed any speed."""
    speed, prompt_speed = _median(stretches, lambda s: s.speed), _median(stretches, lambda s: s.prompt_speed)
    if speed is None and prompt_speed is None:
        return None
    tokens, prompt_tokens = _median(stretches, lambda s: s.tokens), _median(stretches, lambda s: s.prompt_tokens)
    return Alone(
        prompt_tokens=None if prompt_tokens is None else round(prompt_tokens),
        prompt_tokens_per_second=prompt_speed,
        tokens=None if tokens is None else round(tokens),
        tokens_per_second=speed,
        first_token_s=_median(stretches, lambda s: s.first_token_s),
        by_server=all(stretch.by_server for stretch in stretches),
    )


def _median(stretches: Sequence[_Stretch], figure: Callable[[_Stretch], float | None]) -> float | None:
    known = [value for stretch in stretches if (value := figure(stretch)) is not None]
    return median(known) if known else None

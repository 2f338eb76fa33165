"""A server on paper: so many tokens per second with so many requests in flight; time passes in steps."""

import random
from collections.abc import Callable
from typing import NamedTuple

from evaluator.ask.ramp import Ramp, Watch

Curve = Callable[[int], float]
"""Tokens per second of all together, by requests in flight."""
_STEP_S = 0.05


class _Request:
    def __init__(self, now: float, prompt_s: float, tokens: int) -> None:
        self.asked, self.prompt_s, self.left, self.done, self.began = now, prompt_s, tokens, 0.0, False


class Asked(NamedTuple):
    """How asking went."""

    seconds: float
    most: int
    """In flight at once."""


def asked(
    ramp: Ramp, curve: Curve, *, questions: int = 500, tokens: int = 100, seed: int = 0, cold: float = 0.0
) -> Asked:
    """Ask so many questions, whose replies have about so many tokens, with as many in flight as a ramp says.

    The first 60 prompts take `1 + cold` times as long as the others, and less so one by one: a cache fills.
    """
    drawn, now, left, out, most = random.Random(seed), 0.0, questions, list[_Request](), 0
    while left or out:
        while left and len(out) < ramp.level:
            slower = 1 + cold * max(0.0, 1 - (questions - left) / 60)
            length = int(drawn.expovariate(1 / tokens)) + 5
            out.append(_Request(now, 0.3 * slower * drawn.uniform(0.5, 1.5), length))
            left -= 1
        most, each, now = max(most, len(out)), curve(len(out)) / len(out), now + _STEP_S
        for request in list(out):
            if request.prompt_s > 0:
                request.prompt_s -= _STEP_S
                continue
            before, request.done = int(request.done), request.done + each * _STEP_S
            if not request.began:
                request.began = True
                ramp.began(now, now - request.asked)
            ramp.arrived(now, int(request.done) - before)
            if request.done >= request.left:
                out.remove(request)
                ramp.ended(now)
    ramp.finish()
    return Asked(now, most)


def watched(watch: Watch, curve: Callable[[float, int], float], *, seconds: float, tokens: int = 100) -> list[int]:
    """Let a server of so many tokens per second, by time and requests in flight, be watched; give the levels it had."""
    now, levels = 0.0, [watch.level]
    while now < seconds:
        now += tokens / curve(now, watch.level)
        watch.ended(now, tokens)
        if watch.level != levels[-1]:
            levels.append(watch.level)
    return levels

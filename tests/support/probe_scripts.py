"""A scripted server that does what it is asked, for tests of the preflight, and faults that can be planted in it."""

import hashlib
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from evaluator.preflight.prompts import CODEWORDS, MORE_CODEWORDS, RECALL, TOGETHER, WORD
from servers.fake import Reply
from tests.support.scripted import ANSWERS


def prompt(body: Any) -> str:
    return str(body["messages"][0]["content"] if "messages" in body else body["prompt"])


def honest(body: Any, number: int) -> Reply:
    """Answer rightly; count words as tokens; draw only where a temperature is asked for."""
    asked = prompt(body)
    if asked in ANSWERS:
        text = f"Let's see. The answer is ({ANSWERS[asked]})."
    elif asked.endswith(RECALL):
        text = WORD
    else:
        drawn = f" {number}" if (body.get("temperature") or body.get("options", {}).get("temperature")) else ""
        words = " ".join(word for word in (*CODEWORDS, *MORE_CODEWORDS) if word in asked.lower())
        text = f"{words} {hashlib.md5(asked.encode()).hexdigest()}{drawn}"
    switch = (body.get("chat_template_kwargs") or {}).get("enable_thinking")
    return Reply(text=text, prompt_tokens=len(asked.split()) + 5 + 2 * bool(switch))


def truncating(body: Any, number: int) -> Reply:
    """Read only the last 150 words of a prompt, and say nothing of it."""
    reply = honest(body, number)
    return replace(reply, prompt_tokens=150, text="What?") if reply.prompt_tokens > 150 else reply


def deaf_to_temperature(body: Any, number: int) -> Reply:
    return honest({**body, "temperature": 0}, number)


def always_drawing(body: Any, number: int) -> Reply:
    return honest({**body, "temperature": 1}, number)


def refusing(body: Any, number: int) -> Reply:
    """Refuse what is longer than 150 words."""
    reply = honest(body, number)
    return replace(reply, status=400, error="maximum context length is 150") if reply.prompt_tokens > 150 else reply


def thinking(body: Any, number: int) -> Reply:
    return replace(honest(body, number), reasoning="Hm, let me see.")


def thinking_in_the_text(body: Any, number: int) -> Reply:
    reply = honest(body, number)
    return replace(reply, text=f"<think>Hm.</think>{reply.text}")


def another_template(body: Any, number: int) -> Reply:
    reply = honest(body, number)
    return replace(reply, prompt_tokens=reply.prompt_tokens + 4)


class Mixing:
    """Answers that go to the wrong prompt when many are asked: the second time each of them is put."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, body: Any, number: int) -> Reply:
        asked = prompt(body)
        if asked in self.seen and asked in TOGETHER:
            other = TOGETHER[(TOGETHER.index(asked) + 1) % len(TOGETHER)]
            return honest({**body, "messages": [{"role": "user", "content": other}]}, number)
        self.seen.add(asked)
        return honest(body, number)


class Behind:
    """Each stream is the reply to the request before, whatever that was."""

    def __init__(self, among: Callable[[Any], bool] = lambda body: bool(body.get("stream"))) -> None:
        self.among = among
        self.last = Reply(text="Hello.")

    def __call__(self, body: Any, number: int) -> Reply:
        reply = honest(body, number)
        if self.among(body):
            reply, self.last = replace(self.last, prompt_tokens=reply.prompt_tokens), reply
        return reply


class Swapped:
    """Another model's answers after so many requests."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, body: Any, number: int) -> Reply:
        reply = honest(body, number)
        return replace(reply, extra={"model": "another"}) if number >= self.after else reply

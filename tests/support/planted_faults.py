"""Servers with a fault, and records with one, for the table of threats."""

from typing import Any

from msgspec.structs import replace

from evaluator.preflight.prompts import TOGETHER
from evaluator.records import Record
from servers.fake import Reply
from servers.fake.dialects import LLAMA_SERVER
from tests.support.planted_runs import put
from tests.support.probe_scripts import Swapped, honest, prompt, truncating
from tests.support.scripted import wrong


def uncounted(body: Any, number: int) -> Reply:
    return replace(truncating(body, number), usage=False)


def other_tokenizer(body: Any, number: int) -> Reply:
    return replace(honest(body, number), prompt_tokens=len(prompt(body)) // 4 + 5)


def reads_marks(body: Any, number: int) -> Reply:
    reply = honest(body, number)
    return replace(reply, prompt_tokens=reply.prompt_tokens + 9 * ("<|im_start|>" in prompt(body)))


def one_question_fails(body: Any, number: int) -> Reply:
    """Fail at a question of the study while the server is tried, and let nothing switch the thinking."""
    reply = honest({key: value for key, value in body.items() if key != "chat_template_kwargs"}, number)
    tried = reply.text is not None and "The answer is" in reply.text and not put(body)
    return replace(reply, status=500, error="out of order") if tried else reply


class Renamed(Swapped):
    def __init__(self) -> None:
        super().__init__(0)


class Wavering:
    """Another answer, though none of another prompt, the second time a prompt is put."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, body: Any, number: int) -> Reply:
        asked, reply = prompt(body), honest(body, number)
        again_ = asked in self.seen and asked in TOGETHER
        self.seen.add(asked)
        return replace(reply, text=f"{reply.text} or so") if again_ else reply


class Moody(Wavering):
    """A question that was put is answered wrongly when it is put again."""

    def __call__(self, body: Any, number: int) -> Reply:
        if not put(body):
            return honest(body, number)
        asked = prompt(body)
        twice = asked in self.seen
        self.seen.add(asked)
        return wrong(body) if twice else honest(body, number)


def turning(state: Any, call: Any, reply: Reply) -> Any:
    """Load another file as soon as the study's questions are put."""
    if put(call.body):
        state.models = {"bad": replace(state.models["bad"], path="/models/another.gguf")}
    return LLAMA_SERVER.respond(state, call, reply)


def reworded(record: dict[str, Any], number: int) -> dict[str, Any]:
    content = f"{record['request']['messages'][0]['content']} Think." if number % 4 == 0 else None
    messages = [{"role": "user", "content": content}] if content else record["request"]["messages"]
    return {**record, "request": {**record["request"], "messages": messages}}


def seeded(record: Record, _number: int) -> Record:
    return replace(record, request={**record.request, "seed": 1}) if record.variant == "b" else record

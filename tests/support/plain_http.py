"""Plain questions to a fake server, for the tests of its dialects."""

import json
from typing import Any

import httpx2

from servers.fake import FakeModel, FakeServer, Reply
from servers.fake.dialects import Dialect

HI = [{"role": "user", "content": "hi"}]
THOUGHT = Reply(text="It is (B).", reasoning="Let me think about it")
CUT = Reply(reasoning="Let me think", thinking_cut=True)
CHAT = "/v1/chat/completions"
TEMPLATE_OFF: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": False}}


def fake(dialect: Dialect, reply: Any = THOUGHT, *, model: FakeModel | str = "m", **more: Any) -> FakeServer:
    return FakeServer(reply, dialect=dialect, models=(model,), **more)


async def get(server: FakeServer, path: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, timeout=5, verify=False) as http:
        return await http.get(server.base_url.removesuffix("/v1") + path)


async def post(server: FakeServer, path: str, **body: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, timeout=5, verify=False) as http:
        return await http.post(server.base_url.removesuffix("/v1") + path, json=body)


async def reply_json(server: FakeServer, path: str = CHAT, **body: Any) -> Any:
    return (await post(server, path, **{"model": "m", "messages": HI, "stream": False, **body})).json()


async def streamed(server: FakeServer, path: str = CHAT, **body: Any) -> list[Any]:
    options = {"include_usage": True}
    response = await post(server, path, model="m", messages=HI, stream=True, stream_options=options, **body)
    lines = [line.removeprefix("data: ") for line in response.text.splitlines()]
    return [json.loads(line) for line in lines if line.startswith("{")]


def joined(parts: list[Any], key: str) -> str:
    return "".join(part["choices"][0]["delta"].get(key) or "" for part in parts if part["choices"])

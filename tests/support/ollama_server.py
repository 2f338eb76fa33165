"""Ollama as the tests of its module meet it: one that we start, one that runs, and the model they serve."""

from typing import Any

from msgspec.structs import replace

from servers.fake import FakeModel
from servers.spec import Prompt, Server, ServerSpec

NAME = "gemma3:4b"
MODEL = FakeModel(id=NAME, served_context=4096, context=131072)
OURS = ServerSpec(runtime="ollama", model=NAME, context=8192)
RUNNING = replace(OURS, base_url="http://127.0.0.1:11434/v1")
CHAT = Prompt(messages=({"role": "user", "content": "hi"},))
START = 'time=2026-11-22T08:00:00Z level=INFO source=llama_server.go:433 msg="starting llama-server" cmd="{}"\n'
CACHE = "llama_kv_cache: size =  136.00 MiB ( 8192 cells,  32 layers,  4/1 seqs), K ({}):   68.00 MiB, V ({}): 68 MiB\n"


def server(spec: ServerSpec, base_url: str = "http://127.0.0.1:11434/v1", **more: Any) -> Server:
    return Server(spec=spec, base_url=base_url, model=spec.model, engine="e", **more)

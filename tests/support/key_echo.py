"""A server that repeats the header with the key in one place of what it sends, and a hunt for the key."""

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.scripted import right

KEY = 'sk-SECRET/0123+45"6789<abc>'
"""With characters that JSON, HTML, addresses and base64 write otherwise."""
VARIABLE = "WHICHQUANT_TEST_KEY"
_WINDOW = 10


def traces(text: str) -> set[str]:
    """Find all that a text holds of the key, ten characters or more in a row, plainly or as others write them."""
    codes = [
        base64.b64encode(b"x" * before + KEY.encode() + b"\0\0").decode()[before + 1 : before + 34]
        for before in range(3)
    ]
    forms = (KEY, json.dumps(KEY), quote(KEY, safe=""), *codes, *(code.replace("+", "-") for code in codes))
    low = text.lower()
    pieces = {form[i : i + _WINDOW].lower() for form in forms for i in range(len(form) - _WINDOW + 1)}
    return {piece for piece in pieces if piece in low}


def traces_in(folder: Path) -> dict[str, set[str]]:
    """Hunt through every file below a folder and its name, and return the files that hold something of the key."""
    found = {
        str(path): traces(str(path.relative_to(folder)))
        | (traces(path.read_bytes().decode(errors="replace")) if path.is_file() else set())
        for path in folder.rglob("*")
    }
    return {path: pieces for path, pieces in found.items() if pieces}


def _reply(text: str, *, finish: str = "stop", model: str = "m", **more: Any) -> list[dict[str, Any]]:
    """Make the chunks of a reply, its text in pieces of five characters."""
    pieces = [{"content": text[i : i + 5]} for i in range(0, len(text), 5)]
    deltas = [more.pop("first", {"role": "assistant"}), *pieces]
    chunks: list[dict[str, Any]] = [{"model": model, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"model": model, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    usage = {"prompt_tokens": 50, "completion_tokens": 9}
    return [*chunks, {"model": model, "choices": [], "usage": usage, **more}]


Place = Callable[[str, str], tuple[int, Mapping[str, str], Any]]
"""Of the header and the right answer's text: status, headers, and chunks of a stream or a body."""
IN_REPLIES: dict[str, Place] = {
    "body of a 500": lambda key, _: (500, {}, {"error": {"message": f"invalid header {key}"}}),
    "body of a 400": lambda key, _: (400, {}, {"error": f"invalid header {key}"}),
    "body of a 401": lambda key, _: (401, {}, {"detail": {"why": f"bad key {key}"}}),
    "body of a 429": lambda key, _: (429, {}, {"message": f"too many requests with {key}"}),
    "plain body of a 502": lambda key, _: (502, {}, f"<html>Authorization: {key}</html>"),
    "error that is cut within the key": lambda key, _: (400, {}, {"error": "." * 470 + key * 3}),
    "header of a reply": lambda key, text: (200, {"X-You-Sent": key, "Server": key}, _reply(text)),
    "Location of a redirect": lambda key, _: (307, {"Location": f"/v2/{quote(key)}"}, ""),
    "text": lambda key, text: (200, {}, _reply(f"You sent {key}. {text}")),
    "text, in base64": lambda key, text: (200, {}, _reply(f"{base64.b64encode(key.encode()).decode()} {text}")),
    "text, as an address": lambda key, text: (200, {}, _reply(f"http://x/?key={quote(key, safe='')} {text}")),
    "reasoning": lambda key, text: (200, {}, _reply(text, first={"reasoning_content": f"The user sent {key}"})),
    "name of the model": lambda key, text: (200, {}, _reply(text, model=f"m {key}")),
    "fingerprint": lambda key, text: (200, {}, _reply(text, system_fingerprint=key)),
    "finish reason": lambda key, text: (200, {}, _reply(text, finish=key)),
    "timings": lambda key, text: (200, {}, _reply(text, timings={key: [{"by": key}]})),
    "usage": lambda key, text: (200, {}, _reply(text, usage={"prompt_tokens": key, key: key})),
    "error within a stream": lambda key, text: (200, {}, [*_reply(text)[:3], {"error": {"message": f"lost {key}"}}]),
    "chunk that is no JSON": lambda key, text: (200, {}, [*_reply(text)[:3], key]),
    "tool call": lambda key, _: (200, {}, _reply("", first={"tool_calls": [{"function": {"name": key}}]})),
    "refusal": lambda key, _: (200, {}, _reply("", first={"refusal": f"not for {key}"})),
}


def _plainly(_: str, text: str) -> tuple[int, Mapping[str, str], Any]:
    return 200, {}, _reply(text)


IN_PAGES: dict[str, Callable[[str], Mapping[str, tuple[int, Any]]]] = {
    "error of the list of models": lambda key: {"/v1/models": (401, {"error": f"bad key {key}"})},
    "list of models that is none": lambda key: {"/v1/models": (500, f"Authorization: {key}")},
    "id of the only model": lambda key: {"/v1/models": (200, {"data": [{"id": f"m {key}", "owned_by": key}]})},
    "ids of two models": lambda key: {"/v1/models": (200, {"data": [{"id": "m"}, {"id": f"m {key}"}]})},
    "version and model of llama-server": lambda key: {
        "/v1/models": (200, {"data": [{"id": "m", "owned_by": "llamacpp"}]}),
        "/props": (200, {"build_info": key, "model_path": f"/{key}.gguf", "default_generation_settings": {key: key}}),
    },
    "version of vLLM": lambda key: {
        "/v1/models": (200, {"data": [{"id": "m", "owned_by": "vllm", "root": key}]}),
        "/version": (200, {"version": key}),
    },
}


@contextmanager
def echoing(place: str) -> Iterator[str]:
    """Serve on 127.0.0.1, the key in this place, and give the address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
            self.send_response_only(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            key = self.headers.get("Authorization", "")
            pages: dict[str, tuple[int, Any]] = {"/v1/models": (200, {"data": [{"id": "m"}]})}
            pages |= IN_PAGES[place](key) if place in IN_PAGES else {}
            status, body = pages.get(self.path, (404, {"error": f"no such page for {key}"}))
            self.send(status, (body if isinstance(body, str) else json.dumps(body)).encode(), {"Server": key})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                text = str(right(asked).text)
            except KeyError:
                text = "yes"
            status, headers, body = IN_REPLIES.get(place, _plainly)(self.headers.get("Authorization", ""), text)
            if isinstance(body, list):
                events = [piece if isinstance(piece, str) else json.dumps(piece) for piece in (*body, "[DONE]")]
                if asked.get("stream"):
                    return self.send(status, "".join(f"data: {event}\n\n" for event in events).encode(), headers)
                body = {"model": "m", "choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
            self.send(status, (body if isinstance(body, str) else json.dumps(body)).encode(), headers)
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()

"""What a refusal means: the model loads, too many ask at once, it is too soon, or it is a failure like others."""

import json
from typing import Any

import pytest

from evaluator.ask.server_errors import refusal
from evaluator.ask.waits import reason_to_wait
from evaluator.records import Failure


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        pytest.param(503, error("Loading model", type="unavailable_error", code=503), "loading", id="llama-server"),
        pytest.param(503, {"error": "Model m is currently loading", "estimated_time": 20.0}, "loading", id="tgi"),
        pytest.param(503, {"detail": "The engine is starting"}, "loading", id="engine-starts"),
        pytest.param(502, error("model not ready yet"), "loading", id="proxy-whose-model-is-not-ready"),
        pytest.param(500, error("server is still warming up"), "loading", id="warms-up"),
        pytest.param(504, error("still loading"), "loading", id="gateway"),
        pytest.param(503, {"detail": {"msg": "Server is busy; please try again later."}}, "busy", id="koboldcpp"),
        pytest.param(
            503, error("server busy, please try again.  maximum pending requests exceeded"), "busy", id="ollama"
        ),
        pytest.param(429, {"error": "Model is overloaded", "error_type": "overloaded"}, "busy", id="tgi-overloaded"),
        pytest.param(503, error("The request queue is full."), "busy", id="sglang"),
        pytest.param(500, error("no slot available"), "busy", id="llama-server-of-2023"),
        pytest.param(529, error("Overloaded"), "busy", id="529"),
        pytest.param(429, error("rate limited"), "busy", id="429"),
        pytest.param(503, "", "busy", id="503-without-a-word"),
        pytest.param(429, "<html>Too Many Requests</html>", "busy", id="429-of-a-proxy"),
        pytest.param(503, error("failed to load model"), None, id="a-model-that-does-not-load"),
        pytest.param(500, error("error loading model: unable to allocate"), None, id="out-of-memory"),
        pytest.param(503, "upstream connect error or disconnect", None, id="a-proxy-without-its-server"),
        pytest.param(500, error("always"), None, id="500"),
        pytest.param(502, "<html><h1>502 Bad Gateway</h1></html>", None, id="502"),
        pytest.param(400, error("the model is loading"), None, id="400"),
        pytest.param(404, error("no such model"), None, id="404"),
        pytest.param(401, error("busy"), None, id="401"),
    ],
)
def test_a_refusal_is_understood(status: int, body: Any, expected: str | None) -> None:
    content = body if isinstance(body, str) else json.dumps(body)

    assert reason_to_wait(refusal(status, content.encode())) == expected


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        pytest.param(429, "busy", "early", id="a-rate-is-no-matter-of-how-many-at-once"),
        pytest.param(503, "busy", "busy", id="busy"),
        pytest.param(503, "Loading model", "loading", id="loading"),
        pytest.param(503, "an error", "early", id="503-with-other-words"),
        pytest.param(500, "an error", "early", id="500"),
    ],
)
def test_with_a_time_to_come_back_it_is_waited_for(status: int, message: str, expected: str) -> None:
    kind: Any = "server_error" if status == 500 else "overloaded"

    assert reason_to_wait(Failure(kind=kind, status=status, message=message, retry_after=2.0)) == expected


@pytest.mark.parametrize("status", [200, None], ids=["in-the-middle-of-a-reply", "without-a-status"])
def test_what_breaks_a_reply_off_is_a_failure_like_others(status: int | None) -> None:
    assert reason_to_wait(Failure(kind="server_error", status=status, message="server is busy")) is None

"""Ask a server something that is no question: JSON goes out and JSON comes back, of any form."""

from typing import Any

import httpx2
import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_exponential_jitter

from evaluator.ask.client import ERROR_BYTES, Http, failure_of, read_beginning
from evaluator.ask.connections import Connections, through_httpx2
from evaluator.ask.retry import ATTEMPTS, TRANSIENT
from evaluator.ask.server_errors import refusal
from evaluator.lenient_json import read_json
from evaluator.records import Failure
from servers.http import HttpReply
from servers.secrets import hide, reveal

_LONGEST = 64 << 20
"""Bytes of a reply: the likeliest hundred tokens at each of a window's places take some megabytes."""


async def ask_json(http: Http, url: str, body: dict[str, Any]) -> HttpReply | Failure:
    """Post JSON and read the JSON that comes back, asked again after a failure that may pass; the key is hidden."""

    def last(state: RetryCallState) -> HttpReply | Failure:
        outcome: HttpReply | Failure = state.outcome.result()  # type: ignore[union-attr]  # set once it has been tried
        return outcome

    retrying = AsyncRetrying(
        retry=retry_if_result(_may_pass),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=0.5, max=20),
        retry_error_callback=last,
    )
    outcome: HttpReply | Failure = await retrying(_once, http, url, body)
    return outcome


def _may_pass(outcome: HttpReply | Failure) -> bool:
    return isinstance(outcome, Failure) and outcome.kind in TRANSIENT


async def _once(http: Http, url: str, body: dict[str, Any]) -> HttpReply | Failure:
    content = msgspec.json.encode(reveal(body, http.headers))
    sending = http.post(url, content) if isinstance(http, Connections) else through_httpx2(http, url, content)
    try:
        async with sending as reply:
            if reply.status_code != httpx2.codes.OK:
                refused = refusal(reply.status_code, (await read_beginning(reply, ERROR_BYTES))[:ERROR_BYTES])
                return hide(refused, http.headers, cut=True)
            came = await read_beginning(reply, _LONGEST)
    except httpx2.HTTPError as error:
        return hide(failure_of(error), http.headers, cut=True)
    if len(came) > _LONGEST:
        return Failure(kind="garbled", message=f"more than {_LONGEST >> 20} MB came", status=200)
    try:
        return HttpReply(200, hide(read_json(came), http.headers))
    except (ValueError, RecursionError):
        return Failure(kind="garbled", message="what came is no JSON", status=200)

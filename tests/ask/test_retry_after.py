"""How long a server asks to be left alone: in seconds, as a date, in milliseconds, as a moment; nonsense is nothing."""

from email.utils import formatdate

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.ask import client
from evaluator.ask.retry_after import retry_after
from evaluator.records import Failure
from servers.fake import FakeServer, Reply

NOW = 1_800_000_000.0


def date(seconds: float) -> str:
    return formatdate(NOW + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"Retry-After": "12"}, 12.0, id="seconds"),
        pytest.param({"RETRY-AFTER": " 12 "}, 12.0, id="in-capitals-with-blanks"),
        pytest.param({"Retry-After": "0"}, 0.0, id="at-once"),
        pytest.param({"Retry-After": "1.5"}, 1.5, id="with-a-fraction"),
        pytest.param({"Retry-After": date(12)}, 12.0, id="date"),
        pytest.param({"Retry-After": date(-12)}, 0.0, id="date-that-is-over"),
        pytest.param({"Retry-After": date(3612), "Date": date(3600)}, 12.0, id="server-whose-clock-is-ahead"),
        pytest.param({"Retry-After": date(12), "Date": "now"}, 12.0, id="server-without-a-clock"),
        pytest.param({"Retry-After": date(12).replace("GMT", "-0000")}, 12.0, id="date-without-a-zone"),
        pytest.param({"Retry-After": date(12).replace("GMT", "+0100")}, 0.0, id="date-of-another-zone"),
        pytest.param({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5, id="milliseconds"),
        pytest.param({"retry-after-ms": "soon", "Retry-After": "2"}, 2.0, id="milliseconds-that-are-none"),
        pytest.param({"RateLimit-Reset": "30"}, 30.0, id="rate-limit"),
        pytest.param({"X-RateLimit-Reset": f"{NOW + 30:.0f}"}, 30.0, id="rate-limit-as-a-moment"),
        pytest.param({"X-RateLimit-Reset": f"{1000 * (NOW + 30):.0f}"}, 30.0, id="rate-limit-in-milliseconds"),
        pytest.param({"Retry-After": "7", "X-RateLimit-Reset": "30"}, 7.0, id="retry-after-before-rate-limit"),
        pytest.param({"Retry-After": "99999999999"}, 99999999999.0, id="for-ever"),
        pytest.param({"Retry-After": "-5"}, None, id="negative"),
        pytest.param({"Retry-After": "nan"}, None, id="not-a-number"),
        pytest.param({"Retry-After": "inf"}, None, id="infinite"),
        pytest.param({"Retry-After": "9" * 400}, None, id="a-number-too-large"),
        pytest.param({"Retry-After": ""}, None, id="empty"),
        pytest.param({"Retry-After": "later"}, None, id="a-word"),
        pytest.param({"Retry-After": "32 Foo 2026 99:99:99"}, None, id="no-date"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_what_a_server_asks_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx2.Headers(headers), NOW) == seconds


@given(name=st.sampled_from(["retry-after", "retry-after-ms", "ratelimit-reset", "date"]), value=st.text(max_size=40))
def test_whatever_stands_there_is_seconds_or_nothing(name: str, value: str) -> None:
    seconds = retry_after({"retry-after": date(1), name: value}, NOW)

    assert seconds is None or 0 <= seconds < float("inf")


async def test_a_refusal_brings_what_the_server_asks_for() -> None:
    reply = Reply(status=429, headers={"Retry-After": "7"})
    async with FakeServer(reply) as fake, client.connect(fake.base_url, concurrency=1, silence=5) as http:
        failure = await client.ask_once(http, f"{fake.base_url}/chat/completions", {"model": "fake", "messages": []})

    assert isinstance(failure, Failure)
    assert (failure.status, failure.retry_after) == (429, 7.0)

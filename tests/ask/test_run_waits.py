"""A server that asks to be asked later is asked later: no question is given up, and what is waited for is said."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from evaluator.records import Record
from evaluator.store import journal
from servers.fake import Reply
from tests.support.probe_scripts import honest
from tests.support.scripted import Bench, prompt_of, right

LOADING = Reply(status=503, error="Loading model")
BUSY = Reply(status=503, error="Server is busy; please try again later.")
Answering = Callable[[Any, int], Reply]


def one_slot(status: int = 503, answering: Answering = right) -> Answering:
    """Refuse at once whatever comes while another request is worked on."""
    lock, until = threading.Lock(), [0.0]

    def answer(body: Any, number: int) -> Reply:
        with lock:
            if time.monotonic() < until[0]:
                return replace(BUSY, status=status)
            until[0] = time.monotonic() + 0.03
        return replace(answering(body, number), delay=0.03)

    return answer


def first(count: int, refusal: Reply) -> Answering:
    return lambda body, number: refusal if number < count else right(body)


def each_once(refusal: Reply) -> Answering:
    """Refuse each question the first time that it is put."""
    met: set[str] = set()

    def answer(body: Any, number: int) -> Reply:
        if (prompt := prompt_of(body)) in met:
            return right(body)
        met.add(prompt)
        return refusal

    return answer


def records(bench: Bench) -> list[Record]:
    return list(journal.read(bench.folder / "runs/s/records/good.jsonl").values())


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(one_slot(), "the server is busy: asked 1 at a time, not 3", id="one-slot-503"),
        pytest.param(one_slot(429), "the server is busy: asked 1 at a time, not 3", id="one-slot-429"),
        pytest.param(first(6, LOADING), "its model is loading, asked again in", id="loading"),
        pytest.param(first(4, BUSY), "the server is busy, asked again in", id="busy-with-others"),
        pytest.param(
            first(3, Reply(status=429, error="slow down", headers={"Retry-After": "1"})),
            "the server asks to wait: 2 s",
            id="retry-after",
        ),
        pytest.param(
            first(3, Reply(status=503, error="x", headers={"Retry-After": "99999999999"})), "", id="retry-after-never"
        ),
        pytest.param(first(2, Reply(status=500, error="once")), "", id="500-once"),
        pytest.param(each_once(Reply(status=503, error="")), "asked 1 at a time", id="each-is-refused-once"),
    ],
)
def test_every_question_is_answered_and_the_wait_is_said(bench: Bench, answer: Answering, says: str) -> None:
    result = bench.run(bench.study(8, extra="silence: 60\n", good=answer))

    assert result.exit_code == 0, result.output
    assert bench.report()["scores"][0]["outcomes"] == {"correct": 8}
    assert says in result.output
    attempts = [attempt for record in records(bench) for attempt in record.attempts]
    assert attempts
    assert all(attempt.waited_s is not None and attempt.status and attempt.message for attempt in attempts)


def test_the_report_says_how_many_at_once_a_busy_server_was_asked(bench: Bench) -> None:
    result = bench.run(bench.study(12, good=one_slot()))

    [check] = [check for check in bench.report()["checks"] if check["code"] == "fewer_at_once"]
    assert (check["severity"], check["variant"]) == ("note", "good")
    assert check["message"] == "asked 1 at a time, not 3: the server said that it was busy"
    assert {record.at_once for record in records(bench)} >= {1}
    assert result.exit_code == 0


def test_a_server_of_one_slot_passes_the_check_before_the_questions(bench: Bench) -> None:
    result = bench.run(bench.study(6, good=one_slot(answering=honest)), check=True)

    assert "checked in" in result.output
    assert "could not be done" not in " ".join(result.output.split())
    assert result.exit_code == 0, result.output
    assert bench.report()["scores"][0]["outcomes"] == {"correct": 6}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        pytest.param(Reply(status=503, error="busy"), "takes no questions: HTTP 503: busy (asked", id="busy"),
        pytest.param(
            Reply(status=429, error="slow down", headers={"Retry-After": "1"}),
            "takes no questions: HTTP 429: slow down (asked again for 2 s)",
            id="retry-after",
        ),
        pytest.param(Reply(status=500, error="always"), "all failed, the last with: HTTP 500: always", id="500"),
        pytest.param(Reply(status=502, error="bad gateway"), "the last with: HTTP 502: bad gateway", id="502"),
        pytest.param(Reply(status=404, error="no such model"), "HTTP 404: no such model", id="404"),
        pytest.param(Reply(status=400, error="bad"), "the last with: HTTP 400: bad", id="400"),
    ],
)
def test_a_server_that_never_lets_us_in_is_given_up_with_its_own_words_and_the_same_command_goes_on(
    bench: Bench, refusal: Reply, says: str
) -> None:
    mended = False
    study = bench.study(15, extra="silence: 2\n", good=lambda body, _: right(body) if mended else refusal)

    result = bench.run(study)
    mended = True
    again = bench.run(study)

    said = " ".join(result.output.split())
    assert result.exit_code == 1
    assert says in said
    assert "hangs" not in said
    assert again.exit_code == 0, again.output
    assert bench.report()["scores"][0]["outcomes"] == {"correct": 15}


def test_a_wait_ends_at_once_when_the_user_stops_it(bench: Bench) -> None:
    study = bench.study(5, good=lambda *_: Reply(status=429, headers={"Retry-After": "300"}))
    words = ["run", str(study), "--runs", str(bench.folder / "runs"), "--no-check"]
    with subprocess.Popen([sys.executable, "-m", "evaluator", *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        while "asks to wait: 30" not in process.stdout.readline():
            assert process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)

    assert process.returncode == 130
    assert time.monotonic() - began < 30

"""The page of a run over HTTP: for this machine alone, two pages and nothing else, whatever is sent."""

import http.client
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.report.follow import Followed
from evaluator.report.web import ReportServer, frame

EXAMPLE = Path(__file__).parents[2] / "runs" / "example-demo"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "run"))


@pytest.fixture
def server(folder: Path) -> Iterator[ReportServer]:
    with ReportServer(Followed(folder), "demo", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: ReportServer, path: str = "/", method: str = "GET", host: str | None = None
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply.status, body, reply.headers


def send(server: ReportServer, data: bytes) -> bytes:
    """Send bytes as they are, and return what comes until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("path", ["/", "/report.html", "/report.html?x=1"])
def test_a_finished_run_has_the_report_that_lies_there(server: ReportServer, folder: Path, path: str) -> None:
    status, body, headers = ask(server, path)

    assert (status, body) == (200, (folder / "report.html").read_bytes())
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]


def test_state_says_that_the_run_has_ended(server: ReportServer) -> None:
    state = json.loads(ask(server, "/state")[1])

    assert (state["phase"], state["words"]) == ("ended", "The run has ended.")


@pytest.mark.parametrize(
    "path",
    [
        "/plan.json",
        "/records/q8_0.jsonl",
        "/report.json",
        "/../plan.json",
        "/report.html/../plan.json",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%5cplan.json",
        "//127.0.0.1/plan.json",
        "/report.html%00",
        "/favicon.ico",
        "plan.json",
        "http://[",
        "*",
    ],
)
def test_nothing_else_is_there(server: ReportServer, path: str) -> None:
    status, body, _ = ask(server, path)

    assert (status, body) == (404, b"404 Not Found\n")


def test_head_has_the_same_headers_and_no_body(server: ReportServer) -> None:
    status, body, headers = ask(server, "/", "HEAD")

    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == ask(server)[2]["Content-Length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_only_get_and_head_are_answered(server: ReportServer, method: str) -> None:
    assert ask(server, "/", method)[0] == 501


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.evil.example:{port}",
        "[::1]:{port}",
    ],
)
@pytest.mark.parametrize("path", ["/", "/state", "/report.html", "/nothing"])
def test_a_site_that_has_its_name_point_here_gets_nothing(server: ReportServer, host: str, path: str) -> None:
    status, body, _ = ask(server, path, host=host.format(port=server.server_port))

    assert (status, body) == (421, b"421 Misdirected Request\n")


def test_localhost_is_this_machine(server: ReportServer) -> None:
    assert ask(server, host=f"LocalHost:{server.server_port}")[0] == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"GARBAGE\r\n\r\n", b"400", id="no-request"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", b"505", id="version"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", b"421", id="no-host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"421", id="two-hosts"),
        pytest.param(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414", id="long-line"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431", id="many-headers"),
        pytest.param(b"\x16\x03\x01\x00\xa5\x01\r\n\r\n", b"400", id="tls"),
        pytest.param(b"", b"", id="nothing"),
    ],
)
def test_garbage_is_refused_without_a_word_in_the_terminal_and_the_server_goes_on(
    server: ReportServer, data: bytes, status: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = send(server, data)

    assert status in answer.partition(b"\r\n")[0]
    assert ask(server)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_reader_that_goes_away_and_one_that_says_nothing_hold_nobody_up(server: ReportServer) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port)) as silent:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.server_port)) as hasty:
                hasty.sendall(f"GET /report.html HTTP/1.1\r\nHost: localhost:{server.server_port}\r\n\r\n".encode())
        assert ask(server)[0] == 200
        assert silent.fileno() >= 0


def test_it_listens_on_this_machine_alone(server: ReportServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_folder_that_is_gone_is_told_and_nothing_falls_over(server: ReportServer, folder: Path) -> None:
    shutil.rmtree(folder)

    status, body, _ = ask(server, "/report.html")

    assert status == 503
    assert b"no run lies here" in body
    assert ask(server)[0] == 200
    assert json.loads(ask(server, "/state")[1])["phase"] == "gone"


def test_the_frame_may_load_the_report_and_run_its_own_script_alone() -> None:
    page, policy = frame("study-1", "<script>alert(1)</script> 1 of 2")

    assert b"&lt;script&gt;alert(1)&lt;/script&gt; 1 of 2" in page
    assert page.count(b"<script>") == 1
    for part in ("default-src 'none'", "frame-src 'self'", "connect-src 'self'", "frame-ancestors 'self'"):
        assert part in policy
    assert "unsafe" not in policy

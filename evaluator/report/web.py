"""A run's page over HTTP, for this machine alone: two pages, one word on how the run stands, and nothing else."""

import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from string import Template
from typing import Any

import msgspec

from evaluator.report.follow import Followed
from evaluator.report.html import harmless, policy
from servers.errors import WhichquantError

HOST = "127.0.0.1"
_PAGE = Path(__file__).parent / "page" / "follow"
_HTML = "text/html; charset=utf-8"
_PATIENCE_S = 30
"""Seconds that a request may take to arrive."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_INSIDE = "frame-ancestors 'self'"
"""No page of another site shows this one inside itself."""


class ReportServer(ThreadingHTTPServer):
    """Serves one run's page on 127.0.0.1; each request has a thread of its own, which ends with the program."""

    daemon_threads = True

    def __init__(self, followed: Followed, name: str, port: int) -> None:
        """Listen.

        Args:
            followed: The run.
            name: Of its study.
            port: Where to listen; 0 is a free one.

        Raises:
            OSError: The port is taken, or may not be used.
        """
        self.followed, self.name, self._is_ending = followed, name, False
        super().__init__((HOST, port), _Handler)

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.server_port}/"

    def server_bind(self) -> None:
        """Bind, without asking a name server how this machine is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def server_close(self) -> None:
        """Stop listening, and end what is in the making."""
        self._is_ending = True
        super().server_close()
        self.followed.end()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the library has it
        """Say nothing of a reader that went away, nor of a page that is not wanted any more."""
        if not self._is_ending and not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: ReportServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "whichquant", ""
    timeout = _PATIENCE_S
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def do_GET(self) -> None:
        """Answer with one of the pages, or say that there is no such page."""
        if not self._is_for_us():
            return
        path = self.path.partition("?")[0]
        if path == "/state":
            self._send(msgspec.json.encode(self.server.followed.state()), "application/json")
        elif path == "/report.html":
            self._send_report()
        elif path == "/":
            state = self.server.followed.state()
            if state.phase == "ended":
                self._send_report()
            else:
                self._send_frame(state.words)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_HEAD(self) -> None:
        """Answer as to GET, but for the body."""
        self.do_GET()

    def _is_for_us(self) -> bool:
        """Refuse what asks for another host's page: a site that has its name point here (DNS rebinding)."""
        hosts = [host.lower() for host in self.headers.get_all("Host", [])]
        if hosts in ([f"{name}:{self.server.server_port}"] for name in (HOST, "localhost")):
            return True
        self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        return False

    def _send_report(self) -> None:
        try:
            page = self.server.followed.page()
        except (WhichquantError, OSError) as error:
            words = harmless(str(error))
            self._send(f"{words}\n".encode(), "text/plain; charset=utf-8", HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._send(page.html, _HTML, headers={"Content-Security-Policy": _INSIDE})

    def _send_frame(self, words: str) -> None:
        page, allowed = frame(self.server.name, words)
        self._send(page, _HTML, headers={"Content-Security-Policy": allowed})

    def _send(
        self,
        body: bytes,
        kind: str,
        status: HTTPStatus = HTTPStatus.OK,
        headers: Mapping[str, str] = {},
    ) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, **headers, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as the library has it
        """Keep the terminal for what the user needs to know."""


def frame(name: str, words: str) -> tuple[bytes, str]:
    """Write the page around the report, which shows what is new, and the policy of what it may do.

    Args:
        name: Of the study; letters, digits and a few signs.
        words: How far the run is.
    """
    style, script, page = ((_PAGE / f"follow.{kind}").read_text(encoding="utf-8") for kind in ("css", "js", "html"))
    filled = Template(page).substitute(title=name, words=_escaped(words), style=style, script=script)
    return filled.encode(), f"{policy(style, script)}; frame-src 'self'; connect-src 'self'; {_INSIDE}"


def _escaped(text: str) -> str:
    import html  # noqa: PLC0415 - `html` is what pages are called here

    return html.escape(str(harmless(text)))

"""When a server is given up."""

from evaluator.ask.traffic import Traffic
from evaluator.errors import ServerLost
from evaluator.records import Record
from evaluator.study.study import Study
from servers import process
from servers.launch import alive
from servers.spec import Server
from servers.start_errors import cause

_ALL_FAILED = 12
"""Questions that fail before the first answer, and show that the others would fail, too."""


class Patience:
    """Decides when a server is given up: dead, silent, out of reach, or failing at everything."""

    def __init__(self, study: Study, traffic: Traffic) -> None:
        self._traffic = traffic
        # Without a stream nothing is seen before a reply is whole.
        self._silence = study.silence if study.stream else float("inf")
        self._unreached = 0
        """Questions in a row that did not reach the server."""
        self._failed = 0
        """Questions that failed before the first answer."""
        self._answered = False

    def begin(self) -> None:
        """Start anew with a server that was just started."""
        self._unreached = 0
        self._traffic.begin()

    def check(self, server: Server) -> None:
        """Look at the server itself.

        Raises:
            ServerLost: it is dead, or has sent nothing for too long.
        """
        if not alive(server):
            left = process.describe_end(server.pid or 0, server.log, server.log_start) if server.log else ""
            raise ServerLost(f"the server died in the middle of the run{left}", restartable=True)
        silent = self._traffic.silent_s()
        if silent >= self._silence:
            where = f"its log is {server.log}" if server.log else "restart it and run the same command"
            before = f"; before, it said: {self._traffic.last_refusal}" if self._traffic.last_refusal else ""
            raise ServerLost(
                f"the server hangs: no token on any of its requests for {silent:.0f} s{before} ({where};"
                " a server that is merely slow needs a larger silence in the study)",
                restartable=True,
            )

    def saw(self, server: Server, record: Record) -> None:
        """Take in how one request ended.

        Raises:
            ServerLost: it is dead, silent, or as many requests in a row as are in flight did not reach it, or were put
                off until they were given up.
        """
        failure = record.failure
        if failure is None:
            self._unreached = 0
            return
        self.check(server)
        lost = failure.kind in {"unreachable", "dropped", "timeout", "overloaded"}
        self._unreached = self._unreached + 1 if lost else 0
        if self._unreached > self._traffic.most and failure.kind == "overloaded":
            raise ServerLost(
                f"the server takes no questions: {failure.message}; the same command goes on", restartable=True
            )
        if self._unreached > self._traffic.most:
            where = f"its log is {server.log}" if server.log else f"see whether {server.base_url} is still running"
            why = f"the server stopped answering in the middle of the run ({failure.message})"
            raise ServerLost(f"{why}: {where}; the same command goes on", restartable=True)

    def judge(self, record: Record, *, failed_before: bool) -> None:
        """Count failures until there is an answer.

        Raises:
            ServerLost: all first questions failed.
        """
        if record.answer:
            self._answered = True
        if self._answered or failed_before:
            return
        self._failed += 1
        if self._failed >= _ALL_FAILED:
            why = record.failure.message if record.failure else ""
            sentence = f"the first {_ALL_FAILED} questions all failed, the last with: {why}"
            raise ServerLost(". ".join(part for part in (sentence, cause(why)) if part), restartable=False)

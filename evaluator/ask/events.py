"""Take a stream of bytes apart into its events: server-sent ones, and Ollama's, which are one object a line.

Server-sent events: WHATWG, HTML Living Standard, section 9.2.6. What servers do beside it is read, too.
"""

import msgspec

from evaluator.ask.server_errors import names_failure

DONE = b"[DONE]"
_BOM = b"\xef\xbb\xbf"
_FIELDS = (b":", b"id:", b"retry:")
"""Lines that say nothing of the reply: comments, and what a browser would need to connect again."""

_is_json = msgspec.json.Decoder(msgspec.Raw).decode


Event = tuple[bytes, bool]
"""Its data, without white space around it and never empty; whether its name says that the server failed."""


class Events:
    """Reads one stream: give it the pieces as they arrive, in any cut, and it gives the events that they complete."""

    def __init__(self) -> None:
        self.held = 0
        """Bytes that wait for the rest of their event."""
        self.has_begun = False
        """Whether a line was read: before the first one there may be a mark of the order of bytes."""
        self._after_cr = False
        self._rest: list[bytes] = []
        """The beginning of a line, in the pieces in which it came."""
        self._data: list[bytes] = []
        self._name = b""
        self._loose: list[bytes] = []
        """Lines that are no part of any event."""

    @property
    def loose(self) -> bytes:
        """All that was no part of any event: a page of HTML, JSON over several lines, the last words of a program."""
        return b"\n".join(self._loose).strip()

    def feed(self, piece: bytes) -> list[Event]:
        """Take in the next piece."""
        if self._after_cr:  # the line has ended already, if these are the two halves of CR LF
            piece = piece.removeprefix(b"\n")
        self._after_cr = piece.endswith(b"\r")
        lines = piece.splitlines()  # of bytes: at CR, LF and CR LF, nowhere else
        rest = b"" if piece.endswith((b"\n", b"\r")) or not lines else lines.pop()
        if lines and self._rest:
            lines[0] = self._joined(self._rest, b"", lines[0])
        found: list[Event] = []
        for line in lines:
            self._read(line, found)
        if rest:
            self._keep(self._rest, rest)
        return found

    def end(self) -> list[Event]:
        """Give what the stream's end completes: a last line and a last event need no line end here."""
        found: list[Event] = []
        self._read(self._joined(self._rest), found)
        self._dispatch(found)
        return found

    def _read(self, line: bytes, found: list[Event]) -> None:
        if not self.has_begun:
            line, self.has_begun = line.removeprefix(_BOM), True
        if line.startswith(b"data:"):
            self._add(line[5:].strip(), found)
        elif not line:
            self._dispatch(found)
        elif line.startswith(b"event:"):
            self._name = line[6:].strip().lower()
        elif line[:6].lower() == b"error:":  # llama.cpp writes its errors as a field of this name
            found.append((line[6:].strip() or line, True))
        elif line.startswith(b"{") and line.rstrip().endswith(b"}") and not self._in_json:
            found.append((line.strip(), False))
        elif not line.startswith(_FIELDS):
            self._keep(self._loose, line)

    def _add(self, value: bytes, found: list[Event]) -> None:
        """Add a line of data to its event.

        Some servers end an event with one line end only: a line that is an object by itself is then an event.
        """
        if self._data and (value == DONE or (len(self._data) == 1 and _is_object(self._data[0]))):
            self._dispatch(found)
        if value:
            self._keep(self._data, value)
        if value == DONE:  # nothing more is waited for, not even the blank line
            self._dispatch(found)

    def _dispatch(self, found: list[Event]) -> None:
        if self._data:
            found.append((self._joined(self._data, b"\n"), names_failure(self._name.decode(errors="replace"))))
        self._name = b""

    @property
    def is_between(self) -> bool:
        """Whether nothing came yet of the next event."""
        return not (self._rest or self._data or self._name or self._after_cr)

    @property
    def _in_json(self) -> bool:
        """Whether JSON over several lines has begun."""
        return bool(self._loose) and self._loose[0].lstrip().startswith((b"{", b"["))

    def _keep(self, parts: list[bytes], part: bytes) -> None:
        parts.append(part)
        self.held += len(part)

    def _joined(self, parts: list[bytes], between: bytes = b"", last: bytes | None = None) -> bytes:
        """Empty a list of parts into one."""
        self.held -= sum(map(len, parts))
        whole = between.join(parts if last is None else (*parts, last))
        parts.clear()
        return whole


def _is_object(text: bytes) -> bool:
    try:
        _is_json(text)
    except (ValueError, RecursionError):
        return False
    return text.startswith(b"{")

"""Take a body out of its transfer: so many bytes, chunks (RFC 9112, section 7.1), or all until the close."""

import re
from collections.abc import Mapping
from typing import Protocol

import httpx2

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")
"""The line above a chunk; what stands behind a semicolon says nothing that is needed."""
_LONGEST_LINE = 16 << 10
_LONGEST_TRAILER = 64 << 10


class Frames(Protocol):
    """Reads one body."""

    ended: bool
    """Whether all of it has come."""
    spare: bool
    """Whether more came than belongs to it, so that its connection is of no further use."""

    def feed(self, data: bytes) -> bytes:
        """Take in what came next, in any cut; give what of the body is in it.

        Raises:
            httpx2.RemoteProtocolError: It is no such transfer.
        """

    def close(self) -> None:
        """Take in that nothing more comes.

        Raises:
            httpx2.RemoteProtocolError: Something is missing.
        """


def frames_of(status: int, headers: Mapping[bytes, bytes]) -> Frames:
    """Say how a body is sent, from its status and its headers, names in lower case, as h11 has checked them."""
    if status in (204, 304):
        return _Length(0)
    if b"transfer-encoding" in headers:
        return _Chunks()
    if b"content-length" in headers:
        return _Length(int(headers[b"content-length"]))
    return _UntilClose()


def _missing() -> httpx2.RemoteProtocolError:
    return httpx2.RemoteProtocolError("the server closed the connection before the whole reply was sent")


class _Length:
    def __init__(self, left: int) -> None:
        self._left = left
        self.ended, self.spare = left == 0, False

    def feed(self, data: bytes) -> bytes:
        mine = data[: self._left]
        self._left -= len(mine)
        self.ended, self.spare = self._left == 0, len(mine) < len(data)
        return mine

    def close(self) -> None:
        if not self.ended:
            raise _missing()


class _UntilClose:
    def __init__(self) -> None:
        self.ended, self.spare = False, True

    def feed(self, data: bytes) -> bytes:
        return data

    def close(self) -> None:
        self.ended = True


class _Chunks:
    def __init__(self) -> None:
        self.ended = self.spare = False
        self._rest = b""
        """What is not read yet: the beginning of a line."""
        self._left = 0
        """Bytes of the chunk that has begun, its line end included."""
        self._in_trailer = False

    def feed(self, data: bytes) -> bytes:
        data, self._rest = self._rest + data if self._rest else data, b""
        found: list[bytes] = []
        at = 0
        while at < len(data) and not self._in_trailer:
            if self._left:
                at = self._take_chunk(data, at, found)
                continue
            line = _SIZE.match(data, at)
            if line is None:
                self._rest = self._unfinished(data[at:])
                break
            at = line.end()
            size = int(line[1], 16)
            self._left, self._in_trailer = size + 2 if size else 0, not size
        if self._in_trailer:
            self._take_trailer(data[at:])
        return found[0] if len(found) == 1 else b"".join(found)

    def close(self) -> None:
        if not self.ended:
            raise _missing()

    def _take_chunk(self, data: bytes, at: int, found: list[bytes]) -> int:
        """Take what has come of a chunk; give up to where it is taken."""
        end = at + self._left
        body = data[at : end - 2]
        if body:
            found.append(body)
        if len(data) < end:
            self._rest, self._left = data[end - 2 :], self._left - len(body)
            return len(data)
        if data[end - 2 : end] != b"\r\n":
            raise httpx2.RemoteProtocolError("a chunk of the reply is longer than it says")
        self._left = 0
        return end

    def _unfinished(self, line: bytes) -> bytes:
        """Keep the beginning of a line above a chunk, if it is one."""
        if b"\n" in line or len(line) > _LONGEST_LINE:
            raise httpx2.RemoteProtocolError("the reply is no chunked transfer, as its head says")
        return line

    def _take_trailer(self, data: bytes) -> None:
        """Read on to the empty line: what stands before it says nothing that is needed."""
        data, self._rest = self._rest + data, b""
        if data.startswith(b"\r\n"):
            self.ended, self.spare = True, len(data) > 2
        elif (end := data.find(b"\r\n\r\n")) >= 0:
            self.ended, self.spare = True, len(data) > end + 4
        elif len(data) > _LONGEST_TRAILER:
            raise httpx2.RemoteProtocolError("the reply does not end")
        else:
            self._rest = data

"""The body of a reply is taken out of its transfer, whatever pieces the network makes of it."""

from itertools import pairwise

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.ask.frames import Frames, frames_of

CHUNKED = {b"transfer-encoding": b"chunked"}
PARTS = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


def in_cuts(whole: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    return [whole[begin:end] for begin, end in pairwise(places)]


def read(frames: Frames, pieces: list[bytes]) -> bytes:
    return b"".join([frames.feed(piece) for piece in pieces])


@given(
    parts=PARTS,
    extension=st.sampled_from([b"", b";name=value", b" "]),
    trailer=st.sampled_from([b"", b"X-Sum: 1\r\n"]),
    cuts=st.lists(st.integers(0, 400), max_size=30),
)
def test_chunks_are_joined_however_they_are_cut(
    parts: list[bytes], extension: bytes, trailer: bytes, cuts: list[int]
) -> None:
    sent = b"".join(b"%X%b\r\n%b\r\n" % (len(part), extension, part) for part in parts) + b"0\r\n" + trailer + b"\r\n"
    frames = frames_of(200, CHUNKED)

    assert read(frames, in_cuts(sent, cuts)) == b"".join(parts)
    assert frames.ended
    assert not frames.spare
    frames.close()


@given(parts=PARTS.filter(bool), cut=st.integers(0, 400))
def test_chunks_that_end_early_are_no_whole_body(parts: list[bytes], cut: int) -> None:
    sent = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    frames = frames_of(200, CHUNKED)
    frames.feed(sent[: cut % len(sent)])

    assert not frames.ended
    with pytest.raises(httpx2.RemoteProtocolError):
        frames.close()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"{}\r\n", id="no size"),
        pytest.param(b"-3\r\nabc\r\n", id="below zero"),
        pytest.param(b"0x3\r\nabc\r\n", id="a prefix"),
        pytest.param(b"1_0\r\n", id="an underline"),
        pytest.param(b"2\r\nabc\r\n", id="longer than it says"),
        pytest.param(b"4\r\nabc\r\n0\r\n\r\n", id="shorter than it says"),
        pytest.param(b"1" * 17 + b"\r\n", id="a size beyond all memory"),
        pytest.param(b"f" * 20_000, id="a line without end"),
        pytest.param(b"0\r\n" + b"a: b\r\n" * 20_000, id="a trailer without end"),
    ],
)
def test_what_is_no_chunked_transfer_is_refused(sent: bytes) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        read(frames_of(200, CHUNKED), [sent])


@pytest.mark.parametrize(
    ("headers", "sent", "body", "state"),
    [
        pytest.param({b"content-length": b"3"}, b"abc", b"abc", "ended", id="so many bytes"),
        pytest.param({b"content-length": b"3"}, b"abcd", b"abc", "ended, and more", id="and more"),
        pytest.param({b"content-length": b"3"}, b"ab", b"ab", "goes on", id="fewer"),
        pytest.param({b"content-length": b"0"}, b"", b"", "ended", id="none"),
        pytest.param({}, b"abc", b"abc", "goes on", id="until the close"),
        pytest.param(CHUNKED, b"1\r\na\r\n0\r\n\r\nHTTP", b"a", "ended, and more", id="more behind the chunks"),
    ],
)
def test_where_a_body_ends(headers: dict[bytes, bytes], sent: bytes, body: bytes, state: str) -> None:
    frames = frames_of(200, headers)
    got = read(frames, [sent] if sent else [])
    now = ("ended, and more" if frames.spare else "ended") if frames.ended else "goes on"

    assert (got, now) == (body, state)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(status: int) -> None:
    assert frames_of(status, {b"content-length": b"3"}).ended

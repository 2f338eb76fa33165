"""The wrong one of http and https is told from a server that does not run, and no key is sent to find out."""

import asyncio
import gc
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from servers.attach import attach
from servers.errors import ServerError
from servers.fake import FakeServer, Reply
from servers.spec import ServerSpec

# asyncio leaves a socket to the garbage collector where a TLS handshake fails.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Let sockets that were left be collected while the warning about them is ignored."""
    yield
    gc.collect()


async def refused(base_url: str) -> str:
    with pytest.raises(ServerError) as caught:
        await attach(ServerSpec(runtime="openai", model="", base_url=base_url, api_key_env="SOME_KEY"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_https_against_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "the-key-itself")
    async with FakeServer(Reply()) as fake:
        words = await refused(fake.base_url.replace("http", "https"))

        assert f"answers, but without TLS: write {fake.base_url}." in words
        assert not [call for call in fake.calls if "the-key-itself" in str(call)]


@asynccontextmanager
async def tls_server(folder: Path) -> AsyncIterator[int]:
    """A server with a certificate that it signed itself; it closes every connection after the handshake."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    made = await asyncio.create_subprocess_exec(
        *command, "-keyout", key, "-out", certificate, stderr=asyncio.subprocess.DEVNULL
    )
    assert await made.wait() == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("http", "answers with TLS only: write https://127.0.0.1:{port}/v1."),
        ("https", "answers, and its certificate is not trusted here: name its authority's file in SSL_CERT_FILE."),
    ],
)
async def test_http_against_https_and_a_certificate_of_ones_own(tmp_path: Path, scheme: str, words: str) -> None:
    async with tls_server(tmp_path) as port:
        assert words.format(port=port) in await refused(f"{scheme}://127.0.0.1:{port}/v1")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nothing_there_is_nothing(scheme: str) -> None:
    assert f"Nothing answers at {scheme}://127.0.0.1:9/v1: is the server running?" in await refused(
        f"{scheme}://127.0.0.1:9/v1"
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_port_that_says_nothing_is_nothing(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        assert "Nothing answers at" in await refused(f"{scheme}://127.0.0.1:{port}/v1")

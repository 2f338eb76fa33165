"""The kinds of server: what each module must offer, and which module is which runtime."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from servers.runtime import llama_server, lm_studio, mlx_lm, ollama, omlx, openai, vllm
from servers.spec import ANY, Prompt, Request, Reuse, RuntimeName, Sampling, Server, ServerFacts, ServerSpec


class Runtime(Protocol):
    """A kind of server: a module that builds its requests and reads its facts."""

    def request(
        self, server: Server, prompt: Prompt, sampling: Sampling, /, *, stream: bool, reuse: Reuse = ANY
    ) -> Request:
        """Put a prompt into this server's format."""

    def unsent(self, spec: ServerSpec, sampling: Sampling, /) -> tuple[str, ...]:
        """Return which sampling values cannot be sent to this server, one sentence each; its own defaults hold."""

    async def facts(self, server: Server, /) -> ServerFacts:
        """Ask a server for its facts."""


class Startable(Runtime, Protocol):
    """A kind of server that we start as a child process."""

    def find(self, spec: ServerSpec, /) -> tuple[str, tuple[str, ...]]:
        """Choose the program: in words, and the beginning of its command."""

    def prepare(self, spec: ServerSpec, folder: Path, /) -> None:
        """Write what the server reads at its start into a folder that is its own and is removed after it."""

    def command(self, spec: ServerSpec, port: int, folder: Path, /) -> tuple[str, ...]:
        """Build the command line."""

    def environment(self, spec: ServerSpec, port: int, /) -> Mapping[str, str | None]:
        """Return the variables it needs; None unsets one of the user's that would change its behaviour."""

    def model_name(self, spec: ServerSpec, /) -> str:
        """Return what goes into a request's `model`."""

    async def ready(self, server: Server, /) -> bool:
        """Ask once whether it answers, its model loaded."""


class Controlled(Runtime, Protocol):
    """A kind of server that its own program starts and loads for whichquant, and that is no child process of it."""

    def check(self, spec: ServerSpec, /) -> None:
        """Raise ServerError where it cannot be loaded as the spec asks, as far as that shows without loading."""

    def loaded(self, spec: ServerSpec, log: Path, /) -> AbstractAsyncContextManager[Server]:
        """Load a model for as long as the context lasts; what runs already is left running."""


RUNTIMES: dict[RuntimeName, Runtime] = {
    "llama_server": llama_server,
    "mlx_lm": mlx_lm,
    "omlx": omlx,
    "ollama": ollama,
    "lm_studio": lm_studio,
    "vllm": vllm,
    "openai": openai,
}
STARTABLE: dict[RuntimeName, Startable] = {
    "llama_server": llama_server,
    "mlx_lm": mlx_lm,
    "omlx": omlx,
    "ollama": ollama,
}
CONTROLLED: dict[RuntimeName, Controlled] = {"lm_studio": lm_studio}
TESTED: dict[RuntimeName, str] = {
    "llama_server": "against the real program",
    "mlx_lm": "against the real program",
    "omlx": "against the real program, version 0.4.1 on Linux",
    "ollama": "against recorded behaviour only",
    "lm_studio": "against recorded behaviour only",
    "vllm": "against recorded behaviour only",
    "openai": "against llama-server and recorded behaviour",
}
"""How each module here was tested; servers/README.md names the tests."""


def request(server: Server, prompt: Prompt, sampling: Sampling, *, stream: bool, reuse: Reuse = ANY) -> Request:
    """Put a prompt into one server's format: address and JSON body."""
    return RUNTIMES[server.spec.runtime].request(server, prompt, sampling, stream=stream, reuse=reuse)


def unsent(server: Server, sampling: Sampling) -> tuple[str, ...]:
    """Return which sampling values cannot be sent to one server, one sentence each; its own defaults hold there."""
    return RUNTIMES[server.spec.runtime].unsent(server.spec, sampling)

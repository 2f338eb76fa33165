"""`whichquant servers`: list the servers that answer, their models, and the command that evaluates each.

With `--json` a list with one object for each server:

    runtime      "llama_server", "mlx_lm", "omlx", "ollama", "lm_studio", "vllm" or "openai"
    name         what the runtime is called
    version      text, or null where it does not state one
    base_url     up to and including /v1
    wants_key    whether it answers only requests with a key
    key_refused  whether it refused the key that was sent
    loading      whether it is still loading its only model
    models       list of {"id": text, "loaded": true, false or null, "context": tokens or null}
    evaluate     the command for a shell, or null where the model's id cannot be written in one, or no model answers
                 questions (embedding models do not); NAME in it stands for the variable with the key, MODEL for a model
                 that only the user knows
"""

import asyncio
import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import to_builtins
from rich import box
from rich.console import Console, ConsoleRenderable
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evaluator.errors import StudyError
from evaluator.text import strip_control
from servers.discover import PORTS, ListedModel, Running, discover
from servers.errors import ServerError
from servers.request import bearer, normal_url
from servers.shapes import may_answer

_SHOWN = 12
_SECONDS = 1.0
"""Together with Python's start less than two seconds when nothing answers."""
_NAMED_SECONDS = 4
"""A server whose port was named may be busy."""
_ANY_MODEL = "MODEL"


def list_servers(
    host: str | None, ports: Sequence[int], *, api_key_env: str | None, as_json: bool, console: Console
) -> int:
    """Look for servers and print them; give the exit code.

    Args:
        host: The machine to search; None is this one.
        ports: The ports to search; none means the usual ones.
        api_key_env: Environment variable that holds the key for servers that want one.
        as_json: Print a JSON list in place of tables.
        console: Where it is shown.

    Raises:
        StudyError: The host is not a valid name or address, or the variable holds no key.
        ServerError: What the variable holds cannot be a key.
    """
    key = bearer(api_key_env)
    if api_key_env and not key:
        raise StudyError(f"there is no key in the environment variable {api_key_env}", remedy="set it, or leave it out")
    seconds = _NAMED_SECONDS if ports else _SECONDS
    servers = asyncio.run(discover(_places(host, ports), headers=key, seconds=seconds))
    if as_json:
        console.out(json.dumps([_object(running, api_key_env) for running in servers], indent=2), highlight=False)
        return 0
    for running in servers:
        for part in _block(running, api_key_env):
            console.print(part, soft_wrap=isinstance(part, Text))
    if not servers:
        console.print(Text(_nothing(host, ports)), soft_wrap=True)
    return 0


def command(running: Running, api_key_env: str | None) -> str | None:
    """Return the command that evaluates a server's model; None if there is none, or its id cannot be printed."""
    if not _has_answers(running):
        return None
    line = ["whichquant", "eval", "--base-url", running.base_url]
    if len(running.models) > 1:
        model = _model_to_evaluate(running)
        if not model.isprintable():  # it could control the terminal
            return None
        line += ["--model", model]
    if running.wants_key:
        line += ["--api-key-env", api_key_env or "NAME"]
    return shlex.join(line)


def _model_to_evaluate(running: Running) -> str:
    """Choose among several models that may answer questions: one that is loaded, else the first."""
    answering = [model for model in running.models if may_answer(model.id)]
    loaded = [model.id for model in answering if model.loaded]
    if running.runtime == "mlx_lm":
        # It also lists the models in the hub's cache, and answers with the one it was started with, which is known
        # only where that was a folder.
        loaded = [model.id for model in running.models if model.id.startswith("/")] or [_ANY_MODEL]
    return (loaded or [model.id for model in answering])[0]


def _has_answers(running: Running) -> bool:
    """Whether some model may answer questions, as far as names show it; of mlx_lm.server the own one is not listed."""
    return not running.models or running.runtime == "mlx_lm" or any(may_answer(model.id) for model in running.models)


def _object(running: Running, api_key_env: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = to_builtins(running)
    return {**fields, "name": _name(running), "evaluate": command(running, api_key_env)}


def _block(running: Running, api_key_env: str | None) -> Iterator[ConsoleRenderable]:
    version = f" {_line(running.version)}" if running.version else ""
    yield Text.assemble((_name(running), "bold"), version, f" at {_line(running.base_url)}")
    if running.models:
        yield Padding(_table(running.models), (0, 0, 0, 2), expand=False)
    for sentence in _remarks(running, api_key_env):
        yield Text(f"  {sentence}", style="yellow")
    yield Text(f"  {command(running, api_key_env) or _no_command(running)}\n")


def _no_command(running: Running) -> str:
    if not _has_answers(running):
        return "By their names, its models make embeddings or the like and answer no questions: load another one there."
    return "The model's id holds characters that cannot be printed, so there is no command for it."


def _table(models: Sequence[ListedModel]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("model", overflow="fold")
    table.add_column("loaded", no_wrap=True)
    table.add_column("context", justify="right", no_wrap=True)
    first = sorted(models, key=lambda model: not model.loaded)
    for model in first[:_SHOWN]:
        loaded = "" if model.loaded is None else "yes" if model.loaded else "no"
        # A text, so that brackets in the id are no markup.
        table.add_row(Text(_line(model.id)), loaded, f"{model.context:,}" if model.context else "")
    if len(models) > _SHOWN:
        table.add_row(Text(f"and {len(models) - _SHOWN:,} more", style="dim"), "", "")
    return table


def _remarks(running: Running, api_key_env: str | None) -> Iterator[str]:
    if running.key_refused:
        yield f"It refuses the key in the environment variable {api_key_env}."
    elif running.wants_key and api_key_env is None:
        yield "It wants a key: put the key into an environment variable, and that variable's name in place of NAME."
    if running.loading:
        yield "It is still loading its model."
    elif not running.models and not running.wants_key and running.runtime != "mlx_lm":
        yield "It lists no model: load one there first."
    if running.runtime == "mlx_lm" and len(running.models) > 1 and _model_to_evaluate(running) == _ANY_MODEL:
        yield f"It answers with the model that it was started with: write that model in place of {_ANY_MODEL}."


def _name(running: Running) -> str:
    return running.name.removeprefix("an ")


def _line(text: str) -> str:
    """Make a server's text harmless, on one line."""
    return strip_control(text).replace("\n", " ")


def _places(host: str | None, ports: Sequence[int]) -> list[str] | None:
    """Return the addresses to search; None for the usual ones of this machine.

    Raises:
        StudyError: The host is not a valid name or address.
    """
    if host is None and not ports:
        return None
    name = "127.0.0.1" if host is None else host.strip().removeprefix("[").removesuffix("]")
    name = f"[{name}]" if ":" in name else name
    try:
        if not name or not set(name).isdisjoint("/?#@ \t\\") or not name.isprintable():
            raise StudyError(
                f"--host {host!r} is not a name or address of a machine", remedy="leave out http:// and the port"
            )
        return [normal_url(f"http://{name}:{port}/v1") for port in ports or PORTS]
    except ServerError as error:
        raise StudyError(
            f"--host {host!r} is not a name or address of a machine", remedy="leave out http:// and the port"
        ) from error


def _nothing(host: str | None, ports: Sequence[int]) -> str:
    looked = ", ".join(map(str, ports or PORTS))
    where = f"at {host}" if host else "on this machine"
    return (
        f"No model server answers {where} at port{'s' * (len(ports) != 1)} {looked}: "
        "start one, or say with --host and --port where it is."
    )

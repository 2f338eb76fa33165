"""`python -m servers`: start a server of any runtime without a study."""

import sys
from pathlib import Path
from typing import get_args

import click
from msgspec.structs import replace

from servers.errors import WhichquantError
from servers.signals import end_at_once, end_in_order
from servers.spec import NAMED_BY_SERVER, KvType, RuntimeName, ServerSpec

_SWITCH = {"on": True, "off": False}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument(
    "runtime", type=click.Choice([name for name in get_args(RuntimeName) if name not in ("vllm", "openai")])
)
@click.argument("model")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--binary", metavar="PROGRAM", help="Program to run in place of the one on PATH.")
@click.option(
    "--context",
    type=click.IntRange(min=256),
    metavar="TOKENS",
    help="Context of each slot.  [default: the server's own]",
)
@click.option("--slots", type=click.IntRange(1, 256), default=1, show_default=True, help="Requests worked on at once.")
@click.option(
    "--thinking", type=click.Choice(list(_SWITCH)), help="Switch thinking on or off.  [default: the model's own]"
)
@click.option(
    "--kv-cache", type=click.Choice(get_args(KvType)), help="Type of the KV cache.  [default: the server's own]"
)
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the API key.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.  [default: a free port]")
@click.option(
    "--log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the server's log.  [default: one in the user's cache]",
)
def main(
    runtime: RuntimeName,
    model: str,
    arguments: tuple[str, ...],
    *,
    binary: str | None,
    context: int | None,
    slots: int,
    thinking: str | None,
    kv_cache: KvType | None,
    api_key_env: str | None,
    port: int | None,
    log: Path | None,
) -> None:
    """Start RUNTIME with MODEL on 127.0.0.1 and keep it until Ctrl-C.

    MODEL is a path, hf:org/repo, or the name under which the runtime knows it. ARGUMENTS after `--` go to the server
    as they are.
    """
    end_at_once()
    spec = ServerSpec(
        runtime=runtime,
        model=model,
        binary=binary,
        context=context,
        slots=slots,
        thinking=_SWITCH.get(thinking or ""),
        kv_cache=kv_cache,
        args=arguments,
        api_key_env=api_key_env,
    )
    _serve(spec, log, port)


def _serve(spec: ServerSpec, log: Path | None, port: int | None) -> None:
    """Find the model, serve it until a signal comes, and exit."""
    from servers import signals  # noqa: PLC0415
    from servers.cache import user_cache  # noqa: PLC0415
    from servers.errors import ModelError  # noqa: PLC0415
    from servers.serve import serve  # noqa: PLC0415
    from servers.weights.source import resolve  # noqa: PLC0415

    end_in_order()
    try:
        if spec.runtime not in NAMED_BY_SERVER:
            spec = replace(spec, model=str(resolve(spec.model, runtime=spec.runtime, base=Path())))
        log = log or user_cache() / "logs" / f"{spec.runtime}.log"
        signals.run(serve(spec, log=log, port=port, say=click.echo))
    except ModelError as error:  # here the model is an argument: the input is wrong
        _end(str(error), 2)
    except WhichquantError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        click.echo("Stopped.")
        sys.exit(130)


def _end(sentence: str, code: int) -> None:
    click.echo(f"servers: {sentence}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main(prog_name="python -m servers")
